"""Users with mail addresses and telephone numbers, whom a person has notified of an incident."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from shared.core.codec import decode
from shared.domain.notices.notice import Notice
from shared.domain.policy.channels import Addressees, Audience, Channel, ChannelKind
from shared.domain.policy.document_scope import Scope
from shared.domain.policy.system_policy import Policy
from shared.domain.presentation.notice_templates import NoticeTemplates
from tests.support.decision.outages import make_function_fail
from tests.support.fakes.runtime.hooks import Hook, no_hook
from tests.support.notices.notices import read_notices
from tests.support.notices.user_devices import DATABASE, INCIDENT
from tests.support.rollbacks.approvals import publish_command
from tests.support.runtime.world import BOOKSHOP, World

NOTICE = f"{INCIDENT}:detected:mail"
GERMAN = "{{ system }}: eine Störung\n{{ repeated }}\nSeit {{ since }} UTC. {{ id }}\n"
MINUTES = timedelta(minutes=1)
CHANNELS = {
    ChannelKind.APPRISE: Channel("mail", ChannelKind.APPRISE, secret="mail", audience=Audience.USERS),
    ChannelKind.TRIGGER_EMAIL: Channel(
        "mail", ChannelKind.TRIGGER_EMAIL, target="outbox", audience=Audience.USERS
    ),
}


def build_mail_policy(kind: ChannelKind, at_most: int = 1000, *, approval: bool = True) -> Policy:
    """A policy whose users agree to mail by a field, and read it in their language."""
    users = Addressees(
        "users",
        at_most=at_most,
        address="contact.email",
        consent="contact.agreed",
        approval=approval,
        language="locale",
        languages=("en", "de"),
    )
    channels = (BOOKSHOP.channels[0], replace(CHANNELS[kind], users=users))
    return replace(BOOKSHOP, channels=channels, contacts=(), on_call=(), probes=())


def user_address(name: str) -> str:
    return f"{name}@hush.example"


def build_user(name: str, *, agreed: object = True, locale: str = "") -> dict[str, Any]:
    return {
        "contact": {"email": user_address(name), "agreed": agreed},
        **({"locale": locale} if locale else {}),
    }


def build_world_with_addresses(
    folder: Path | None,
    users: dict[str, dict[str, Any]],
    kind: ChannelKind = ChannelKind.APPRISE,
    at_most: int = 1000,
    hook: Hook = no_hook,
    *,
    approval: bool = True,
) -> World:
    """These users, and an incident that was detected just now; `folder`: for a German text."""
    world = World(hook, policy=build_mail_policy(kind, at_most, approval=approval))
    if folder is not None:
        (folder / "users.de.txt").write_text(GERMAN)
        world.ports.forms = NoticeTemplates(folder)
        world.start_instances()
    for name, fields in users.items():
        world.ports.kept.write(DATABASE, {f"users/{name}": fields})
    world.ports.clock.advance(MINUTES)
    world.ports.alerts.open["0.abc"] = True
    for function in world.policy.functions:  # a second source: users are told of no false alarm
        make_function_fail(world, function)
    world.alert()
    return world


def read_notice(world: World, name: str = NOTICE) -> Notice:
    return decode(Notice, world.ports.store.documents[f"notices/{name}"])


def read_questions(world: World) -> list[str]:
    """What the team was asked about messages to users, the first question first."""
    asked = [one for name, one in read_notices(world).items() if ":message.asked." in name]
    return [str(one["text"]) for one in sorted(asked, key=lambda one: str(one["created_at"]))]


def approve_message(world: World, name: str = NOTICE, **content: Any) -> str:
    """Why the approval of the texts that wait was refused, or ""."""
    return publish_command(world, "publish", **{"plan": read_notice(world, name).fingerprint, **content})


def read_mails(world: World) -> list[dict[str, Any]]:
    """The documents that Trigger Email reads, or what apprise was handed, in one form."""
    found = world.ports.kept.matching
    documents = found(DATABASE, Scope("outbox"), {}, None, ["to", "message"], 10_000)
    handed = [
        {
            "to": [one.token],
            "message": {"subject": one.sent.notice["subject"], "text": one.sent.notice["body"]},
        }
        for one in world.ports.sender.pushed
    ]
    return [*(one.fields for one in documents), *handed]


def count_mails(world: World) -> Counter[str]:
    """How many mails each address got."""
    return Counter(address for one in read_mails(world) for address in one["to"])
