"""Operators at the console: whose word counts, and for how much."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.core import topics
from shared.domain.commands.credential import command_fingerprint
from tests.support.notices.system_events import read_dead_letters
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)
Content = dict[str, Any]


def said(world: World, verb: str = "pause", **operator: Any) -> Content:
    """What the console says for Grace, a commander who signed in a minute ago."""
    signed_in = world.now - MINUTE
    return {
        "version": 1,
        "command": verb,
        "reason": "we look ourselves",
        "id": "by-hand",
        "system": "bookshop",
        "operator": {
            "uid": "uid-grace",
            "name": "grace@example.com",
            "role": "commander",
            "second_factor": True,
            "auth_time": signed_in.isoformat(),
            **operator,
        },
    }


def sign(world: World, content: Content, **changes: Any) -> Content:
    """With a token of the console's account for these very words."""
    claims = {"email": world.ports.console, **changes}
    return {**content, "token": world.ports.sign_in.service(command_fingerprint(content), **claims)}


def answer(world: World, content: Content) -> str:
    """Why it was refused; "" when it was carried out."""
    world.publish(topics.COMMANDS, content)
    world.settle()
    if "commands/by-hand" in world.documents:
        return ""
    return str(read_dead_letters(world)[-1]["reason"])


def test_the_console_speaks_for_an_operator() -> None:
    """The command is done in the operator's name, by the operator's role, and on record so."""
    world = World()

    assert answer(world, sign(world, said(world))) == ""

    record = world.documents["commands/by-hand"]
    told = world.documents["systems/bookshop/audit/command:by-hand"]
    assert record["actor"] == "grace@example.com"
    assert told["facts"]["right"].startswith("commander, signed in ")
    assert told["facts"]["right"].endswith("with a second factor")
    assert "operator" not in told["facts"]["command"]


def changed(**changes: Any) -> Callable[[World], Content]:
    return lambda world: sign(world, said(world, **changes))


def by_another(world: World) -> Content:
    return sign(world, said(world), email="deploy@bookshop-prod.iam.gserviceaccount.com")


def by_a_person(world: World) -> Content:
    return {**said(world), "token": world.ports.sign_in.person(rollback_role="admin")}


def of_other_words(world: World) -> Content:
    signed = sign(world, said(world))
    return {**signed, "operator": {**signed["operator"], "role": "admin"}}


def of_nobody(world: World) -> Content:
    content = said(world)
    del content["operator"]
    return sign(world, content)


def demoted(world: World) -> Content:
    world.ports.sign_in.roles["uid-grace"] = "viewer"
    return changed()(world)


def revoked(world: World) -> Content:
    world.ports.sign_in.valid_since["uid-grace"] = world.now.timestamp()
    return changed()(world)


def disabled(world: World) -> Content:
    world.ports.sign_in.disabled.add("uid-grace")
    return changed()(world)


def long_ago(world: World) -> Content:
    signed_in = world.now - 6 * MINUTE
    return changed(auth_time=signed_in.isoformat())(world)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (changed(role="viewer"), "is viewer; pause needs responder"),
        (changed(role="root"), "operator.role: "),
        (changed(second_factor=False), "signed in without a second factor"),
        (long_ago, "signed in more than 5m ago: sign in again"),
        (demoted, "is viewer; pause needs responder"),
        (revoked, "sign-in was revoked"),
        (disabled, "the user is disabled"),
        (by_another, "only the console does"),
        (by_a_person, "only the console does"),
        (of_other_words, "the token's audience is not the hash of this command"),
        (of_nobody, "is not allow-listed for bookshop"),
    ],
)
def test_a_word_that_the_console_may_not_say(content: Callable[[World], Content], reason: str) -> None:
    """Role, second factor and sign-in are judged again, as they are now, and so is who speaks."""
    world = World()

    assert reason in answer(world, content(world))


def test_without_a_console_nobody_speaks_for_operators() -> None:
    """Where no account is named, no account's word is an operator's."""
    world = World()
    content = sign(world, said(world))
    world.ports.console = ""
    world.start_instances()

    assert "only the console does" in answer(world, content)
