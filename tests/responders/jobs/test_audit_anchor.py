"""Heads of audit chains leave the database, and nothing waits for that."""

import json
from datetime import timedelta

import pytest

from responders.jobs.audit_anchor import MAX_PARALLEL_WRITES, write_anchors
from responders.triggers.clock import ClockTrigger
from shared.core.codec import encode
from shared.core.errors import Ambiguous, Rejected, RollbackError, Unavailable
from shared.core.store import Create, Query
from shared.domain.audit.anchor import (
    PENDING_ANCHORS,
    Anchor,
    PendingAnchor,
    anchor_with_expiry,
    chain_anchor_prefix,
    encode_anchor,
    parse_anchor_name,
)
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.fakes.runtime.hooks import no_hook, raise_error
from tests.support.runtime.world import World


def waiting(world: World) -> list[str]:
    query = Query(PENDING_ANCHORS, (("waiting", "==", True),))
    return [one.path for one in world.store.query(query)]


def anchored(world: World, chain: str) -> list[tuple[int, str]]:
    found = map(parse_anchor_name, world.ports.anchors.names(chain_anchor_prefix(chain)))
    return [(one.sequence, one.hash) for one in found if one is not None]


def rolled_back(world: World) -> str:
    """The chain of a rollback that has come to its end."""
    world.deploy_bad()
    world.alert()
    world.pass_time(timedelta(minutes=45))
    rollback = world.rollback
    assert rollback.status is RollbackStatus.SUCCEEDED
    return f"rollbacks/{rollback.id}"


def test_every_claim_phase_and_end_is_anchored() -> None:
    """Each of them is an object whose name is number and hash of its entry."""
    world = World()
    chain = rolled_back(world)

    rollback = world.rollback
    turning = {
        (entry.sequence, entry.hash)
        for entry in world.trail(rollback)
        for event in entry.events
        if event.name == "rollback.claimed" or "status" in event.facts.get("changes", {})
    }
    assert set(anchored(world, chain)) == turning
    assert (rollback.sequence, rollback.audit_head) in turning
    assert waiting(world) == []


def test_the_trail_tells_each_phase_with_the_one_before() -> None:
    """From decided to succeeded, without a gap: before and after of each change."""
    world = World()
    rolled_back(world)

    rollback = world.rollback
    changes = [
        event.facts["changes"]["status"]
        for entry in world.trail(rollback)
        for event in entry.events
        if "status" in event.facts.get("changes", {})
    ]
    assert changes[0][0] == "DECIDING"
    assert changes[-1][1] == "SUCCEEDED"
    assert [after for _, after in changes[:-1]] == [before for before, _ in changes[1:]]


def test_every_seal_is_anchored() -> None:
    """Heads of the systems' chains go the same way."""
    world = World()
    world.publish("rollback-alerts", b"nonsense")

    world.pass_time(timedelta(minutes=16))

    [seal] = world.store.query(Query("systems/unclaimed/seals"))
    assert seal.fields is not None
    assert anchored(world, "systems/unclaimed") == [(1, seal.fields["hash"])]


@pytest.mark.parametrize("failure", [Unavailable("down"), Rejected("403"), Ambiguous("lost")])
def test_a_bucket_that_takes_nothing_delays_no_step(
    failure: RollbackError, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rollback ends in its time, it is told, and what is missing is written later."""
    world = World()
    world.ports.anchors.hook = raise_error("objects.create", failure)
    chain = rolled_back(world)

    assert anchored(world, chain) == []
    assert world.find_violated_invariants() == []
    assert len(waiting(world)) > 3
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {"ERROR"} == {
        one["severity"] for one in said if one["message"].startswith("heads are not anchored")
    }

    world.ports.anchors.hook = no_hook
    world.pass_time(timedelta(minutes=1))

    assert len(anchored(world, chain)) > 3
    assert waiting(world) == []


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_sweep_that_dies_at_any_point(side: str) -> None:
    """Between the object and the note of it nothing is lost, and nothing is written twice."""

    class Died(BaseException):
        pass

    for point in ("objects.create", "store.commit"):
        world = World()
        world.ports.anchors.hook = no_hook
        chain = f"rollbacks/{opened(world)}"
        before = waiting(world)
        assert before != []

        def die(verb: str, at: str, point: str = point) -> None:
            if (verb, at) == (point, side):
                raise Died

        world.ports.anchors.hook = world.store.hook = die
        with pytest.raises(Died):
            write_anchors(world.ports)
        world.ports.anchors.hook = world.store.hook = no_hook
        write_anchors(world.ports)

        assert waiting(world) == []
        assert len(anchored(world, chain)) == len(before)


def opened(world: World) -> str:
    """A rollback that was claimed, and whose head no sweep has anchored yet."""
    world.deploy_bad()
    world.alert()
    world.settle()
    rollback = world.rollback
    return rollback.id


def test_more_than_one_sweep_can_take() -> None:
    """A sweep takes a bounded part; the next ones take the rest."""
    world = World()
    for number in range(MAX_PARALLEL_WRITES + 5):
        asked = Anchor("systems/x", number, f"{number:064x}")
        world.store.commit([_asked(asked)])

    write_anchors(world.ports)
    assert len(waiting(world)) == 5
    write_anchors(world.ports)
    assert waiting(world) == []


def _asked(one: Anchor) -> Create:
    return Create(f"{PENDING_ANCHORS}/{one.sequence}", encode(PendingAnchor(one.name, one)))


def test_a_slow_bucket_does_not_hold_up_the_next_sweep() -> None:
    """After ten seconds no further one is begun."""
    world = World()
    for number in range(20):
        world.store.commit([_asked(Anchor("systems/x", number, f"{number:064x}"))])
    clock = world.ports.clock
    world.ports.anchors.hook = lambda *_: clock.sleep(1.5)
    started = clock.monotonic()

    write_anchors(world.ports)

    assert clock.monotonic() - started < 15
    assert len(world.ports.anchors.kept) == 4


def test_without_a_bucket(capsys: pytest.CaptureFixture[str]) -> None:
    """It is said when the clock's instance starts, and what waits goes on waiting."""
    world = World()
    opened(world)
    world.ports.anchors = None  # type: ignore[assignment]
    capsys.readouterr()
    ClockTrigger(world.ports, {})
    write_anchors(world.ports)

    said = json.loads(capsys.readouterr().err)
    assert said["severity"] == "WARNING"
    assert "ROLLBACK_AUDIT_BUCKET" in said["message"]
    assert waiting(world) != []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "heads/",
        "heads/rollbacks/INC-1/1-ab",
        f"heads/rollbacks/INC-1/000001-{'g' * 64}",
        f"heads/rollbacks/INC-1/x/000001-{'a' * 64}",
        f"other/rollbacks/INC-1/000001-{'a' * 64}",
    ],
)
def test_names_of_something_else(name: str) -> None:
    """What else lies in the bucket is no anchor."""
    assert parse_anchor_name(name) is None


def test_a_name_tells_its_anchor() -> None:
    """Chain, number and hash, past a million entries too."""
    for number in (1, 999_999, 1_000_000):
        one = Anchor("rollbacks/INC-20260302-001-r2", number, "a" * 64)
        assert parse_anchor_name(one.name) == one
        assert anchor_with_expiry(one, encode_anchor(one)) == one
        assert anchor_with_expiry(one, b"\xff") == one
