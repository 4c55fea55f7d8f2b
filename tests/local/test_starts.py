"""When instances of the application's revisions start."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from local.application.service import Configuration, Flow, Period, Revision, Scaling, Service
from local.application.starts import IDLE, REPLACED_EVERY, starts, tried
from tests.local.run_world import MINUTE, ORIGIN, SECOND, World

A = Flow("a", 1.0, 0.0)
OTHER = Flow("b", 1.0, 0.0)
NO_MORE = replace(A, starts=False)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def serving(*periods: tuple[timedelta, Flow], asked: bool = True) -> Service:
    """A service since ORIGIN, with what the routers do from some time after that on."""
    revisions = tuple(Revision(name, "r", ORIGIN) for name in ("a", "b"))
    routed = tuple(Period(ORIGIN + after, (flow,)) for after, flow in periods)
    return Service("f", "f", "u", ORIGIN, ORIGIN, revisions, periods=routed, asked=asked)


def of(revision: str, found: Iterable[tuple[str, datetime]]) -> list[timedelta]:
    return [moment - ORIGIN for name, moment in found if name == revision]


@pytest.mark.parametrize(
    ("periods", "began"),
    [
        ([(0 * HOUR, A)], [0 * HOUR]),
        ([(0 * HOUR, A), (1 * HOUR, replace(A, failure_rate=0.5))], [0 * HOUR]),
        ([(0 * HOUR, A), (1 * HOUR, OTHER), (1 * HOUR + IDLE, A)], [0 * HOUR]),
        (
            [(0 * HOUR, A), (1 * HOUR, OTHER), (1 * HOUR + IDLE + SECOND, A)],
            [0 * HOUR, 1 * HOUR + IDLE + SECOND],
        ),
        ([(0 * HOUR, NO_MORE)], []),
        ([(0 * HOUR, NO_MORE), (1 * HOUR, A)], [1 * HOUR]),
        ([(0 * HOUR, A), (1 * HOUR, NO_MORE), (1 * HOUR + SECOND, A)], [0 * HOUR, HOUR + SECOND]),
        ([(0 * HOUR, OTHER)], []),
    ],
)
def test_an_instance_starts_where_there_is_none(
    periods: list[tuple[timedelta, Flow]], began: list[timedelta]
) -> None:
    """With the first request, and again once it was idle for too long or came up no more."""
    found = starts(serving(*periods), ORIGIN + 2 * HOUR)

    assert of("a", found) == began


def test_an_instance_is_replaced_while_it_serves() -> None:
    """Each time at the same age, whatever else becomes of the routing."""
    service = serving((0 * HOUR, A), (8 * HOUR, replace(A, share=0.5)))

    found = of("a", starts(service, ORIGIN + DAY))

    assert found == [0 * HOUR, REPLACED_EVERY, 2 * REPLACED_EVERY, 3 * REPLACED_EVERY]


@pytest.mark.parametrize(
    ("kept", "own", "begins"),
    [(Scaling(), 0, False), (Scaling(minimum=1), 0, True), (Scaling(), 1, True)],
)
def test_what_is_kept_warm_starts_without_requests(
    kept: Scaling, own: int, *, begins: bool
) -> None:
    """Else nothing starts of a function that nobody asks for."""
    unasked = serving((0 * HOUR, A), asked=False)
    first = replace(unasked.revisions[0], configuration=Configuration(min_instances=own))
    service = replace(unasked, scaling=kept, revisions=(first,))

    assert bool(of("a", starts(service, ORIGIN + MINUTE))) == begins


def test_a_function_that_is_left_alone_has_no_requests_and_no_starts() -> None:
    """Nor has it ever had any; others go on."""
    world = World()
    world.application.leave_alone("placeOrder")
    world.advance(600)

    assert world.application.requests("placeOrder", ORIGIN, ORIGIN + 9 * MINUTE).total == 0
    assert world.application.starts("placeOrder") == []
    assert world.application.starts("payOrder") != []


def test_a_revision_behind_a_tag_starts_once_while_it_is_asked() -> None:
    """Again once nobody has asked for too long; what serves has an instance anyway."""
    service = serving((0 * HOUR, A))
    for after in (HOUR, HOUR + IDLE, 2 * HOUR):
        service = tried(tried(service, "b", ORIGIN + after), "a", ORIGIN + after)

    assert of("b", starts(service, ORIGIN + DAY)) == [HOUR, 2 * HOUR]
    assert service.tried == (("b", ORIGIN + HOUR), ("b", ORIGIN + 2 * HOUR))


def test_a_revision_that_does_not_come_up_any_more() -> None:
    """Its starts of before stay counted; there are no more of them."""
    world = World()
    before = world.application.starts("placeOrder")
    world.application.degrade("placeOrder", starts=False)
    world.advance(DAY.total_seconds())

    assert world.application.starts("placeOrder") == before
    assert len(world.application.starts("payOrder")) > len(before)
