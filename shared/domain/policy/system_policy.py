"""What a protected system is and how it may be rolled back: one policy file per system, typed."""

from __future__ import annotations

from datetime import timedelta
from enum import IntEnum, StrEnum

from msgspec import Struct, field

from shared.domain.policy.channels import Channel, Contact, Rung, StatusPage
from shared.domain.policy.data_rules import Collection, FenceRules, IntegrityRules
from shared.domain.policy.erasure_rules import ErasureRules
from shared.domain.policy.execution import Execution
from shared.domain.policy.resources import AssetRules, BackupRules, Resources
from shared.domain.policy.roles import Role
from shared.domain.policy.severity import Severity


class Mode(IntEnum):
    """How far automation may go on its own; the lower of several wins."""

    OBSERVE = 0
    ASK = 1
    ACT = 2


class ScenarioName(StrEnum):
    """Which way back; `none` for signals that are watched and never rolled back."""

    COMPLETE = "complete"
    FUNCTIONS = "functions"
    DATABASE = "database"
    AUTH = "auth"
    FEATURE = "feature"
    NONE = "none"


def service_of(function: str) -> str:
    """The Cloud Run service of a function: its name in lower case, underscores as hyphens.

    A service's name admits neither capitals nor underscores.
    """
    return function.lower().replace("_", "-")


class Group(Struct, frozen=True):
    """Functions that are rolled back together."""

    functions: tuple[str, ...]
    canary: str | None = None
    """The function that goes first; None: the group's first by name."""
    after: tuple[str, ...] = ()
    """Groups that must be back before this one: clients go before what they call."""
    keep_warm: int = 0
    """Instances that a function is to have as soon as a rollback leads requests to it."""


class ProbeAccount(Struct, frozen=True):
    """Whom a probe signs in as at Identity Platform, with a password and nothing else."""

    email: str
    password_secret: str
    """The secret of the operations project that holds the password, by its name."""
    api_key_secret: str
    """The same of the application's web API key."""


class Probe(Struct, frozen=True):
    """One question asked from outside: does this answer as a healthy system does?"""

    name: str
    url: str = ""
    """The address that is asked; empty: a sign-in is tried."""
    sign_in: ProbeAccount | None = None
    function: str | None = None
    """The function that it exercises; it then judges that function's canary."""
    status_below: int = 500
    timeout: timedelta = timedelta(seconds=10)
    signal: str | None = None
    """The signal that it tells of, asked each half minute; None: asked only when it is needed."""
    external: bool = False
    """It asks what the system depends on and nobody here changes: failing, it explains trouble."""


class VerificationCheck(Struct, frozen=True):
    """One thing that must work once functions are back; all that is declared of it counts."""

    probes: tuple[str, ...] = ()
    """Names of probes that must pass."""
    groups: tuple[str, ...] = ()
    """Groups whose requests must be enough, by the routers' count, and must not fail."""
    sign_in_failures: float | None = None
    """The share of sign-ins that may fail, of enough of them, once authentication is back; None:
    they are not counted."""


class Unit(StrEnum):
    """What a threshold counts in."""

    RATIO = "ratio"
    SECONDS = "seconds"
    COUNT = "count"


class SignalCondition(Struct, frozen=True):
    """A further way in which a signal shows, beside its threshold; any one of them is enough."""

    unit: Unit
    threshold: float
    duration: timedelta | None = None


class Signal(Struct, frozen=True):
    """What one kind of alert means here."""

    severity: Severity
    scenario: ScenarioName
    mode: Mode
    threshold: float | None = None
    """In the unit of its kind (`shared.domain.signals.registry`): a ratio, seconds, or a count."""
    duration: timedelta | None = None
    also: tuple[SignalCondition, ...] = ()
    alert_policies: tuple[str, ...] = ()
    """Ids of alert policies that carry this signal but not our labels."""


def _default_decision_times() -> dict[Severity, timedelta]:
    return {
        Severity.CRITICAL: timedelta(minutes=3),
        Severity.HIGH: timedelta(minutes=5),
        Severity.MEDIUM: timedelta(minutes=15),
        Severity.LOW: timedelta(minutes=60),
    }


class Rebuilds(StrEnum):
    """Whether a function may be built again from our copy of its source: not the old artefact."""

    ASK = "ask"
    """A person is asked first; a shift that fails stays failed, unless one has approved."""
    ACT = "act"


