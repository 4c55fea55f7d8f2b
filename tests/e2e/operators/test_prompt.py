"""What the pages say to the responders at a prompt, signed, in an incident that has a question."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from shared.core import topics
from shared.domain.commands.command import Command, parse_command
from shared.domain.rollback.plan import StepStatus
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, Rollback, RollbackStatus
from shared.engine.steps.functions.shift_traffic import KIND as SHIFT
from shared.state.audit_reader import AuditReader
from tests.e2e.conftest import WorldMaker
from tests.e2e.support.world import PATIENT, SCALE, World, pass_time, until
from tests.support.cli import operator
from tests.support.cli.documented_commands import ASKED, SAID_AS_WELL, SHORT_TEXT, SIGNED, verb_of_line
from tests.support.cli.documented_commands import CVPLUS as POLICY

UNTOLD = re.sub(r"\n    signal: \w+", "", SHORT_TEXT)
"""The policy without signals of our own probes."""
SIGNED_IN_FOR = timedelta(minutes=4)
"""Commands are taken of whoever has signed in in the last ten."""
FOLLOWED = ("run", "retry", "undo", "unpin")
"""Verbs whose lines would wait for the end of what they begin."""
DAY_OF_THE_EXAMPLE = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""The pages speak of INC-20260302-001."""


def newest(world: World) -> Rollback:
    return world.evidence.rollbacks()[-1]


def ask(world: World) -> None:
    """A bad release beyond a barrier: an order to go back waits for a person."""
    said = {"version": 1, "system": "cvplus"}
    for name in ("deploy_20250821_120000", "deploy_20250821_143022"):
        world.publish(topics.DEPLOYMENTS, {**said, "deployment": name, "stable": True})
        until("the target", partial(world.evidence.deployment, name))
    world.deploy_bad()
    world.publish(topics.DEPLOYMENTS, {**said, "deployment": "v2", "barrier": "payments migrated"})
    until("the barrier", lambda: world.evidence.deployment("v2"))
    world.command(command="rollback", system="cvplus")
    until("the order", world.evidence.rollbacks)
    until("the question", lambda: newest(world).status is RollbackStatus.PARKED)


def has_shifted(world: World, rollback: Rollback) -> bool:
    steps = world.evidence.steps(rollback.id)
    return any(step.kind == SHIFT and step.status is StepStatus.DONE for step in steps)


def make_way(world: World) -> None:
    """No rollback is under way that the next line would join or be refused for.

    One that nobody is asked about shifts something first: it is to be unpinned in the end.
    """
    waits = (RollbackStatus.PARKED, *ENDED_ROLLBACK_STATUSES)
    until("its shift", lambda: newest(world).status in waits or has_shifted(world, newest(world)))
    system = world.evidence.system()
    if system is not None and system.incident_ended_at is None and newest(world).incident == system.incident:
        if newest(world).status in ENDED_ROLLBACK_STATUSES:
            world.command(command="accept", system="cvplus", incident=system.incident)
            until("its acceptance", lambda: (one := world.evidence.system()) and one.incident_ended_at)
        else:
            world.end_incident(system.incident)


def in_order(world: World) -> Iterator[str]:
    """The verbs of the pages, each when its time has come in a night that needs all of them."""
    yield from ("drill", "promote", "deployments", "restore-points", "notify", "contacts")
    yield from ("check", "regenerate")
    ask(world)
    yield from ("status", "ack", "explain", "backtest", "report", "publish", "root-cause", "approve")
    until("its first shift", lambda: has_shifted(world, newest(world)))
    yield "cancel"
    until("its end", lambda: newest(world).status is RollbackStatus.CANCELLED)
    yield "pins"
    yield "retry"
    until("the question again", lambda: newest(world).status is RollbackStatus.PARKED)
    yield "reject"
    until("its end", lambda: newest(world).status is RollbackStatus.NOT_TAKEN)
    yield "undo"
    until("what was there before", lambda: newest(world).status is RollbackStatus.SUCCEEDED)
    yield "accept"
    yield from ("mark", "hold", "release", "mark-bad", "mark-barrier", "mark-stable")
    yield from ("pause", "resume", "freeze", "unfreeze", "watch", "run", "unplan")
    until(
        "a shift of one of them", lambda: any(has_shifted(world, one) for one in world.evidence.rollbacks())
    )
    make_way(world)
    yield from ("unpin", "revoke-sessions", "breach")
    world.wiring.system("cvplus").documents.collections("(default)", None)  # there since now, at least
    pass_time(world, timedelta(hours=2))
    yield "copy"


def said_in(world: World) -> list[Command]:
    """What each command that was carried out has asked for, but by whom and under which id."""
    trail = AuditReader(world.wiring.store, None)
    told = [one for name in ("cvplus", "all") for one in trail.system_lines(name)]
    commands = [one.facts["command"] for one in told if one.event.startswith("command.")]
    return [asked({"version": 1, **one}) for one in commands]


def asked(content: Mapping[str, Any]) -> Command:
    """What a command's content asks for, whether it says what goes without saying or not.

    The prompt names the plan that it has shown, which no page knows.
    """
    command = parse_command(json.dumps(content).encode(), "any", {POLICY.system: POLICY})
    return replace(command, id="", actor="", plan="")


@pytest.mark.slice
def test_each_line_is_understood_and_carried_out(new_world: WorldMaker) -> None:
    """By a person who has just signed in, but for the day when none can; each question gets a yes.

    And what each message asks for, the line at the prompt beside it has asked for as well.
    """
    world = new_world(DAY_OF_THE_EXAMPLE, UNTOLD)
    said = []
    signed_in_at = datetime.min.replace(tzinfo=UTC)
    for verb in in_order(world):
        for line in [one for one in ASKED if verb_of_line(one) == verb]:
            if world.cloud.clock.now() - signed_in_at > SIGNED_IN_FOR:
                operator.sign_in_at_prompt(world.cloud)
                signed_in_at = world.cloud.clock.now()
            if verb == "run" and "--dry-run" not in line and "--at" not in line:
                make_way(world)
            world.cloud.clock.rescale(PATIENT)
            more = ["--no-follow"] if verb in FOLLOWED else []
            done = operator.run_cli_line(*shlex.split(line)[1:], *more, typed="y\n")
            world.cloud.clock.rescale(SCALE)
            assert done.exit_code == 0, (line, done.output)
            said.append(line)

    assert sorted(said) == sorted(ASKED)
    assert world.evidence.dead_letters() == []
    messages = [json.loads(signed[1]) for line in SAID_AS_WELL if (signed := SIGNED.search(line))]
    carried_out = said_in(world)
    sent = [one for one in messages if not one.get("dry_run") and one.get("scenario") != "database"]
    unsaid = [one for one in sent if asked(one) not in carried_out]  # no document is damaged here
    assert unsaid == []
