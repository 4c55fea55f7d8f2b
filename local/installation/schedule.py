"""What happens by itself in the embedded cloud: alerts are evaluated, the clock topic ticks."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.services.monitoring.ingestion_delay import MINUTE, floor_to_minute

HEARTBEAT_INTERVAL = timedelta(seconds=10)
"""Cloud time between two beats: the most that a restart can set the clock back."""
_JOURNAL_SERVICE = "clock"


class Heartbeat:
    """One thread that waits on the cloud's clock and brings duties and ticks up to its time.

    A duty catches up with every moment that passed (alerts are evaluated, documents expire); of
    ticks that were missed only one is sent, as a scheduler does. `tick` is None where nobody wants
    ticks.
    """

    def __init__(
        self,
        clock: CloudClock,
        journal: Journal,
        duties: Sequence[Callable[[], None]],
        tick: Callable[[], None] | None,
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._duties = duties
        self._tick = tick
        self._ticked_at = floor_to_minute(clock.now())
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Beat until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Return when the last beat is over."""
        self._stopping.set()
        self._clock.wake()
        self._thread.join()

    def beat(self) -> None:
        """Return when duties and ticks are what the clock's time asks for."""
        with self._lock:
            for catch_up in self._duties:
                catch_up()
            now = self._clock.now()
            if self._tick and floor_to_minute(now) > self._ticked_at:
                self._tick()
                self._ticked_at = floor_to_minute(now)
            self._journal.write(_JOURNAL_SERVICE, [("now", now.isoformat().encode())])

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.beat()
            self._clock.wait(self._next_beat(), self._stopping)

    def _next_beat(self) -> datetime:
        now = self._clock.now()
        minute = floor_to_minute(now)
        beats = (now - minute) // HEARTBEAT_INTERVAL + 1
        return minute + min(beats * HEARTBEAT_INTERVAL, MINUTE)


def resume_clock(clock: CloudClock, journal: Journal) -> None:
    """Move the clock to where an earlier cloud of the same journal left it; never back."""
    for _, value in journal.read(_JOURNAL_SERVICE):
        ahead = datetime.fromisoformat(value.decode()) - clock.now()
        clock.advance(max(ahead, timedelta()))
