"""What an application can make again is asked for, at a person's word."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from responders.rollback.derived_data import build_regeneration_batches
from shared.core.errors import Rejected, Unavailable
from shared.domain.policy.data_rules import Collection, Derived
from tests.support.faults.fault_injection import FaultInjectorHook, InjectedFault, tick_clock
from tests.support.runtime.switches import notice_lines, publish_command
from tests.support.runtime.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
DRAWN = Collection(
    derived=(
        Derived("draw-again", ("cover",)),
        Derived("draw-again", ("thumbnail", "cover")),
        Derived("print-again", ("pdf",)),
        Derived("print-again"),
    )
)
SHOP = replace(BOOKSHOP, collections={"books": DRAWN, "orders": Collection()})
COUNTED = ("store.commit", "bus.publish")


def ask(world: World, **content: Any) -> str:
    """Why it was refused to ask for what is made from books; empty: it was not."""
    return publish_command(world, "regenerate", **{"system": "bookshop", "collection": "books", **content})


def heard(world: World) -> list[tuple[str, dict[str, Any]]]:
    """What the application was asked for, by topic, in order."""
    return [(one.topic, json.loads(one.data)) for one in world.ports.theirs.messages]


def test_each_declared_topic_is_asked_once() -> None:
    """With all fields that it makes, or none for whole documents, and told how it ended."""
    world = World(policy=SHOP)

    assert ask(world, id="mine", documents=["books/1"], reason="a test") == ""
    world.pass_time(5 * MINUTE)

    request = {
        "version": 1,
        "id": "mine",
        "system": "bookshop",
        "collection": "books",
        "documents": ["books/1"],
        "reason": "a test",
    }
    assert heard(world) == [
        ("draw-again", {**request, "fields": ["cover", "thumbnail"]}),
        ("print-again", {**request, "fields": []}),
    ]
    told = notice_lines(world, "regenerate")
    assert told == ["bookshop: regeneration from books was requested on draw-again, print-again"]
    event = world.documents["systems/bookshop/audit/regenerate:mine"]
    assert event["facts"] == {"result": told[0].removeprefix("bookshop: ")}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"collection": "book"}, "no derived data of 'book' are declared"),
        ({"collection": "orders"}, "bookshop has books"),
        ({"documents": ["orders/1"]}, "'orders/1' is no document of books"),
        ({"documents": []}, "documents"),
        ({"functions": ["createOrder"]}, "not an option here: functions"),
    ],
)
def test_what_nothing_says_how_to_make_is_refused(content: dict[str, Any], why: str) -> None:
    """With what there is; nobody is asked."""
    world = World(policy=SHOP)

    assert why in ask(world, **content)

    assert heard(world) == []


def test_a_pause_before_anybody_is_asked() -> None:
    """It is looked at before each message; lifted, the rest goes on."""
    world = World(policy=SHOP)
    world.carry_out("pause")
    ask(world)
    world.pass_time(2 * MINUTE)
    assert heard(world) == []

    world.send_command("resume")
    world.pass_time(2 * MINUTE)

    assert [topic for topic, _ in heard(world)] == ["draw-again", "print-again"]


@pytest.mark.parametrize(
    ("error", "hours", "told"),
    [
        (Rejected("403: not permitted"), 0, "draw-again: 403: not permitted"),
        (Unavailable("no answer"), 0, ""),
        (Unavailable("no answer"), 25, "draw-again: given up; print-again: given up"),
    ],
)
def test_a_topic_that_takes_nothing(error: Exception, hours: int, told: str) -> None:
    """A refusal is told beside what was asked for; silence is tried again, for a day."""
    world = World(policy=SHOP)

    def refuse(verb: str, side: str) -> None:
        if (verb, side) == ("bus.publish", "before") and not world.ports.theirs.messages:
            raise error

    world.ports.theirs.hook = refuse
    if isinstance(error, Rejected):
        world.ports.theirs.hook = refusing_once(error)
    ask(world)
    world.pass_time(MINUTE)
    world.advance_clock(timedelta(hours=hours))
    world.pass_time(2 * MINUTE)

    assert [told in one for one in notice_lines(world, "regenerate")] == [True] * bool(told)


def refusing_once(error: Exception) -> Any:
    """A hook that refuses the first message."""
    seen: list[str] = []

    def refuse(verb: str, side: str) -> None:
        if side == "before" and not seen:
            seen.append(verb)
            raise error

    return refuse


def run(saboteur: FaultInjectorHook) -> World:
    """The command, carried out while something goes wrong once."""
    world = World(policy=SHOP, hook=saboteur)
    saboteur.world, saboteur.active = world, True
    world.send_command("regenerate", id="mine", collection="books")
    tick_clock(world, saboteur, 6)
    saboteur.active = False
    return world


def points() -> list[tuple[int, InjectedFault]]:
    """Every commit and every message."""
    counted = FaultInjectorHook(counted=COUNTED)
    run(counted)
    faults = (InjectedFault.CRASH, InjectedFault.LOST_ANSWER)
    return [(place, fault) for place in range(len(counted.points)) for fault in faults]


@pytest.mark.parametrize(("point", "fault"), points())
def test_a_fault_while_it_is_asked_for(point: int, fault: InjectedFault) -> None:
    """Wherever it dies, or hears nothing: each topic is asked, a repeat is known by its id."""
    world = run(FaultInjectorHook(point, fault, COUNTED))

    said = heard(world)
    assert {topic for topic, _ in said} == {"draw-again", "print-again"}
    assert len(said) <= 3
    assert {one["id"] for _, one in said} == {"mine"}
    told = {one.key for one in world.sent_notices if "mine:regenerate" in one.key}
    assert len(told) == 1
    assert world.find_violated_invariants() == []


def test_what_is_made_from_many_documents_is_asked_for_in_parts() -> None:
    """However long their paths are: each record is a document, each part a commit, each once."""
    paths = [f"books/{n:05}{'x' * 1400}" for n in range(9000)]
    others = ["orders/1", "shelves/1/books/1"]
    now = World(policy=SHOP).ports.clock.now()
    parts = list(build_regeneration_batches(SHOP, "INC-1", [*reversed(paths), *others], now))

    records = [one for part in parts for one in part]
    named = [path for one in records for path in one.fields["answer"]["documents"]]
    assert named == [*paths, others[1]]
    assert len({one.path for one in records}) == len(records)
    assert max(len(msgspec.json.encode(one.fields)) for one in records) < 2**20
    assert max(len(msgspec.json.encode(part)) for part in parts) < 9 * 2**20
    assert 1 < len(parts) < 5
    again = build_regeneration_batches(SHOP, "INC-1", [*paths, *others], now + MINUTE / 7)
    assert [[one.path for one in part] for part in again] == [[one.path for one in part] for part in parts]
