"""on_clock: whatever is due and was dropped on the way is handed on again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from responders.refusal import write_once
from responders.sealing import Sealing
from shared import handover
from shared.envelope import Message
from shared.policy import Policy
from shared.ports import Create, Ports

HALF_MINUTE = timedelta(seconds=30)
TICKS_KEPT_FOR = timedelta(hours=1)


class Clock:
    """Sweeps twice a minute; a second Scheduler job's tick in the same half minute does nothing."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = policies
        self._sealing = Sealing(ports, policies)

    def receive(self, message: Message) -> None:
        """Sweep now and, in the same invocation, half a minute later.

        A tick's content says nothing: its time of arrival counts. A redelivery sweeps the half
        minutes that are left. Raises: Unavailable.
        """
        del message
        self._sweep_once()
        now = self._ports.clock.now()
        into = timedelta(seconds=now.second % 30, microseconds=now.microsecond)
        self._ports.clock.sleep((HALF_MINUTE - into).total_seconds())
        self._sweep_once()

    def _sweep_once(self) -> None:
        """Claim the present half minute, then publish all that is due in it."""
        now = self._ports.clock.now()
        tick = f"ticks/{now:%Y%m%dT%H%M}-{now.second // 30}"
        claimed = Create(tick, {"at": now, "expires_at": now + TICKS_KEPT_FOR})
        if write_once(self._ports, claimed):
            self.sweep(now)

    def sweep(self, now: datetime) -> None:
        """Publish every rollback, notice and rehearsal that is due; seal events each quarter."""
        ports = self._ports
        for kind in handover.COLLECTIONS:
            handover.publish_due(ports.store, ports.bus, kind, now, self._policies)
        self._sealing.seal(now)
