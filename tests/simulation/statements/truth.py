"""What the protected application really does, as a function of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from tests.support.fakes.run.services import FakeService
from tests.support.fakes.runtime.clock import START

if TYPE_CHECKING:
    from tests.simulation.world import World

FAILING_SHARE = 0.25
"""A function of which so many requests fail does not work."""
SITE, SIGN_IN, DATA = "the site", "sign-in", "data"
"""What may fail beside functions, by flags with times."""
FOREVER = 1e9


class Span(NamedTuple):
    """From when to when something fails, in seconds of the world."""

    begins: float
    ends: float


class Truth:
    """Which functions fail by the revision that serves, and what fails beside them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._flags: dict[str, list[Span]] = {}

    def breaks(self, subject: str) -> None:
        """From now on it does not work."""
        self._flags.setdefault(subject, []).append(Span(self._world.scheduler.now, FOREVER))

    def recovers(self, subject: str) -> None:
        """From now on it works."""
        spans = self._flags[subject]
        spans[-1] = Span(spans[-1].begins, self._world.scheduler.now)

    def fails(self, subject: str) -> bool:
        """Whether it does not work at this moment."""
        now = self._world.scheduler.now
        return any(one.begins <= now < one.ends for one in self.failing(subject))

    def anything_fails(self) -> bool:
        """Whether anything does not work at this moment."""
        return any(map(self.fails, (*self._world.policy.functions, *self._flags)))

    def failing(self, subject: str) -> list[Span]:
        """When it has not worked, and does not, as far as is known now; in order."""
        services = self._world.platform.services()
        if subject not in services:
            return self._flags.get(subject, [])
        return merged([*_failing_revisions(services[subject]), *map(_span_of, services[subject].outages)])


def merged(spans: list[Span]) -> list[Span]:
    """The same time, without what overlaps or touches."""
    whole: list[Span] = []
    for one in sorted(spans):
        if whole and one.begins <= whole[-1].ends:
            whole[-1] = Span(whole[-1].begins, max(whole[-1].ends, one.ends))
        else:
            whole.append(one)
    return whole


def seconds_of(moment: datetime) -> float:
    """A moment as the world counts."""
    return (moment - START).total_seconds()


def _failing_revisions(service: FakeService) -> Iterator[Span]:
    """When the revisions that served have failed."""
    ends = [seconds_of(since) for since, _ in service.history[1:]] + [FOREVER]
    for (since, served), until in zip(service.history, ends, strict=True):
        failing = sum(service.failure_rates[name] * share for name, share in served.items())
        begins = seconds_of(since)
        if failing >= FAILING_SHARE and until > begins:
            yield Span(begins, until)


def _span_of(outage: tuple[datetime, datetime | None]) -> Span:
    since, until = outage
    return Span(seconds_of(since), FOREVER if until is None else seconds_of(until))
