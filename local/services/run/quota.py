"""How many writes the Admin API admits: a token bucket per project and region."""

import threading
from datetime import datetime, timedelta

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from local.application.applications import Location
from local.core.clock import CloudClock
from local.core.grpc_services import StatusError, build_detailed_error

METRIC = "run.googleapis.com/write_regional"


class WriteQuotaBucket:
    """A full bucket of `burst` writes that refills at `per_second`, in cloud time.

    60 and 1 stand for the reported "60 write requests per minute per region"; the present default
    of the real service is not confirmed. Whether it counts dry runs is not known either.
    """

    def __init__(
        self,
        clock: CloudClock,
        *,
        enforced: bool = False,
        burst: int = 60,
        per_second: float = 1.0,
        counts_dry_runs: bool = False,
        metric: str = METRIC,
    ) -> None:
        self.enforced = enforced
        self.burst = burst
        self.per_second = per_second
        self.counts_dry_runs = counts_dry_runs
        self._metric = metric
        self._clock = clock
        self._lock = threading.Lock()
        self._levels: dict[Location, tuple[float, datetime]] = {}

    def spend_write(self, location: Location, *, dry_run: bool) -> None:
        """Spend one write. Raises: Refused RESOURCE_EXHAUSTED with the time to wait."""
        if not self.enforced or (dry_run and not self.counts_dry_runs):
            return
        with self._lock:
            now = self._clock.now()
            level, since = self._levels.get(location, (float(self.burst), now))
            refilled = level + (now - since).total_seconds() * self.per_second
            level = min(float(self.burst), refilled)
            if level < 1:
                wait = timedelta(seconds=(1 - level) / self.per_second)
                raise quota_exhausted(location, wait, self._metric)
            self._levels[location] = (level - 1, now)


def quota_exhausted(location: Location, retry_after: timedelta, metric: str = METRIC) -> StatusError:
    """RESOURCE_EXHAUSTED as Google's front end words it, with RetryInfo in the status details."""
    service = metric.partition("/")[0]
    message = (
        f"Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute "
        f"per region' of service '{service}' for consumer '{location.project}'."
    )
    retry = Duration()
    retry.FromTimedelta(retry_after)
    return build_detailed_error(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        message,
        error_details_pb2.RetryInfo(retry_delay=retry),
        error_details_pb2.ErrorInfo(
            reason="RATE_LIMIT_EXCEEDED",
            domain="googleapis.com",
            metadata={
                "consumer": f"projects/{location.project}",
                "quota_location": location.region,
                "quota_metric": metric,
                "service": service,
            },
        ),
    )
