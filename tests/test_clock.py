from __future__ import annotations

import json
from datetime import timedelta

import pytest

from shared import topics
from shared.audit import Entry, event
from shared.audit import faults as chain_faults
from shared.documents import decode
from shared.outside import Head, faults, write_down
from shared.ports import Query
from tests.world import World


def tick(world: World) -> None:
    world.publish(topics.CLOCK, b"{}")
    [published] = [one for one in world.waiting() if one.topic == topics.CLOCK]
    world.ports.bus.messages.remove(published)
    assert world.deliver(published)


def test_one_tick_sweeps_twice_half_a_minute_apart() -> None:
    """What falls due between two minutes waits half a minute at most."""
    world = World()
    world.ports.clock.advance(timedelta(seconds=7))
    start = world.ports.clock.now()

    tick(world)

    ticks = [path for path in world.ports.store.documents if path.startswith("ticks/")]
    assert len(ticks) == 2
    assert world.ports.clock.now() - start < timedelta(seconds=30)


def test_the_second_schedulers_tick_sweeps_nothing_again() -> None:
    """Two jobs in two regions tick each minute; one sweep is enough."""
    world = World()
    tick(world)
    commits = world.ports.store.commits
    world.ports.clock.jump(-timedelta(seconds=25))

    tick(world)

    assert world.ports.store.commits == commits


def test_a_due_rollback_and_a_due_notice_are_handed_on() -> None:
    """Whatever was dropped on the way is found by its due_at."""
    world = World()
    world.alert()
    [published] = world.waiting()
    world.ports.bus.messages.clear()
    world.deliver(published)
    world.ports.bus.messages.clear()

    tick(world)

    assert {one.topic for one in world.waiting()} == {topics.WORK, topics.NOTICES}


@pytest.mark.parametrize(("minutes", "told"), [(1, []), (3, ["notice", "rollback"])])
def test_work_that_nobody_does_is_told_of(
    minutes: int, told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The log has a line with the age of the oldest due work once that is more than two minutes."""
    world = World()
    world.alert()
    [published] = world.waiting()
    world.ports.bus.messages.clear()
    world.deliver(published)
    world.ports.clock.advance(timedelta(minutes=minutes))
    capsys.readouterr()

    tick(world)

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert sorted({line["kind"] for line in lines}) == told
    assert all(line["event"] == "work.overdue" for line in lines)
    assert all(120 < line["overdue_seconds"] <= 240 for line in lines)


def test_loose_events_are_sealed_into_their_systems_chain() -> None:
    """Events outside a rollback are chained each quarter of an hour."""
    world = World()
    for number in range(3):
        world.publish(topics.ALERTS, f"nonsense {number}".encode())
    world.settle()

    for _ in range(31):
        tick(world)

    store = world.ports.store
    entries = [decode(Entry, one.fields) for one in store.query(Query("systems/unclaimed/seals"))]
    head = decode(Head, store.get("chains/unclaimed").fields)
    told = [
        one.facts["message"]
        for entry in entries
        for one in entry.events
        if one.name == "message.refused"
    ]
    assert len(told) == 3
    assert chain_faults("systems/unclaimed", entries, head.hash, head.sequence) == []
    loose = Query("systems/unclaimed/audit", where=(("sealed", "==", 0),))
    assert store.query(loose) == []


def test_an_event_changed_or_removed_after_it_was_sealed_is_found() -> None:
    """The seal holds the events: what was kept singly must agree with it."""
    world = World()
    at = world.ports.clock.now()
    kept = event("command.pause", at, "somebody", reason="real")
    world.ports.store.commit([write_down("all", "command:1", kept)])
    for _ in range(31):
        tick(world)
    entries = [
        decode(Entry, one.fields) for one in world.ports.store.query(Query("systems/all/seals"))
    ]

    changed = event("command.pause", at, "somebody", reason="forged")

    assert faults(entries, [(kept, 1)]) == []
    assert faults(entries, [(changed, 1)]) != []
    assert faults(entries, []) != []
