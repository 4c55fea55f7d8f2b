"""How fast the cloud's time runs while endpoints work, and while they wait."""

import threading
from collections.abc import Iterator

import pytest

from local.core.clock import MAX_BUSY_SCALE, CloudClock
from tests.local.support.pubsub import (
    ORIGIN,
    PATIENCE_SECONDS,
    SUBSCRIPTION,
    Endpoint,
    Pushed,
    World,
    serving,
)

SCALE = 1000.0
HERE, THERE = "http://127.0.0.1:1/here", "http://127.0.0.1:2/there"


@pytest.fixture
def clock() -> CloudClock:
    return CloudClock(ORIGIN, SCALE)


def test_time_is_held_back_while_an_endpoint_works(clock: CloudClock) -> None:
    """From the push to its answer."""
    with clock.at_work.pushed(HERE, "1"):
        assert clock.pace == MAX_BUSY_SCALE

    assert clock.pace == SCALE


@pytest.mark.parametrize("scale", [0.0, 0.5])
def test_a_slow_clock_is_as_slow_while_an_endpoint_works(scale: float) -> None:
    """Nothing makes it faster."""
    clock = CloudClock(ORIGIN, scale)

    with clock.at_work.pushed(HERE, "1"):
        assert clock.pace == scale


def test_time_runs_on_while_everybody_waits(clock: CloudClock) -> None:
    """One that works is enough to hold it back, and one that waits lets its own queue wait."""
    at_work = clock.at_work
    with at_work.pushed(HERE, "1"), at_work.pushed(HERE, "2"), at_work.pushed(THERE, "3"):
        with at_work.waiting("1"):
            assert clock.pace == MAX_BUSY_SCALE
            with at_work.waiting("3"):
                assert clock.pace == SCALE
            assert clock.pace == MAX_BUSY_SCALE
        with at_work.waiting("3"):
            assert clock.pace == MAX_BUSY_SCALE


def test_whoever_waits_for_no_message_changes_nothing(clock: CloudClock) -> None:
    """As people at a prompt do."""
    with clock.at_work.pushed(HERE, "1"), clock.at_work.waiting(""):
        assert clock.pace == MAX_BUSY_SCALE


def test_an_endpoint_that_is_pushed_to_no_more(clock: CloudClock) -> None:
    """Whatever it still has in hand: it may stand still for good."""
    with clock.at_work.pushed(HERE, "1"):
        clock.at_work.forget(HERE)
        assert clock.pace == SCALE

    assert clock.pace == SCALE


def test_a_change_of_pace_is_no_jump(clock: CloudClock) -> None:
    """Time goes on from where it is."""
    clock.rescale(0)
    before = clock.now()
    with clock.at_work.pushed(HERE, "1"):
        clock.rescale(SCALE)
        clock.rescale(0)

    assert (clock.now() - before).total_seconds() < SCALE


class Slow:
    """An endpoint that answers when it is let go on."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.endpoint = Endpoint(self._answer)

    def _answer(self, pushed: Pushed) -> int:
        assert self.go_on.wait(PATIENCE_SECONDS)
        return 204


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    with slow.endpoint.listening():
        yield slow
        slow.go_on.set()


@pytest.fixture
def world(slow: Slow) -> Iterator[World]:
    """A message that the slow endpoint has in hand."""
    with serving(scale=SCALE) as world:
        world.create(push_config={"push_endpoint": slow.endpoint.url}, ack_deadline_seconds=600)
        world.publish("a")
        slow.endpoint.next()
        yield world


def test_a_push_holds_time_back(world: World, slow: Slow) -> None:
    """As long as it is not answered."""
    assert world.clock.pace == MAX_BUSY_SCALE

    slow.go_on.set()
    world.settle()

    assert world.clock.pace == SCALE


def test_a_subscription_that_is_led_elsewhere(world: World, slow: Slow) -> None:
    """What its endpoint of before has in hand holds nothing back any more."""
    world.subscriber.modify_push_config(
        subscription=SUBSCRIPTION, push_config={"push_endpoint": f"{slow.endpoint.url}-of-another"}
    )

    never = threading.Event()
    for _ in range(3000):
        if world.clock.pace == SCALE:
            break
        never.wait(0.01)
    assert world.clock.pace == SCALE
