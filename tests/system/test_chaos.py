import threading
from collections import Counter
from datetime import timedelta
from random import Random

import pytest
from grpc import StatusCode
from msgspec.structs import replace

from local.core.grpc_services import StatusError
from local.demo.staging.processes import DemoFailed
from local.faults.hooks import CallMoment
from tests.chaos.__main__ import ATTACKS, main
from tests.chaos.bookshop import Bookshop, Documents, invalid, naming
from tests.chaos.documents import Compared, points
from tests.chaos.kills import HELD_SECONDS, LATE_SECONDS, NOT_REACHED, Kind, Point, gone, proves_nothing
from tests.chaos.processes import STARTS, started
from tests.chaos.simulation_runs import Tally, report
from tests.local.support.firestore import serving
from tests.simulation.faults.points import Fault


def test_an_attack_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever mistypes is told what there is."""
    assert main(["seed"]) == 2
    assert main([]) == 2

    told = capsys.readouterr().err
    assert all(name in told for name in ATTACKS)


def test_a_broken_world_is_told_with_the_line_that_shows_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody has to look for the seed."""
    well = Tally(100, Counter({Fault.CRASH: 30}))
    broken = Tally(100, Counter({Fault.CRASH: 20}), [("seeds --only 123", "law 6: it never ended")])

    code = report([well, broken], 2)

    told = capsys.readouterr().out
    assert code == 1
    assert "law 6: it never ended\n    again: python -m tests.chaos seeds --only 123\n" in told
    assert "200 schedules" in told
    assert "       50  crash\n1 broken\n" in told


