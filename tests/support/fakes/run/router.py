"""What the routers of the fake platform counted, and how it looks from outside."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from urllib.parse import urlsplit

from shared.core.errors import Rejected, RollbackError
from shared.core.runtime import Clock
from shared.domain.policy.probes import Probe
from shared.domain.signals.health import ProbeAnswer, RouterRequests
from tests.support.fakes.run.platform import FakePlatform
from tests.support.fakes.run.services import FakeService
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook

USERS = "logging.googleapis.com/user/users_met"
TRIES = 4
"""So often each user tries who meets a failure."""
SIGN_INS = 0.5
"""A second."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FakeMetrics:
    """A Metrics that integrates the platform's routing.

    Verbs for the hook: metrics.requests, metrics.latencies, metrics.sign_ins, metrics.counted.
    Points are whole minutes (`point`) and show up `lag` after their end. `rates`
    are requests per second by function, for those that differ from `rate`; a rate of 0 leaves a
    service out.
    """

    def __init__(
        self,
        platform: FakePlatform,
        clock: Clock,
        hook: Hook = no_hook,
        *,
        lag: timedelta = timedelta(seconds=60),
        rate: float = 2.0,
        rates: dict[str, float] | None = None,
        point: timedelta = timedelta(minutes=1),
    ) -> None:
        self.hook = hook
        self.lag = lag
        self._point = point
        self._sign_ins: list[tuple[datetime, float]] = [(_EPOCH, 0.0)]
        self.rates = rates or {}
        self._rate = rate
        self._platform = platform
        self._clock = clock

    def requests(self, start: datetime, end: datetime) -> dict[str, RouterRequests]:
        """Per service (short name), over the visible points within `start` and `end`."""
        with ask_hook_around(self.hook, "metrics.requests"):
            window = self._visible(start, end)
            if window is None:
                return {}
            return {
                service.short_name: counted
                for service in self._platform.services().values()
                if (counted := self._counted(service, *window)).total
            }

    def latencies(self, start: datetime, end: datetime) -> dict[str, float]:
        """Return the median seconds per service that had a request, over the visible points."""
        with ask_hook_around(self.hook, "metrics.latencies"):
            window = self._visible(start, end)
            if window is None:
                return {}
            return {
                service.short_name: service.median_seconds(*window)
                for service in self._platform.services().values()
                if self._counted(service, *window).total
            }

    def fail_sign_ins(self, rate: float) -> None:
        """From now on so many of them fail."""
        self._sign_ins.append((self._clock.now(), rate))

    def sign_ins(self, start: datetime, end: datetime) -> RouterRequests:
        """All of them, over the visible points within `start` and `end`."""
        with ask_hook_around(self.hook, "metrics.sign_ins"):
            window = self._visible(start, end)
            if window is None:
                return RouterRequests(0, 0)
            first, last = window
            until = [since for since, _ in self._sign_ins[1:]] + [last]
            failing = sum(
                rate * max(0.0, (min(ends, last) - max(since, first)).total_seconds())
                for (since, rate), ends in zip(self._sign_ins, until, strict=True)
            )
            seconds = (last - first).total_seconds()
            return RouterRequests(round(seconds * SIGN_INS), round(failing * SIGN_INS))

    def count_matching(self, wanted: str, start: datetime, end: datetime) -> int | None:
        """Users who met a failure, over the visible points within `start` and `end`."""
        with ask_hook_around(self.hook, "metrics.counted"):
            if "metric.type" not in wanted:
                raise Rejected(f"{wanted!r} is no filter")
            window = self._visible(start, end) if USERS in wanted else None
            if window is None:
                return None
            counts = (self._counted(one, *window) for one in self._platform.services().values())
            return -(-sum(one.failed for one in counts) // TRIES) or None

    def _visible(self, start: datetime, end: datetime) -> tuple[datetime, datetime] | None:
        """From the first to the last of the points that lie whole within; None: there is none."""
        first = -((_EPOCH - start) // self._point)
        last = (min(end, self._clock.now() - self.lag) - _EPOCH) // self._point
        if last <= first:
            return None
        return _EPOCH + first * self._point, _EPOCH + last * self._point

    def _counted(self, service: FakeService, start: datetime, end: datetime) -> RouterRequests:
        rate = self.rates.get(service.function, self._rate)
        total = round(rate * (end - start).total_seconds())
        return RouterRequests(total, round(total * service.failing(start, end)))


class FakeProber:
    """A Prober that meets the platform's revisions as requests do; verb for the hook: prober.ask.

    A probe reaches a function at its service's address (with a tag or without), at
    `…cloudfunctions.net/NAME`, at an address in `addresses` (URL to function), or else as the
    function that the probe names. Every other address answers 200. `answers` overrides, by the
    probe's name; an error there is raised. An answer takes `seconds`, by the probe's name. Every
    test account signs in, but for the addresses in `refused`. What works answers as the probe
    expects; what is sent makes no difference.
    """

    def __init__(
        self,
        platform: FakePlatform,
        random: Random,
        hook: Hook = no_hook,
        addresses: Mapping[str, str] | None = None,
    ) -> None:
        self.hook = hook
        self.answers: dict[str, ProbeAnswer | RollbackError] = {}
        self.down: Callable[[str], bool] = lambda _: False
        """Whether what a probe of that name meets is down, whatever its function does."""
        self.refused: set[str] = set()
        self.seconds: dict[str, float] = {}
        self.asked: list[str] = []
        """Names of the probes asked, in order."""
        self._platform = platform
        self._random = random
        self._addresses = addresses or {}

    def ask(self, probe: Probe) -> ProbeAnswer:
        """One request, answered by the revision that serves it."""
        with ask_hook_around(self.hook, "prober.ask"):
            self.asked.append(probe.name)
            overridden = self.answers.get(probe.name)
            if isinstance(overridden, RollbackError):
                raise overridden
            if overridden is not None:
                return overridden
            if self.down(probe.name):
                return ProbeAnswer(False, 503)
            status, seconds = self._status(probe), self.seconds.get(probe.name, 0.0)
            if seconds > probe.timeout.total_seconds():
                return ProbeAnswer(False, None, "no answer in time", probe.timeout.total_seconds())
            if probe.sign_in is not None and probe.sign_in.email in self.refused:
                return ProbeAnswer(False, 400, seconds=seconds)
            expected = probe.expect.status
            if status == 200 or (expected is None and status < probe.status_below):
                return ProbeAnswer(True, status if expected is None else expected, seconds=seconds)
            below = f"a status below {probe.status_below}"
            detail = f"expected {below if expected is None else f'status {expected}'}"
            return ProbeAnswer(False, status, detail, seconds)

    def _status(self, probe: Probe) -> int:
        if not probe.url:
            return 200
        url = urlsplit(probe.url)
        tag, _, host = url.netloc.rpartition("---")
        services = self._platform.services()
        for service in services.values():
            if host == _host(service.uri):
                revision = service.tagged(tag) if tag else self._drawn(service)
                return self._answered(service, revision)
        function = self._addresses.get(probe.url) or probe.function
        if host.endswith(".cloudfunctions.net"):
            function = url.path.strip("/").split("/")[0]
        if function not in services:
            return 200
        return self._answered(services[function], self._drawn(services[function]))

    def _drawn(self, service: FakeService) -> str | None:
        served = service.history[-1][1]
        return self._random.choices(list(served), list(served.values()))[0] if served else None

    def _answered(self, service: FakeService, name: str | None) -> int:
        revision = service.revision(name) if name else None
        if revision is None:
            return 404
        if not revision.ready or service.scaling.manual == 0:
            return 503
        if service.is_out:
            return 500
        return 500 if self._random.random() < service.failure_rates[revision.name] else 200


@cache
def _host(address: str) -> str:
    return urlsplit(address).netloc
