"""The watch, at a pace that nobody minds: the cloud's time is skipped while nobody works."""

from datetime import datetime, timedelta

from local.demo.act import MINUTE, Scene
from local.demo.acts.headings import Heading
from local.demo.screen import ProgressDisplay
from local.demo.staging.processes import DemoFailed
from shared.adapters.clock import CLOCK_READ_INTERVAL_SECONDS
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, Rollback

SECOND = timedelta(seconds=1)
SKIP_MARGIN = 1.2


class MonitoringAct:
    """Skips from one look to the next: about two minutes of the cloud's time in a second.

    Whoever has read the clock within `READ_EVERY_SECONDS` sees a skip that much later, and a lease
    that it takes before would end within it. So time is skipped only when nobody has held a lease
    for that long: the next worker reads the clock first.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._stage = scene.stage
        self._settling = timedelta(seconds=SKIP_MARGIN * CLOCK_READ_INTERVAL_SECONDS * self._stage.scale())

    def follow(self, name: str) -> None:
        """Return when the rollback has ended. Raises: Broken."""
        rollback = self._rollback(name)
        if rollback.watch_until is None or rollback.status in ENDED_ROLLBACK_STATUSES:
            return
        begun = self._stage.now()
        whole = rollback.watch_until - begun
        self._scene.screen.act(f"{Heading.WATCHING} {round(whole / MINUTE)} minutes")
        watched = self._scene.screen.progress("minutes monitored")
        while rollback.status not in ENDED_ROLLBACK_STATUSES:
            self._show(watched, begun, whole)
            rollback = self._look(rollback)
        self._show(watched, begun, whole)

    def _look(self, seen: Rollback) -> Rollback:
        """The rollback after one more look of its worker."""
        resting = self._stage.wait_for("a moment without a worker", lambda: self._resting(seen.id))
        seen_at = self._stage.now()
        self._stage.wait_for("its end", lambda: self._stage.now() >= seen_at + self._settling)
        if resting.due_at is not None:
            skipped = resting.due_at + SECOND - self._stage.now()
            if skipped > timedelta():
                self._stage.skip_time(skipped)
        return self._stage.wait_for("a check of the monitoring period", lambda: self._moved_on(resting))

    def _resting(self, name: str) -> Rollback | None:
        """The rollback, when nobody works on it and nothing waits to be said."""
        rollback = self._rollback(name)
        saying = any(notice.is_waiting for notice in self._scene.evidence.notices())
        return None if rollback.lease or saying else rollback

    def _moved_on(self, seen: Rollback) -> Rollback | None:
        rollback = self._rollback(seen.id)
        if rollback.status in ENDED_ROLLBACK_STATUSES:
            return rollback
        return None if rollback.lease or rollback.sequence == seen.sequence else rollback

    def _show(self, watched: ProgressDisplay, begun: datetime, whole: timedelta) -> None:
        now = self._stage.now()
        minutes = round(whole / MINUTE)
        watched.show({"watch": (min(minutes, (now - begun) // MINUTE), minutes)}, now)

    def _rollback(self, name: str) -> Rollback:
        found = self._scene.rollback(name)
        if found is None:
            raise DemoFailed(f"rollback {name} does not exist any more")
        return found
