"""What a worker stores of each decision of automation, in the commit of the decision."""

from datetime import timedelta
from itertools import pairwise

import pytest

from shared.core.codec import encode
from shared.core.errors import Unavailable
from shared.domain.decision.decision_snapshot import MAX_SNAPSHOTS, DecisionSnapshot, unpack_facts
from shared.domain.decision.gate_evaluation import evaluate_incident
from shared.domain.decision.gates.base import Outcome
from shared.domain.rollback.rollback import RollbackStatus
from shared.state.reader import StateReader
from tests.support.fakes.runtime.hooks import raise_error
from tests.support.rollbacks.approvals import build_world_awaiting_approval, publish_command
from tests.support.runtime.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
CATALOGUE = BOOKSHOP.groups["catalogue"].functions


def read_snapshots(world: World) -> list[DecisionSnapshot]:
    """The stored decisions about the newest incident."""
    return StateReader(world.store).snapshots(world.newest_incident)


def test_a_rollback_stores_the_decision_that_it_begins_with() -> None:
    """The stored facts give the outcome, the scope and every answer that the audit log has."""
    world = World()
    world.deploy_bad()

    world.alert()
    world.settle()

    [stored] = read_snapshots(world)
    rollback = world.rollback
    again = evaluate_incident(
        unpack_facts(stored.facts), world.policy, stored.deadline, stored.at, rollback.id, asked=stored.asked
    )
    assert (again.outcome, len(again.scope)) == (stored.outcome, stored.functions) == (Outcome.ROLLBACK, 8)
    assert [encode(answer) for answer in again.answers] == [*rollback.gates]
    assert stored.answers == again.answers
    assert stored.expires_at == rollback.expires_at


def test_a_question_is_stored_as_automation_asked_it() -> None:
    """An approval changes what is done, and not what automation decided."""
    world = build_world_awaiting_approval()

    publish_command(world, "approve")
    world.pass_time(MINUTE)

    assert world.rollback.started_at is not None
    assert {one.outcome for one in read_snapshots(world)} == {Outcome.ASK}


def test_a_hold_is_stored_once_and_its_end_too() -> None:
    """A decision that holds for the same reason each half minute is one stored decision."""
    world = World()
    world.deploy_bad(CATALOGUE[1:])  # no probe asks these
    world.ports.counts.hook = raise_error("metrics.requests", Unavailable("no answer"))
    world.alert()
    world.pass_time(10 * MINUTE)

    rollback = world.rollback
    stored = read_snapshots(world)
    assert all(one.answers != two.answers for one, two in pairwise(stored[:-1]))
    assert [stored[0].outcome, stored[-1].outcome] == [Outcome.HOLD, Outcome.ESCALATE]
    assert rollback.decisions == len(stored) < world.events(rollback).count("decision.held")


def test_a_question_that_is_decided_often_keeps_a_handful() -> None:
    """The first decisions stay, and the newest replaces the last one."""
    world = build_world_awaiting_approval()
    first, *_ = read_snapshots(world)

    world.pass_time(50 * MINUTE)

    stored = read_snapshots(world)
    assert len(stored) == MAX_SNAPSHOTS
    assert stored[0] == first
    assert stored[-1].at >= stored[-2].at + 10 * MINUTE  # one between them was replaced


def test_an_order_is_no_decision_of_automation() -> None:
    """What a person orders is not evaluated again."""
    world = World()
    world.deploy_bad()

    world.carry_out("rollback")

    assert world.rollback.status is not RollbackStatus.DECIDING
    assert read_snapshots(world) == []


@pytest.mark.parametrize("verb", ["hold", "release"])
def test_a_legal_hold_covers_the_decisions(verb: str) -> None:
    """They expire with their rollback, and are held with it."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(60 * MINUTE)

    publish_command(world, "hold")
    world.pass_time(MINUTE)
    if verb == "release":
        publish_command(world, "release")
        world.pass_time(MINUTE)

    rollback = world.rollback
    assert [one.expires_at for one in read_snapshots(world)] == [rollback.expires_at]
    assert (rollback.expires_at is None) is (verb == "hold")