class Gates(Struct, frozen=True):
    """When automation may act; the defaults are design.md's."""

    suspect_window: timedelta = timedelta(hours=2)
    join_window: timedelta = timedelta(minutes=10)
    stale_after: timedelta = timedelta(minutes=15)
    auto_close: timedelta = timedelta(days=7)
    """What Cloud Monitoring closes by itself after: such a close is not a recovery."""
    judge_every: timedelta = timedelta(seconds=30)
    decide_within: dict[Severity, timedelta] = field(default_factory=_default_decision_times)
    cool_down: timedelta = timedelta(minutes=60)
    automatic_per_hour: int = 3
    """Automatic rollbacks in an hour over all systems; the strictest policy wins."""
    failing_above: float = 0.1
    """A function whose share of failed requests is above this is failing."""
    minimum_requests: int = 20
    """Fewer requests than this say nothing about a function."""
    worse_by: float = 0.05
    """A share of failed requests so much above that of the hour before the trouble is worse."""
    slower_by: float = 0.5
    """A probe that takes so much longer than then, as a ratio, is worse."""
    blast_radius: int | None = None
    """Ask when a plan touches more functions than this; None: never."""
    approvals: tuple[ScenarioName, ...] = ()
    """Scenarios that always ask a person first."""
    four_eyes: tuple[ScenarioName, ...] = (ScenarioName.DATABASE, ScenarioName.AUTH)
    """Scenarios that two different people must want; who orders one is the first of them."""
    rebuilds: Rebuilds = Rebuilds.ACT
    """Where no revision is left to shift to, or the shift has failed."""
    approval_expires: timedelta = timedelta(minutes=30)
    """A question to a person ends after this in doing nothing."""
    notice_before: timedelta = timedelta(minutes=15)
    """So long before a planned rollback begins people are told of it again."""
    drills_before_ask: int = 0
    """Agreeing drills that a promotion from observe needs, to whatever mode."""
    drills_before_act: int = 0
    """Agreeing drills that a promotion to act needs."""
    drills_within: timedelta = timedelta(days=30)
    """Older ones prove nothing any more."""


class DeploymentRules(Struct, frozen=True):
    """When a change of what is live is a deployment, and what a change by hand means."""

    quiet: timedelta = timedelta(minutes=2)
    """So long nothing more may change until a deployment is no longer rolling out."""
    look_every: timedelta = timedelta(minutes=5)
    """Whatever is hinted at or not."""
    human_first: timedelta = timedelta(minutes=60)
    """So long automation leaves alone what a person changed by hand."""
    pinned_for: timedelta = timedelta(days=3)
    """A pin that is older is told of once a day."""
    kept: int = 30
    """So many of the newest deployments never expire."""
    secrets_renewed_within: timedelta = timedelta(days=365)
    """A secret in use whose newest enabled version is older is told, once."""


def _default_restoration_times() -> dict[Severity, timedelta]:
    return {
        Severity.CRITICAL: timedelta(minutes=5),
        Severity.HIGH: timedelta(minutes=15),
        Severity.MEDIUM: timedelta(minutes=60),
        Severity.LOW: timedelta(hours=4),
    }


class Targets(Struct, frozen=True):
    """The runbook's times, from detection to the last shift confirmed by probes."""

    by_severity: dict[Severity, timedelta] = field(default_factory=_default_restoration_times)
    functions: timedelta = timedelta(minutes=10)
    database: timedelta = timedelta(minutes=15)
    status_page: timedelta = timedelta(seconds=60)


class Outage(Struct, frozen=True):
    """What it means that the system does not work, as its owner declares."""

    per_minute: float | None = None
    """What a minute costs; None: nobody has said."""
    currency: str = ""
    """Three letters, such as EUR."""
    users: str = ""
    """A filter of Cloud Monitoring for the counter of users who meet a failure; empty: none is."""


class Principal(Struct, frozen=True):
    """A Google service account that may command, and how far."""

    email: str
    commands: tuple[str, ...]
    groups: tuple[str, ...] = ()
    """Only these groups of functions; empty: all."""
    severities: tuple[Severity, ...] = tuple(Severity)
    """Of the rollbacks that it may order."""


