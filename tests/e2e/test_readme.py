"""What README says to the responders at a prompt, in an incident that has a question open."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime

from shared import topics
from shared.rollback import Rollback, Status
from tests.e2e.conftest import WorldMaker
from tests.e2e.test_cli import run
from tests.e2e.world import World, until
from tests.test_docs import ASKED, COMMANDED
from tests.world import POLICIES

CVPLUS = re.sub(r"\n    signal: \w+", "", (POLICIES / "cvplus.yaml").read_text())
DAY_OF_THE_EXAMPLE = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""README speaks of INC-20260302-001."""


def newest(world: World) -> Rollback:
    return world.evidence.rollbacks()[-1]


def ask(world: World) -> None:
    """A bad release beyond a barrier: an order to go back waits for a person."""
    said = {"version": 1, "system": "cvplus"}
    world.publish(
        topics.DEPLOYMENTS, {**said, "deployment": "deploy_20250821_120000", "stable": True}
    )
    until("the target", lambda: world.evidence.deployment("deploy_20250821_120000"))
    world.deploy_bad()
    world.publish(topics.DEPLOYMENTS, {**said, "deployment": "v2", "barrier": "payments migrated"})
    until("the barrier", lambda: world.evidence.deployment("v2"))
    world.command(command="rollback", system="cvplus")
    until("the order", world.evidence.rollbacks)
    until("the question", lambda: newest(world).status is Status.PARKED)


def say(verb: str) -> None:
    """Each line of that verb, as it stands."""
    for line in ASKED:
        if shlex.split(line)[3] == verb:
            done = run(*shlex.split(line)[3:])
            assert done.exit_code == 0, (line, done.output)


def test_each_line_is_understood_and_carried_out(new_world: WorldMaker) -> None:
    """In the order in which a night could need them."""
    world = new_world(DAY_OF_THE_EXAMPLE, CVPLUS)
    say("promote")
    ask(world)
    say("approve")
    until("its beginning", lambda: newest(world).status is Status.RUNNING)
    say("cancel")
    until("its end", lambda: newest(world).status is Status.CANCELLED)
    say("retry")
    say("pause")
    say("resume")
    say("run")

    assert {shlex.split(line)[3] for line in ASKED} == set(COMMANDED)
