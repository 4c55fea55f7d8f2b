"""Freeze windows, and who may act within them."""

from datetime import timedelta

import pytest

from shared.core.store import Document
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.system_record import GLOBAL_CONTROLS_PATH
from tests.support.runtime.switches import (
    HOUR,
    MINUTE,
    SYSTEM,
    build_frozen_escalation,
    iso_time_after,
    notice_lines,
    publish_after_second_shift,
    publish_command,
)
from tests.support.runtime.world import World


@pytest.mark.parametrize("where", [{"system": "bookshop"}, {}])
def test_a_freeze_leaves_everything_to_people(where: dict[str, str]) -> None:
    """In its window automation escalates with the prepared command; after it, it acts again."""
    world = World()
    stable = world.live
    publish_command(
        world,
        "freeze",
        **{"from": iso_time_after(world, 5 * MINUTE), "until": iso_time_after(world, HOUR)},
        **where,
    )
    world.deploy_bad()
    bad = world.live

    world.alert()
    world.pass_time(10 * MINUTE)
    assert world.live == bad
    assert '"command":"rollback"' in notice_lines(world, "rollback.escalated")[0]
    world.pass_time(HOUR)
    world.alert("0.later")
    world.pass_time(HOUR)

    assert world.live == stable


def test_a_freeze_that_is_said_in_another_time_zone_is_told_in_ours() -> None:
    """Everything that is read of it says UTC."""
    world = World()

    publish_command(world, "freeze", until="2026-03-02T20:00:00+05:00")

    [record] = [
        one
        for path, one in world.documents.items()
        if path.startswith("commands/") and one["command"] == "freeze"
    ]
    assert record["result"] == "frozen from 2026-03-02 12:00 to 2026-03-02 15:00 UTC"


@pytest.mark.parametrize(
    ("verb", "content"),
    [("freeze", {"until": "9999-12-31T23:59:59-14:00"}), ("pause", {"expires": "9999-12-31T23:59:59-14:00"})],
)
def test_a_time_that_utc_does_not_have(verb: str, content: dict[str, str]) -> None:
    """It is refused with a word, and not by a crash that comes again."""
    world = World()

    assert publish_command(world, verb, **content) == "9999-12-31T23:59:59-14:00 is no time in UTC"


def test_an_order_waits_for_the_end_of_a_freeze() -> None:
    """Only an override does not."""
    world = World()
    stable = world.live
    world.deploy_bad()
    publish_command(world, "freeze", until=iso_time_after(world, 2 * MINUTE))

    publish_command(world, "rollback", system="bookshop")
    world.settle()
    assert world.rollback.status is RollbackStatus.DECIDING
    world.pass_time(HOUR)

    assert world.live == stable


def test_a_freeze_in_the_middle_stops_before_the_next_effect() -> None:
    """It is asked before every effect, as the kill switch is; unfreeze lets it go on."""
    world = World()
    stable = world.live
    world.deploy_bad()
    publish_after_second_shift(world, "freeze", until=iso_time_after(world, 5 * HOUR))
    world.alert()
    world.pass_time(10 * MINUTE)
    shifts = len(world.platform.applied_shifts)
    assert shifts < 8

    publish_command(world, "unfreeze")
    world.pass_time(HOUR)

    assert world.live == stable
    assert {"rollback.frozen", "rollback.unfrozen"} <= set(world.events(world.rollback))
    assert world.find_violated_invariants() == []


