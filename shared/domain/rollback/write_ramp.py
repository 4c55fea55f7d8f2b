"""How fast documents may be written, by the rule for traffic that Firestore does not know yet."""

from threading import Lock

INITIAL_WRITES_PER_SECOND = 500.0
GROWTH_FACTOR = 1.5
GROWTH_INTERVAL_SECONDS = 300.0
"""500 operations a second, and half as much again every five minutes
(https://cloud.google.com/firestore/docs/best-practices#ramping_up_traffic, read 2026-11-26)."""


def ramp_seconds(writes: float) -> float:
    """How long so many writes take from the first to the last, as fast as they may be."""
    ramped, rate = 0.0, INITIAL_WRITES_PER_SECOND
    while writes > rate * GROWTH_INTERVAL_SECONDS:
        ramped, writes = ramped + GROWTH_INTERVAL_SECONDS, writes - rate * GROWTH_INTERVAL_SECONDS
        rate *= GROWTH_FACTOR
    return ramped + writes / rate


class WriteRamp:
    """Thread-safe pacing of one worker's repair writes, in seconds of its monotonic clock."""

    def __init__(self, ran_for: float, now: float) -> None:
        """Of a repair that has been running for so many seconds, by whomever."""
        self._began = now - ran_for
        self._free_at = now
        self._lock = Lock()

    def per_second(self, now: float) -> float:
        """How many writes a second may be sent by then."""
        return float(
            INITIAL_WRITES_PER_SECOND * GROWTH_FACTOR ** ((now - self._began) // GROWTH_INTERVAL_SECONDS)
        )

    def reserve_writes(self, writes: int, now: float) -> float:
        """Seconds until so many writes may be sent; they are booked."""
        with self._lock:
            begins = max(self._free_at, now)
            self._free_at = begins + writes / self.per_second(now)
            return begins - now
