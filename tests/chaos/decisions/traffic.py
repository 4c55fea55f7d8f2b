"""What routers and logs count in a drawn world: counts per function and minute, drawn once each."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random

from shared.core.runtime import Clock
from shared.domain.policy.system_policy import service_of
from shared.domain.signals.health import RouterRequests
from tests.chaos.decisions.situations import Cause, Situation
from tests.support.fakes.run.platform import FakePlatform
from tests.support.fakes.run.services import USUAL_SECONDS

MINUTE = timedelta(minutes=1)
SIGN_INS_PER_MINUTE = 30.0
SIGN_IN_FAILURES = (0.05, 0.95)
"""Shares of failed sign-ins while sign-in works, and while it does not."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DrawnTraffic:
    """A Metrics over drawn counts; also what is true at a moment.

    The count of a function and minute is drawn from the seed, the function and the minute alone, so
    that nothing depends on who asks first.
    """

    def __init__(self, situation: Situation, platform: FakePlatform, clock: Clock, start: datetime) -> None:
        self.situation = situation
        self._platform = platform
        self._clock = clock
        self._start = start
        self._services = {name: service_of(name) for name in situation.request_rates}
        self._numbers = {name: number for number, name in enumerate(sorted(situation.request_rates))}
        self.bad_revisions: dict[str, str] = {}
        """The revision of each function that the release of the situation has made."""
        self.count = cache(self._draw_count)

    # the port

    def requests(self, start: datetime, end: datetime) -> dict[str, RouterRequests]:
        """Per service, over the visible minutes that lie whole within `start` and `end`."""
        minutes = [*self._visible_minutes(start, end)]
        counted = {}
        for name, service in self._services.items():
            counts = [self.count(name, minute) for minute in minutes]
            if total := sum(total for total, _ in counts):
                counted[service] = RouterRequests(total, sum(failed for _, failed in counts))
        return counted

    def latencies(self, start: datetime, end: datetime) -> dict[str, float]:
        """Return the median seconds of each service with a request over such minutes."""
        minutes = [*self._visible_minutes(start, end)]
        return {
            service: self.seconds(name, _EPOCH + minutes[0] * MINUTE, _EPOCH + (minutes[-1] + 1) * MINUTE)
            for name, service in self._services.items()
            if any(self.count(name, minute)[0] for minute in minutes)
        }

    def sign_ins(self, start: datetime, end: datetime) -> RouterRequests:
        """All sign-ins over such minutes."""
        counts = [self.count_sign_ins(minute) for minute in self._visible_minutes(start, end)]
        return RouterRequests(sum(total for total, _ in counts), sum(failed for _, failed in counts))

    def count_matching(self, wanted: str, start: datetime, end: datetime) -> int | None:
        """No counter of the application is declared."""
        return None

    # what is true

    def is_failing(self, moment: datetime) -> bool:
        """Return whether the situation's failure has begun and has not ended by itself."""
        minute = (moment - self._start) / MINUTE
        return self.situation.onset_minute <= minute < self.situation.end_minute

    def failure_ratio(self, function: str, start: datetime, end: datetime) -> float:
        """Return the mean share of requests of a function that fail between two moments, 0 to 1."""
        situation = self.situation
        base = situation.base_ratios[function]
        if function not in situation.affected or situation.slowdown > 1.0:
            return base
        exposed = self._exposed_share(function, start, end)
        return base + exposed * max(0.0, situation.failure_ratio - base)

    def seconds(self, function: str, start: datetime, end: datetime) -> float:
        """Return the median seconds that a function takes between two moments."""
        situation = self.situation
        is_slow = function in situation.affected and situation.slowdown > 1.0
        slow_share = self._exposed_share(function, start, end) if is_slow else 0.0
        return USUAL_SECONDS * (situation.slowdown if slow_share > 0.5 else 1.0)

    def _exposed_share(self, function: str, start: datetime, end: datetime) -> float:
        """Return the share of a span in which the failure meets a function's requests."""
        onset = self._start + self.situation.onset_minute * MINUTE
        begin = max(start, onset)
        last_minute = min(self.situation.end_minute, 1e6)
        stop = min(end, self._start + last_minute * MINUTE)
        if stop <= begin:
            return 0.0
        if self.situation.cause is Cause.OUTSIDE:
            return (stop - begin) / (end - start)
        return self._served_by_release(function, begin, stop) / (end - start)

    def _served_by_release(self, function: str, start: datetime, end: datetime) -> timedelta:
        revision = self.bad_revisions.get(function)
        history = self._platform.services()[function].history
        served = timedelta()
        for index, (since, shares) in enumerate(history):
            until = history[index + 1][0] if index + 1 < len(history) else end
            overlap = min(until, end) - max(since, start)
            if revision is not None and overlap > timedelta():
                served += overlap * shares.get(revision, 0.0)
        return served

    # draws

    def visible_at(self, minute: int) -> datetime | None:
        """Return when the points of a minute (since 1970) become visible; None: never."""
        random = Random(hash((self.situation.seed, -1, minute)))
        if random.random() < self.situation.lost_minutes:
            return None
        return _EPOCH + (minute + 1) * MINUTE + random.uniform(*self.situation.metrics_delay) * MINUTE

    def newest_visible(self) -> int:
        """Return the newest minute (since 1970) whose points are visible now."""
        now = self._clock.now()
        newest = (now - _EPOCH) // MINUTE
        while (visible := self.visible_at(newest)) is None or visible > now:
            newest -= 1
        return newest

    def _visible_minutes(self, start: datetime, end: datetime) -> Iterator[int]:
        now = self._clock.now()
        for minute in range(-((_EPOCH - start) // MINUTE), (end - _EPOCH) // MINUTE):
            visible = self.visible_at(minute)
            if visible is not None and visible <= now:
                yield minute

    def _draw_count(self, function: str, minute: int) -> tuple[int, int]:
        """Return the requests of a minute, and how many of them failed."""
        situation, since = self.situation, _EPOCH + minute * MINUTE
        random = Random(hash((situation.seed, self._numbers[function], minute)))
        factor = situation.traffic_factor if self.is_failing(since) else 1.0
        honest = draw_poisson(random, situation.request_rates[function] * factor)
        rejected = 0
        if situation.rejected_ratio and factor > 1.0:  # all that is added is refused, and nothing fails
            rejected = honest - draw_poisson(random, situation.request_rates[function])
        ratio = self.failure_ratio(function, since, since + MINUTE)
        return honest, draw_binomial(random, max(0, honest - max(0, rejected)), ratio)

    def count_sign_ins(self, minute: int) -> tuple[int, int]:
        """Return the sign-ins of a minute, and how many of them failed."""
        random = Random(hash((self.situation.seed, -3, minute)))
        is_down = self.situation.is_sign_in_down and self.is_failing(_EPOCH + minute * MINUTE)
        total = draw_poisson(random, SIGN_INS_PER_MINUTE)
        return total, draw_binomial(random, total, SIGN_IN_FAILURES[is_down])


def draw_poisson(random: Random, mean: float) -> int:
    """Draw a number of events (Knuth's product below 30, a rounded normal above)."""
    if mean > 30.0:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    limit, product, events = math.exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        events += 1
    return events


def draw_binomial(random: Random, tries: int, ratio: float) -> int:
    """Draw how many of so many tries happen, each with this probability."""
    if ratio > 0.5:
        return tries - draw_binomial(random, tries, 1.0 - ratio)
    if tries <= 40:
        return sum(random.random() < ratio for _ in range(tries)) if ratio else 0
    mean = tries * ratio
    if mean < 10.0:
        return min(tries, draw_poisson(random, mean))
    return min(tries, max(0, round(random.gauss(mean, math.sqrt(mean * (1.0 - ratio))))))
