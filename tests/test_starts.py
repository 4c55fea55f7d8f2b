"""What is known of a start of the revisions that one would go back to, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from shared import starts
from shared.deployment import Deployment, Placement, Restorability, Status
from shared.documents import decode, encode
from shared.errors import Unavailable
from shared.shortened import NAMES
from tests.deployed import MINUTE, hint, recorded
from tests.fakes.clock import START
from tests.world import BOOKSHOP, FakePorts, World

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)


PAY = {"pay": {"pay-1": 100}}
BOTH = {"pay": {"pay-1": 50, "pay-2": 50}}


def deployment(
    started: Mapping[str, datetime] | None,
    served: Mapping[str, dict[str, int]],
    unknown: tuple[str, ...] = (),
) -> Deployment:
    """One of these revisions by function, proven at START; None: nobody has looked."""
    return Deployment(
        "v1",
        "bookshop",
        START,
        Status.STABLE,
        {name: Placement(f"services/{name}", (), shares) for name, shares in served.items()},
        restorable=None if started is None else Restorability(START, (), unknown, (), {**started}),
    )


@pytest.mark.parametrize(
    ("started", "last"),
    [
        ({"pay-1": START}, "seen"),
        ({"pay-1": START - DAY + MOMENT}, "seen"),
        ({"pay-1": START - DAY}, START - DAY),
        ({"pay-1": START - 9 * DAY}, START - 9 * DAY),
        ({"pay-2": START}, None),
        ({}, None),
        (None, "seen"),  # nobody has looked: nothing is known
    ],
)
def test_a_function_that_was_not_seen_to_start(
    started: dict[str, datetime] | None, last: datetime | str | None
) -> None:
    """A day is the limit, and what was never seen to start says so."""
    found = starts.not_seen_to_start(deployment(started, PAY))

    assert found == ({} if last == "seen" else {"pay": last})


@pytest.mark.parametrize(
    ("started", "found"),
    [
        ({"pay-1": START, "pay-2": START}, {}),
        ({"pay-1": START, "pay-2": START - 2 * DAY}, {"pay": START - 2 * DAY}),
        ({"pay-1": START - 3 * DAY, "pay-2": START - 2 * DAY}, {"pay": START - 3 * DAY}),
        ({"pay-1": START}, {"pay": None}),
        ({"pay-2": START - 3 * DAY}, {"pay": None}),
    ],
)
def test_each_revision_that_served_is_to_start(
    started: dict[str, datetime], found: dict[str, datetime | None]
) -> None:
    """Of two that share the traffic the one that was seen longer ago speaks."""
    assert starts.not_seen_to_start(deployment(started, BOTH)) == found


def test_what_nobody_could_look_for_is_unknown() -> None:
    """Silence of Cloud Monitoring is no word about a function."""
    one = deployment({}, PAY, (starts.STARTS,))

    assert starts.not_seen_to_start(one) == {}
    assert "not known" in starts.warning(one, {"pay"})
    assert starts.warning(one, {"of the 1st generation"}) == ""


def test_a_proof_of_before_starts_were_looked_for() -> None:
    """A document without them is read, and nothing is said of what nobody has looked for."""
    fields = encode(deployment({}, PAY))
    del fields["restorable"]["started"]

    one = decode(Deployment, fields)

    assert starts.not_seen_to_start(one) == {}
    assert starts.warning(one, {"pay"}) == ""
    assert starts.kept(one, {"pay-1": START}) == {"pay-1": START}


def test_what_is_said_before_functions_are_led_back() -> None:
    """Those that are led back, each with when it was last seen to start; of many the first."""
    served = {f"f{n}": {f"f{n}-1": 100} for n in range(NAMES + 3)}
    one = deployment({"f1-1": START - 2 * DAY, "f2-1": START}, served)

    assert starts.warning(one, {"f0", "f1", "f2"}) == (
        "not seen to start in the day before 2026-03-02 12:00 UTC: "
        "f0 (never), f1 (last 2026-02-28 12:00 UTC)"
    )
    assert starts.warning(one, {"f2"}) == ""
    assert starts.warning(one, served.keys()).endswith(" and 2 more")
    assert starts.warning(deployment(None, served), served.keys()) == ""


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        ({"pay-1": START}, {"pay-1": START}),
        ({}, {"pay-1": START - DAY}),
        (None, {"pay-1": START - DAY}),
        ({"pay-2": START}, {"pay-1": START - DAY}),  # that one never served in it
    ],
)
def test_what_is_kept_from_proof_to_proof(
    seen: dict[str, datetime] | None, kept: dict[str, datetime]
) -> None:
    """The newest word of each revision that served, be it of long ago."""
    one = deployment({"pay-1": START - DAY}, PAY)

    assert starts.kept(one, seen) == kept


def test_a_thousand_functions_fit_into_a_document() -> None:
    """What is kept of their starts is a small part of the 1 MiB that Firestore takes."""
    served = {f"function{n:04d}": {f"function{n:04d}-00041-abc": 100} for n in range(1000)}
    seen = {f"function{n:04d}-{m:05d}-abc": START for n in range(1000) for m in range(41, 44)}
    one = deployment({}, served)

    kept = starts.kept(one, seen)

    assert len(kept) == 1000
    assert len(json.dumps(kept, default=str)) < 70_000
    assert encode(Restorability(START, started=kept))["started"] == kept


def world_without_requests_for(function: str) -> World:
    """Nobody asks for that function, nor ever has."""
    ports = FakePorts(BOOKSHOP)
    ports.counts.rates[function] = 0.0
    return World(ports=ports)


def lines_of(world: World) -> tuple[str, ...]:
    """What the only plan says."""
    (one,) = world.rollbacks()
    assert one.plan is not None
    return one.plan.reported


def gate_of(world: World) -> str:
    """What the gate that asks for the way back has answered."""
    (one,) = world.rollbacks()
    (reason,) = [gate["reason"] for gate in one.gates if gate["gate"] == "restorable"]
    return str(reason)


def led_back(world: World) -> None:
    """A bad release of two functions, and a person who takes it back."""
    world.ports.world.deploy(["getBook", "payOrder"], failure_rate=0.8)
    hint(world)
    world.pass_time(MINUTE)
    world.command(command="rollback", system="bookshop")
    world.pass_time(2 * MINUTE)


def test_one_function_of_the_target_was_never_asked_for() -> None:
    """It is named by the proof, the gate and the plan, and goes back all the same."""
    world = world_without_requests_for("payOrder")

    led_back(world)

    target = recorded(world)["v1"]
    assert starts.not_seen_to_start(target) == {"payOrder": None}
    assert target.restorable is not None
    assert target.restorable.faults == ()
    assert [line for line in lines_of(world) if line.endswith(": payOrder (never)")] != []
    assert gate_of(world).endswith(": payOrder (never)")
    assert world.live["payOrder"] == {"payorder-00001": 100}


def test_a_target_whose_functions_are_asked_for_all_the_time() -> None:
    """Nothing is said: each of them was seen to start."""
    world = World()

    led_back(world)

    assert starts.not_seen_to_start(recorded(world)["v1"]) == {}
    assert not any("start" in line for line in lines_of(world))
    assert gate_of(world) == "2 functions"


def test_a_target_that_was_left_keeps_when_it_was_last_seen_to_start() -> None:
    """For a day it is as good as seen; then it is said how long ago that is."""
    world = World()
    world.ports.world.deploy(["getBook"])
    hint(world)
    left_at = world.ports.clock.now()
    world.pass_time(MINUTE)
    seen = recorded(world)["v1"].restorable
    assert seen is not None
    assert seen.started is not None
    assert seen.checked_at >= left_at  # proven anew, because something was deployed
    assert starts.not_seen_to_start(recorded(world)["v1"]) == {}

    for _ in range(2):
        world.ports.clock.advance(DAY)
        world.pass_time(MINUTE)

    target = recorded(world)["v1"]
    assert starts.not_seen_to_start(target) == {"getBook": seen.started["getbook-00001"]}
    assert left_at - DAY < seen.started["getbook-00001"] < left_at + timedelta(hours=1)


def test_no_answer_about_starts_holds_nothing_up() -> None:
    """It is said that it is not known; what was seen before stays kept, and nobody is woken."""
    world = World()
    world.ports.clock.advance(DAY)
    world.pass_time(MINUTE)
    before = recorded(world)["v1"].restorable

    def mute(verb: str, side: str) -> None:
        if verb == "metrics.started":
            raise Unavailable("no answer")

    world.ports.counts.hook = mute
    world.ports.clock.advance(DAY)
    world.pass_time(MINUTE)
    led_back(world)

    proof = recorded(world)["v1"].restorable
    assert proof is not None
    assert before is not None
    assert (proof.faults, proof.unknown) == ((), ("starts", "images"))
    assert proof.started == before.started != {}
    assert "whether they start is not known: Cloud Monitoring gave no answer" in lines_of(world)
    assert "Cloud Monitoring gave no answer" in gate_of(world)
    assert not [one for one in world.ports.sender.sent if ":restorable" in one.key]
    assert world.live["payOrder"] == {"payorder-00001": 100}