@pytest.mark.parametrize("latency", [0, 60])
def test_while_all_is_on_its_way_nobody_asks_the_switches(
    latency: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing could be stopped: a pause then is found before the next effect, as any other."""
    world = World()
    world.platform.operation_latency = timedelta(seconds=latency)
    asked: list[float] = []
    honest = world.store.get

    def get(path: str) -> Document:
        if path == GLOBAL_CONTROLS_PATH:
            asked.append(world.ports.clock.monotonic())
        return honest(path)

    monkeypatch.setattr(world.store, "get", get)
    world.deploy_bad(["payOrder"])
    world.carry_out("rollback", functions=["payOrder"])

    assert len(world.platform.applied_shifts) == 1
    assert 0 < len(asked) <= 12


def test_an_override_ignores_the_freeze_and_is_told_on_every_channel() -> None:
    """An override works, and every channel is notified of it."""
    world = build_frozen_escalation()
    trouble = world.newest_incident.id

    publish_command(
        world,
        "rollback",
        system="bookshop",
        override=True,
        supersede=True,
        incident=trouble,
        severity="LOW",
        actor="alice",
        reason="all is down",
    )
    world.pass_time(HOUR)

    rollback = world.newest_rollback
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert rollback.order is not None
    assert (rollback.order.override, rollback.order.incident) == (True, trouble)
    told = [sent for sent in world.sent_notices if ":rollback.override:" in sent.key]
    assert {sent.key.rpartition(":")[2] for sent in told} == {
        channel.name for channel in world.policy.channels
    }
    assert "all is down" in told[0].notice["text"]
    assert world.find_violated_invariants() == []


def test_an_override_leaves_what_its_review_needs() -> None:
    """Who, by what right, for which incident, what was skipped: kept, and in the trail."""
    world = build_frozen_escalation()
    trouble = world.newest_incident.id
    order = {"override": True, "supersede": True, "incident": trouble, "id": "glass"}
    publish_command(world, "rollback", system="bookshop", **order, actor="alice", reason="all is down")
    world.pass_time(HOUR)

    forced = world.newest_rollback
    [override] = forced.overrides
    assert (override.actor, override.reason, override.command) == ("alice", "all is down", "glass")
    assert override.incident == trouble
    assert override.right.startswith("admin, signed in ")
    assert override.right.endswith("with a second factor")
    assert [gate["gate"] for gate in override.skipped] == ["freeze"]
    events = {event.name: event.facts for entry in world.trail(forced) for event in entry.events}
    assert events["rollback.ordered"]["right"] == override.right
    assert events["rollback.decided"]["overridden"] == list(override.skipped)


def test_an_order_without_override_leaves_no_review() -> None:
    """The list has emergency overrides alone."""
    world = World()
    world.deploy_bad()

    publish_command(world, "rollback", system="bookshop")
    world.pass_time(HOUR)

    assert world.newest_rollback.overrides == ()


def test_an_override_stops_at_the_kill_switch() -> None:
    """Nothing is above it."""
    world = build_frozen_escalation()
    bad = world.live
    publish_command(world, "pause")

    order = {"override": True, "supersede": True, "incident": world.newest_incident.id}
    publish_command(world, "rollback", system="bookshop", **order)
    world.pass_time(HOUR)

    assert world.live == bad


def test_an_unfreeze_that_comes_late_lifts_nothing_that_was_said_after_it() -> None:
    """Switches commute: the newest word stands, in whichever order they arrive."""
    world = World()
    said_at = world.now
    world.advance_clock(MINUTE)
    publish_command(world, "freeze", until=iso_time_after(world, HOUR))
    world.command(command="unfreeze")
    late = world.take_newest()

    world.deliver(late, published_at=said_at)
    assert len(world.documents[GLOBAL_CONTROLS_PATH]["freezes"]) == 1
    world.advance_clock(MINUTE)
    publish_command(world, "unfreeze")
    world.command(command="freeze", until=iso_time_after(world, HOUR))
    late = world.take_newest()
    world.deliver(late, published_at=said_at)

    assert world.documents[GLOBAL_CONTROLS_PATH]["freezes"] == []


def test_windows_that_are_over_are_dropped_and_there_is_a_limit() -> None:
    """The document stays small."""
    world = World()
    publish_command(world, "freeze", system="bookshop", until=iso_time_after(world, MINUTE))
    world.advance_clock(2 * MINUTE)
    for _ in range(51):
        refused = publish_command(world, "freeze", system="bookshop", until=iso_time_after(world, HOUR))

    assert len(world.documents[SYSTEM]["freezes"]) == 50
    assert "50 freeze windows" in refused
