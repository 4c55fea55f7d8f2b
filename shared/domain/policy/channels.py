"""Who is told, by which ways, and what the public is shown, as declared."""

from datetime import timedelta
from enum import StrEnum
from typing import Any

from msgspec import field

from shared.core.codec import FrozenStruct
from shared.domain.policy.severity import Severity


class ChannelKind(StrEnum):
    """How a notice leaves: kept as a record only, or by one of these ways."""

    RECORDING = "recording"
    WEBHOOK = "webhook"
    APPRISE = "apprise"
    """Chat, mail, text message, pager: whatever apprise has an address for."""
    PUSH = "push"
    """Firebase Cloud Messaging: to a topic that users have subscribed to, or to their devices."""
    STATUSPAGE = "statuspage"
    """An incident on a page of Atlassian's."""
    TRIGGER_EMAIL = "trigger_email"
    """The collection of the Firebase extension Trigger Email: a document for each mail."""


REQUIRED_KEYS: dict[str, tuple[str, ...]] = {
    ChannelKind.RECORDING: (),
    ChannelKind.WEBHOOK: ("url",),
    ChannelKind.APPRISE: ("secret",),
    ChannelKind.PUSH: (),
    ChannelKind.STATUSPAGE: ("secret", "target"),
    ChannelKind.TRIGGER_EMAIL: ("target", "users"),
}
"""The keys that a channel of each kind needs; a push needs either `target` or `users`."""


class Audience(StrEnum):
    """Who hears a channel: it decides of what they are told, and in which words."""

    TEAM = "team"
    """Everything, with the causes and what to do."""
    STAKEHOLDERS = "stakeholders"
    """What the business must know, in a summary."""
    USERS = "users"
    """That it begins, becomes more severe, affects further parts, and ends."""
    CONCERNED = "concerned"
    """Whose documents a repair has written or left: that it has ended, and nothing else."""
    PUBLIC = "public"


class IncidentStage(StrEnum):
    """What an event is in the course of its incident; roles name the stages that they want."""

    BEGUN = "detected"
    RAISED = "severity_raised"
    SPREAD = "spread"
    """It affects further parts, or a further alert has it judged again."""
    ASKED = "approval_requested"
    UNDER_WAY = "in_progress"
    BACK = "restored"
    STUCK = "action_required"
    LATE = "response_time_breached"
    OVER = "ended"
    """It may be the end: the incident tells."""
    REPORTED = "reported"
    """It is known what it has meant, or what it came from."""
    OTHER = "other"


class Addressees(FrozenStruct):
    """Users whom a channel is for, looked up in the application's database each time."""

    collection: str
    """A declared one, of one document for each user."""
    tokens: str = ""
    """The field that holds the registration token of a user's device, or those of several."""
    at_most: int = 1000
    """So many users are told; how many more there are is said to the team."""
    where: dict[str, Any] = {}
    """Only users whose fields equal these; empty: all. Those concerned by a repair are named."""
    address: str = ""
    """In place of `tokens`: the field that holds a user's mail address or telephone number."""
    consent: str = ""
    """The field that is true where a user agrees to be told; empty: nobody is asked."""
    approval: bool = True
    """Whether a person approves each mail or text message; a push never waits."""
    language: str = ""
    """The field that holds a user's language, such as `de-AT`."""
    languages: tuple[str, ...] = ("en",)
    """Those of the texts: the first one for users of no or another language."""


class Channel(FrozenStruct):
    """One way to tell people."""

    name: str
    kind: ChannelKind
    url: str | None = None
    secret: str | None = None
    """The secret with apprise's addresses, one a line, or with the key of Atlassian's API."""
    target: str | None = None
    """The topic of a push, the id of the page, or the collection of mails."""
    users: Addressees | None = None
    """Whose devices, addresses or telephone numbers are looked up."""
    severities: tuple[Severity, ...] = tuple(Severity)
    audience: Audience = Audience.TEAM
    per_minute: int = 60
    """So many notices leave in a minute, and at once after a quiet one."""
    attempts: int = 10
    """Of one notice, until it is given up."""
    first_retry: timedelta = timedelta(seconds=10)
    """So long nothing is tried after the first failure; twice as long after each further one."""
    longest_retry: timedelta = timedelta(minutes=10)


class Contact(FrozenStruct):
    """A person or a team, and the channels that reach them."""

    name: str
    channels: tuple[str, ...]


class RoleNotice(FrozenStruct):
    """The stages of an incident that a role is notified of at once."""

    stages: tuple[IncidentStage, ...]
    channels: tuple[str, ...] = ()


class TeamRole(FrozenStruct):
    """A role of the response team: its contacts, and their notifications."""

    contacts: tuple[str, ...]
    notify: tuple[RoleNotice, ...] = ()


class Rung(FrozenStruct):
    """One step of on-call: who is notified when nobody has acknowledged until then."""

    after: timedelta
    role: str | None = None
    contact: str | None = None
    channel: str | None = None


class Component(FrozenStruct):
    """A part of the system as its users know it: one line of the status page."""

    name: str
    signals: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()


class StatusPage(FrozenStruct):
    """What the public is told, and when."""

    publish_after: dict[Severity, timedelta] = field(
        default_factory=lambda: dict.fromkeys(Severity, timedelta(0))
    )
    publish_orders_after: dict[Severity, timedelta] = {}
    components: tuple[Component, ...] = ()