class IdentityRules(Struct, frozen=True):
    """Who may command this system."""

    api_key: str = ""
    """The web API key of the project that people sign in to; public by design."""
    auth_within: timedelta = timedelta(minutes=10)
    """A person's sign-in, second factor included, may be this old."""
    roles: dict[str, Role] = {}
    """The role that a command needs, where it is not the default
    (`shared.domain.commands.registry`).
    """
    principals: tuple[Principal, ...] = ()

    def principal(self, email: str) -> Principal | None:
        """The allow-listed service account of that address."""
        return next((one for one in self.principals if one.email == email), None)


class FindingClass(StrEnum):
    """What kind of thing was found, of those that can be a breach.

    https://cloud.google.com/security-command-center/docs/reference/rest/v2/organizations.sources.locations.findings
    (read 2026-11).
    """

    THREAT = "THREAT"
    TOXIC_COMBINATION = "TOXIC_COMBINATION"
    VULNERABILITY = "VULNERABILITY"


class FindingRules(Struct, frozen=True):
    """Which findings of Security Command Center are a breach: people are asked then."""

    classes: tuple[FindingClass, ...] = (FindingClass.THREAT,)
    severities: tuple[Severity, ...] = (Severity.CRITICAL,)


class Policy(Struct, frozen=True):
    """One protected system, whole."""

    system: str
    project: str
    region: str
    groups: dict[str, Group]
    signals: dict[str, Signal]
    scenarios: dict[ScenarioName, Mode]
    """Mode per scenario; absent means observe."""
    group_aliases: dict[str, tuple[str, ...]] = {}
    """What people call one group or several: `core-api` is core and admin."""
    alert_projects: tuple[str, ...] = ()
    """Projects whose alerts count; empty: only `project`."""
    resources: Resources = Resources()
    backups: BackupRules = BackupRules()
    assets: AssetRules = AssetRules()
    integrity: IntegrityRules = IntegrityRules()
    collections: dict[str, Collection] = {}
    """What is valid in each collection, by its id; what is not declared is not looked at."""
    fence: FenceRules | None = None
    """None: nothing that must hold across documents is declared, and nothing is ever fenced."""
    erasure: ErasureRules | None = None
    """None: nothing is known of whom data belongs to."""
    probes: tuple[Probe, ...] = ()
    verification: dict[str, VerificationCheck] = {}
    """What must work once functions are back, by what people call it."""
    gates: Gates = Gates()
    execution: Execution = Execution()
    deployments: DeploymentRules = DeploymentRules()
    targets: Targets = Targets()
    status_page: StatusPage = StatusPage()
    identity: IdentityRules = IdentityRules()
    findings: FindingRules | None = None
    """None: no finding is a breach."""
    outage: Outage | None = None
    """None: nobody has declared what an outage means."""
    console_url: str = ""
    """Where operators find the console; empty: notices lead to no page of it."""
    channels: tuple[Channel, ...] = ()
    contacts: tuple[Contact, ...] = ()
    on_call: tuple[Rung, ...] = ()
    display_name: str = ""
    fingerprint: str = ""
    """SHA-256 of the file's bytes, filled in by the loader."""
    warnings: tuple[str, ...] = ()
    """Of what was removed from policy files and stands in this one; filled in by the loader."""

    @property
    def functions(self) -> dict[str, str]:
        """Every function of the system, with its group."""
        return {function: name for name, group in self.groups.items() for function in group.functions}

    def strictest_mode(self, signal: Signal) -> Mode:
        """How far automation may go after a signal, by the signal and by its scenario."""
        if signal.scenario is ScenarioName.NONE:
            return Mode.OBSERVE
        return min(signal.mode, self.scenarios.get(signal.scenario, Mode.OBSERVE))

    def channels_of_step(self, rung: Rung) -> list[Channel]:
        """The channels that a step of the on-call ladder speaks on."""
        people = next((one for one in self.contacts if one.name == rung.contact), None)
        names = {rung.channel, *(people.channels if people else ())}
        return [channel for channel in self.channels if channel.name in names]

    def groups_by_name(self, name: str) -> tuple[str, ...]:
        """The groups that people mean by `name`: a group's own name or an alias; () if unknown."""
        return (name,) if name in self.groups else self.group_aliases.get(name, ())
