"""What every external effect asks first: kill switches, freeze windows, the rollback itself."""

import threading
from dataclasses import dataclass

from shared.core.errors import RollbackError
from shared.core.runtime import Clock
from shared.core.store import Document, Store
from shared.domain.rollback.rollback import Rollback, rollback_path
from shared.domain.system_record import (
    GLOBAL_CONTROLS_PATH,
    MAX_CONTROLS_AGE_SECONDS,
    Controls,
    active_freeze,
    decode_system,
    system_path,
)


@dataclass
class StopConditions:
    """Whether a rollback may do anything, never older than 2 seconds; safe for threads."""

    _store: Store
    _clock: Clock
    _rollback: Rollback
    """As its worker has claimed it."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._stop = ""

    def find_stop_reason(self) -> str:
        """Why nothing may be done now; empty when all may go on. Unreadable means stop."""
        with self._lock:
            if self._clock.monotonic() - self._read_at > MAX_CONTROLS_AGE_SECONDS:
                self._read_at = self._clock.monotonic()
                self._stop = self._read_conditions()
            return self._stop

    def _read_conditions(self) -> str:
        try:
            everywhere = self._store.get(GLOBAL_CONTROLS_PATH)
            here = self._store.get(system_path(self._rollback.system))
            itself = self._store.get(rollback_path(self._rollback.id))
        except RollbackError as unreadable:
            return f"the kill switch could not be read: {unreadable}"
        controls = everywhere.find(Controls) or Controls()
        system = decode_system(here.fields, self._rollback.system)
        pause = controls.pause or system.pause
        if pause is not None:
            return str(pause)
        order = self._rollback.order
        window = active_freeze((*controls.freezes, *system.freezes), here.read_at, ordered=order is not None)
        if window and not (order and order.override):
            return str(window)
        return self._find_rollback_reason(itself)

    def _find_rollback_reason(self, itself: Document) -> str:
        """Why the rollback itself must stop: sooner than its next commit tells."""
        current = itself.decode(Rollback)
        if current.fence != self._rollback.fence:
            return f"another worker has claimed {current.id}"
        return current.cancel_requested or ("a request waits for a worker" if current.yield_requested else "")
