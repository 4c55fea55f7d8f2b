"""What every Clock keeps, and how the product follows an embedded cloud's."""

import threading
from collections.abc import Iterator
from datetime import UTC, timedelta

import pytest

from local.cloud import Cloud
from shared.adapters.clock import EmbeddedClock, SystemClock
from shared.core.errors import Unavailable
from shared.core.runtime import Clock
from tests.contracts.support.subscriptions import SHOP
from tests.support.fakes.runtime.clock import START, FakeClock
from tests.support.runtime.embedded_cloud import embedded_cloud


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A cloud that stands still at the fake clock's start."""
    with embedded_cloud(SHOP) as cloud:
        yield cloud


def url(cloud: Cloud) -> str:
    return f"http://{cloud.addresses['control']}"


def followed(cloud: Cloud) -> tuple[EmbeddedClock, FakeClock]:
    """A clock that follows the cloud's, and the wall clock between its readings."""
    wall = FakeClock()
    return EmbeddedClock(url(cloud), wall), wall


@pytest.fixture(params=["system", "fake", "followed"])
def clock(request: pytest.FixtureRequest, cloud: Cloud) -> Clock:
    if request.param == "system":
        return SystemClock()
    if request.param == "fake":
        return FakeClock()
    cloud.clock.rescale(1000)
    return EmbeddedClock(url(cloud))


def test_time_is_aware_utc(clock: Clock) -> None:
    """No time without its zone."""
    assert clock.now().tzinfo is UTC


def test_sleeping_takes_as_long_as_it_says(clock: Clock) -> None:
    """Both kinds of time pass by at least what was slept."""
    now, monotonic = clock.now(), clock.monotonic()

    clock.sleep(0.02)

    assert clock.monotonic() - monotonic >= 0.019
    assert clock.now() - now >= timedelta(milliseconds=19)


def test_sleeping_no_time_at_all(clock: Clock) -> None:
    """A pause of nothing returns."""
    before = clock.monotonic()

    clock.sleep(0)

    assert clock.monotonic() >= before


def test_a_followed_clock_between_readings(cloud: Cloud) -> None:
    """Between readings the cloud's time is carried forward at the cloud's pace, not the wall's."""
    clock, wall = followed(cloud)
    cloud.clock.rescale(100)
    clock.follow()
    cloud.clock.rescale(0)
    first, passed = clock.now(), clock.monotonic()

    wall.sleep(0.01)

    assert clock.now() - first == timedelta(seconds=1)
    assert clock.monotonic() - passed == pytest.approx(1)


def test_a_followed_clock_whose_cloud_has_slowed_down(cloud: Cloud) -> None:
    """It is ahead by a second of the cloud's time at most, and waits: it never goes back."""
    clock, wall = followed(cloud)
    cloud.clock.rescale(100)
    clock.follow()
    cloud.clock.rescale(0)
    wall.sleep(0.01)
    ahead = clock.now()

    wall.sleep(0.01)

    assert clock.now() == ahead
    cloud.clock.advance(timedelta(minutes=1))
    clock.follow()
    assert clock.now() == cloud.clock.now()


def test_a_followed_clock_whose_cloud_is_moved(cloud: Cloud) -> None:
    """A step of the cloud's clock is seen after a wall second, or at once when asked."""
    clock, wall = followed(cloud)
    cloud.clock.advance(timedelta(hours=1))
    assert clock.now() == START

    wall.sleep(1)
    assert clock.now() == START + timedelta(hours=1)
    assert clock.monotonic() == 3600

    cloud.clock.advance(timedelta(hours=1))
    clock.follow()
    assert clock.now() == START + timedelta(hours=2)


def test_sleeping_while_the_cloud_stands_still(cloud: Cloud) -> None:
    """A sleeper in a stepped cloud wakes when somebody has moved its clock far enough."""
    clock = EmbeddedClock(url(cloud))
    slept = []

    def sleep() -> None:
        before = clock.monotonic()
        clock.sleep(10)
        slept.append(clock.monotonic() - before)

    sleeper = threading.Thread(target=sleep)
    sleeper.start()
    while sleeper.is_alive():
        cloud.clock.advance(timedelta(seconds=4))
        sleeper.join(0.05)

    assert slept[0] >= 10


def test_a_followed_clock_whose_cloud_is_gone(cloud: Cloud) -> None:
    """A clock that cannot be read is Unavailable, not a guess."""
    clock, wall = followed(cloud)
    cloud.stop()
    wall.sleep(1)

    with pytest.raises(Unavailable):
        clock.now()