@pytest.mark.parametrize(
    "line", ["seeds --only 3", "pairs --world least --only 12:PAUSE 20:CRASH"], ids=["seed", "pair"]
)
def test_a_world_that_is_shown_again(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The history says what happened, and when."""
    code = main(line.split())

    assert code == 0
    assert "alert 0.a open" in capsys.readouterr().out


SHOP: Documents = {
    "customers/ada": {"email": "ada@example.com"},
    "orders/1": {"customer": "ada", "status": "paid", "amount": 1},
    "orders/2": {"customer": "ada", "status": "paid", "amount": 2},
}
SPOILT: Documents = {**SHOP, "orders/1": {"customer": "nobody", "status": "paid", "amount": 1}}
HELD = Compared(
    wanted=SHOP,
    found=SPOILT,
    there=SHOP,
    named={"orders/1"},
    touched={"orders/3"},
    may={"orders/1"},
    erased={"bob"},
    left={"orders/4"},
)


@pytest.mark.parametrize(
    ("compared", "told"),
    [
        (HELD, []),
        (replace(HELD, touched={"orders/1"}), []),  # who was first is not known
        (replace(HELD, there=SPOILT), ["not as the shop wants it", "named by the journal, and not changed"]),
        (replace(HELD, named=set()), ["changed, and not named by the journal"]),
        (
            replace(HELD, named={"orders/1", "orders/2"}),
            ["named by the journal, and not changed", "named, and nothing was wrong with it"],
        ),
        (replace(HELD, erased={"ada"}), ["of somebody who was erased"]),
        (replace(HELD, left={"orders/1"}), ["written, and of somebody erased"]),
        (
            replace(HELD, there={path: SHOP[path] for path in list(SHOP)[:2]}),
            ["not as the shop wants it", "changed, and not named by the journal"],
        ),
    ],
)
def test_documents_that_are_not_as_they_should_be(compared: Compared, told: list[str]) -> None:
    """Each difference that nobody may have made is a fault, told with some of its documents."""
    assert [one.partition(":")[0] for one in compared.faults()] == told


def test_a_bookshop_knows_what_should_be_there() -> None:
    """Whatever it writes, spoils or forgets: what it says and what can be read are the same."""
    with serving(point_in_time_recovery=True) as world, world.client() as client:
        shop = Bookshop(client, 50, Random(1))
        shop.open()
        for _ in range(20):
            shop.work()
        valid = shop.everything()
        assert valid == shop.wanted
        assert not invalid(valid)

        world.clock.advance(timedelta(minutes=1))
        at = world.clock.now()
        world.clock.advance(timedelta(minutes=1))
        shop.release()
        assert invalid(shop.everything()) == shop.spoilt.keys() != set()
        assert shop.everything(at) == shop.wanted

        since = shop.written
        shop.erase(2, at)
        shop.tidy()
        assert shop.left
        assert not naming(shop.erased, shop.everything())
        assert shop.left <= shop.touched(since)
        assert not shop.touched(shop.written)


def test_a_bookshop_that_dies_at_its_work_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A play in which it has stopped proves nothing."""
    died = threading.Event()

    def die() -> None:
        died.set()
        raise ValueError("dead")

    with serving() as world, world.client() as client:
        shop = Bookshop(client, 1, Random(1))
        monkeypatch.setattr(shop, "work", die)
        with pytest.raises(ValueError, match="dead"), shop.at_work():
            died.wait()


def test_a_bookshop_closes_though_nobody_answers() -> None:
    """A play whose cloud is gone ends with that, and does not hang."""
    asked = threading.Event()

    def end() -> None:
        asked.wait()
        raise DemoFailed("the cloud did not start")

    def gone(call: str, moment: CallMoment) -> None:
        if moment is CallMoment.BEFORE and call.endswith("/Commit"):
            asked.set()
            raise StatusError(StatusCode.INTERNAL, "gone")

    with serving() as world, world.client() as client:
        shop = Bookshop(client, 1, Random(1))
        world.faults.add(gone)
        with pytest.raises(DemoFailed), shop.at_work():
            end()


@pytest.mark.parametrize("refused", [0, STARTS - 1, STARTS])
def test_a_cloud_whose_port_is_taken_for_a_moment(refused: int) -> None:
    """It is started again, and given up in the end."""
    answers = iter([*[""] * refused, "it"])

    def start() -> str:
        if answer := next(answers):
            return answer
        raise DemoFailed("address already in use")

    if refused < STARTS:
        assert started(start) == "it"
    else:
        with pytest.raises(DemoFailed):
            started(start)


@pytest.mark.parametrize(
    ("kind", "when", "held", "answer"),
    [
        (Kind.KILL, "before", HELD_SECONDS, "UNAVAILABLE"),
        (Kind.KILL, "after", HELD_SECONDS, None),
        (Kind.STOP, "before", LATE_SECONDS, None),
        (Kind.STOP, "after", HELD_SECONDS, None),
    ],
)
def test_only_who_stands_still_is_heard_too_late(
    kind: Kind, when: str, held: float, answer: str | None
) -> None:
    """A call before its effect is refused, but for that of a worker whose place another takes."""
    point = Point(kind, "on_work", "google.firestore.v1.Firestore/Commit", 3, when)

    [call] = point.plan()["calls"]

    assert (call["skip"], call["times"], call["delay_seconds"]) == (3, 1, held)
    assert call.get("answer") == answer


@pytest.mark.parametrize(
    ("after", "names"),
    [
        ({"rollback": 5, "alert": 1}, []),
        ({"rollback": 6, "alert": 1, "notice": 1}, []),
        ({"rollback": 4, "alert": 1}, ["rollback"]),
        ({"rollback": 5}, ["alert"]),
        ({}, ["rollback", "alert"]),
    ],
)
def test_a_cloud_that_forgets_what_it_has_answered(after: dict[str, int], names: list[str]) -> None:
    """Whatever was committed before its death is there after it, or more."""
    told = gone({"rollback": 5, "alert": 1}, after)

    assert [one.rpartition(" ")[2] for one in told] == names


@pytest.mark.parametrize(
    ("hits", "nothing"),
    [
        ({}, True),
        ({NOT_REACHED: 500}, True),
        ({NOT_REACHED: 499, Kind.CLOUD: 1}, False),
        ({Kind.KILL: 3}, False),
    ],
)
def test_kills_that_never_came_prove_nothing(hits: dict[str, int], nothing: bool) -> None:
    """However many runs have ended well."""
    assert proves_nothing(hits) is nothing


def test_who_dies_while_documents_are_written_is_drawn_once() -> None:
    """By the seed; each point lies well before the last batch, the cloud's between the workers'."""
    drawn, undone = points(7, 100_000, 5, 1)

    assert (drawn, undone) == points(7, 100_000, 5, 1)
    assert (drawn, undone) != points(8, 100_000, 5, 1)
    assert [one.kind for one in drawn] == [Kind.KILL] * 2 + [Kind.CLOUD] + [Kind.KILL] * 2
    assert [one.kind for one in undone] == [Kind.KILL]
    assert sum(one.number + 1 for one in drawn) <= 100_000 // 400
    [only], none = points(7, 400, 1, 0)
    assert (only.kind, only.number, none) == (Kind.KILL, 0, [])
