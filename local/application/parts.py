"""What an application has beside its functions: its site, its sign-ins, its database's traffic."""

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from local.application.latency import TIMEOUT, share_slower_than
from local.application.request_counts import RequestTotals, count_requests_by_revision, sum_requests
from local.application.service import Period, TrafficFlow
from local.core.clock import CloudClock
from local.core.journal import Journal
from shared.core.codec import from_msgpack

FIRST_RELEASE = "r1"


class Part(StrEnum):
    """One part that can be well or ill as a whole."""

    SITE = "site"
    """The static site on Firebase Hosting."""
    SIGN_INS = "sign_ins"
    READS = "reads"
    """Reads of the application's database."""
    WRITES = "writes"


REQUESTS_PER_SECOND = {Part.SITE: 0.1, Part.SIGN_INS: 0.5, Part.READS: 20.0, Part.WRITES: 5.0}
"""Requests that are counted; of the site, the uptime checks: one each ten seconds."""
LATENCY = {
    Part.SITE: timedelta(milliseconds=200),
    Part.SIGN_INS: timedelta(milliseconds=150),
    Part.READS: timedelta(milliseconds=30),
    Part.WRITES: timedelta(milliseconds=80),
}
"""Medians while all is well."""


class Parts:
    """The parts of one application, each with its releases, failures and latency over time."""

    def __init__(self, clock: CloudClock, journal: Journal, kept_as: str, since: datetime) -> None:
        self._clock = clock
        self._journal = journal
        self._kept_as = kept_as
        self._lock = threading.Lock()
        first = {
            part: (Period(since, (TrafficFlow(FIRST_RELEASE, 1.0, 0.0, LATENCY[part]),)),) for part in Part
        }
        kept = {Part(name): from_msgpack(value, tuple[Period, ...]) for name, value in journal.read(kept_as)}
        self._periods: dict[Part, tuple[Period, ...]] = {**first, **kept}

    def change_part(
        self,
        part: Part,
        *,
        release: str | None = None,
        failure_rate: float | None = None,
        latency: timedelta | None = None,
    ) -> TrafficFlow:
        """Let a part be otherwise from now on; None leaves that trait.

        What takes longer than the time-out fails, so that a latency alone can break a part.
        """
        with self._lock:
            (seen,) = self._periods[part][-1].flows
            taking = seen.latency if latency is None else latency
            failing = _declared_failure_rate(seen) if failure_rate is None else failure_rate
            late = share_slower_than(taking, TIMEOUT)
            flow = TrafficFlow(release or seen.revision, 1.0, failing + (1.0 - failing) * late, taking)
            period = Period(self._clock.now(), (flow,))
            periods = (*self._periods[part], period)
            self._journal.write(self._kept_as, [(part, msgspec.msgpack.encode(periods))])
            self._periods[part] = periods
            return flow

    def now(self, part: Part) -> TrafficFlow:
        """What a part does at this moment; its `revision` is the release."""
        (flow,) = self.periods(part)[-1].flows
        return flow

    def periods(self, part: Part) -> tuple[Period, ...]:
        """What a part has done, from the beginning."""
        with self._lock:
            return self._periods[part]

    def requests(self, parts: Iterable[Part], start: datetime, end: datetime) -> RequestTotals:
        """How many requests some parts have had in [start, end), and how many failed."""
        counted = (
            count_requests_by_revision(self.periods(part), REQUESTS_PER_SECOND[part], start, end)
            for part in parts
        )
        return sum_requests(requests for part in counted for requests in part.values())


def _declared_failure_rate(flow: TrafficFlow) -> float:
    """The failure rate that was asked for, without what its latency adds."""
    late = share_slower_than(flow.latency, TIMEOUT)
    return 0.0 if late >= 1.0 else max(0.0, (flow.failure_rate - late) / (1.0 - late))
