"""The kill switches and freeze windows, as every external effect asks them."""

from __future__ import annotations

import threading

from shared import system as systems
from shared.documents import decode
from shared.errors import RollbackError
from shared.ports import Clock, Store
from shared.system import CONTROLS_MAY_BE_OLD_SECONDS, GLOBAL, Controls, System, frozen


class Switches:
    """Whether anything may be done to one system, never older than 2 seconds; safe for threads."""

    def __init__(
        self, store: Store, clock: Clock, system: str, *, ignores_freeze: bool = False
    ) -> None:
        """Freeze windows stop nothing of a rollback that was ordered by override."""
        self._store = store
        self._clock = clock
        self._system = system
        self._ignores_freeze = ignores_freeze
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._stop = ""

    def stop(self) -> str:
        """Why nothing may be done now; empty when all may go on. Unreadable means stop."""
        with self._lock:
            if self._clock.monotonic() - self._read_at > CONTROLS_MAY_BE_OLD_SECONDS:
                self._read_at = self._clock.monotonic()
                self._stop = self._look()
            return self._stop

    def _look(self) -> str:
        try:
            everywhere = self._store.get(GLOBAL)
            here = self._store.get(systems.path(self._system))
        except RollbackError as unreadable:
            return f"the kill switch could not be read: {unreadable}"
        controls = decode(Controls, everywhere.fields) if everywhere.fields else Controls()
        system = decode(System, here.fields) if here.fields else System(self._system)
        pause = controls.pause or system.pause
        if pause is not None:
            return str(pause)
        window = frozen((*controls.freezes, *system.freezes), here.read_at)
        return str(window) if window and not self._ignores_freeze else ""
