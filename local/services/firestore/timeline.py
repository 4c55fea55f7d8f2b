"""The order of commits and reads, in microseconds since the epoch."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from local.core.clock import CloudClock
from local.services.firestore.statuses import failed_precondition, invalid_argument

DEFAULT_VERSION_RETENTION = timedelta(hours=1)
PITR_VERSION_RETENTION = timedelta(days=7)
"""https://firebase.google.com/docs/firestore/pitr (read 2026-11)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND_MICROS = 1_000_000
_MINUTE_MICROS = 60 * _SECOND_MICROS
_MICROSECOND_NANOS = 1000


def to_micros(time: Timestamp) -> int:
    """A timestamp in microseconds.

    Raises: Refused INVALID_ARGUMENT when it is finer than that.
    """
    if time.nanos % _MICROSECOND_NANOS:
        raise invalid_argument("Timestamps must be microsecond aligned.")
    micros: int = time.seconds * _SECOND_MICROS + time.nanos // _MICROSECOND_NANOS
    return micros


def to_timestamp(micros: int) -> Timestamp:
    """Microseconds as a timestamp."""
    return Timestamp(seconds=micros // _SECOND_MICROS, nanos=micros % _SECOND_MICROS * _MICROSECOND_NANOS)


class Timeline:
    """Gives every commit a time of its own, later than all commits and reads before it.

    Not safe for threads: its callers hold the one lock of the service.
    """

    def __init__(
        self, clock: CloudClock, recovers: Callable[[str], bool], any_recovers: Callable[[], bool]
    ) -> None:
        """They say whether a database has point-in-time recovery, and whether any has."""
        self._clock = clock
        self._recovers = recovers
        self._any_recovers = any_recovers
        self._last = 0

    def move_past(self, time: int) -> None:
        """Let nothing that follows be earlier than `time`."""
        self._last = max(self._last, time)

    def commit(self) -> int:
        """The time of a new commit."""
        self._last = max(self._now(), self._last + 1)
        return self._last

    def read(self) -> int:
        """The time of a read of the newest state; later commits are after it."""
        self._last = max(self._now(), self._last)
        return self._last

    def horizon(self) -> int:
        """The earliest time that can still be read, of any database."""
        return self._horizon(self._any_recovers())

    def check_read(self, database: str, read_time: Timestamp) -> int:
        """The time of a read in the past of a database that a caller asks for.

        Any microsecond of the past hour; with point-in-time recovery also whole minutes of the past
        seven days.

        Raises: Refused INVALID_ARGUMENT for the future, FAILED_PRECONDITION for what is gone.
        """
        time = to_micros(read_time)
        now = self.read()
        if time > now:
            raise invalid_argument("The requested 'read_time' cannot be in the future.")
        fine = time >= now - DEFAULT_VERSION_RETENTION // _MICROSECOND
        if time < self._horizon(self._recovers(database)) or not (fine or time % _MINUTE_MICROS == 0):
            raise failed_precondition("The requested 'read_time' is too old.")
        return time

    def _horizon(self, recovers: bool) -> int:
        retention = PITR_VERSION_RETENTION if recovers else DEFAULT_VERSION_RETENTION
        return self.read() - retention // _MICROSECOND

    def _now(self) -> int:
        return (self._clock.now() - _EPOCH) // _MICROSECOND
