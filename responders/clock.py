"""on_clock: whatever is due and was dropped on the way is handed on again; probes are asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from responders.anchoring import Anchoring
from responders.probing import Probing
from responders.sealing import Sealing
from shared import handover, log
from shared.envelope import Message
from shared.errors import Exists
from shared.looks import HALF_MINUTE
from shared.policy import Policy
from shared.ports import Create, Ports

TICKS_KEPT_FOR = timedelta(hours=1)
OVERDUE = timedelta(minutes=2)
"""What has been due for longer was handed on several times, and nobody has done it."""


class Clock:
    """Sweeps twice a minute; a second Scheduler job's tick in the same half minute does nothing."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = policies
        self._sealing = Sealing(ports, policies)
        self._anchoring = Anchoring(ports)

    def receive(self, message: Message) -> None:
        """Sweep and look now and, in the same invocation, half a minute later.

        A tick's content says nothing: its time of arrival counts. A redelivery sweeps the half
        minutes that are left. No look holds up a sweep; the last ones may take a minute more.
        Raises: Unavailable.
        """
        del message
        clock, looks = self._ports.clock, Probing(self._ports, self._policies)
        now = clock.now()
        into = timedelta(seconds=now.second % 30, microseconds=now.microsecond)
        second = clock.monotonic() + (HALF_MINUTE - into).total_seconds()
        try:
            self._sweep_once(looks)
            clock.sleep(max(0.0, second - clock.monotonic()))
            self._sweep_once(looks)
            looks.finish()
        finally:
            looks.close()

    def _sweep_once(self, looks: Probing) -> None:
        """Claim the present half minute, publish all that is due in it, and look from outside."""
        now = self._ports.clock.now()
        try:
            claimed_at = self._ports.store.commit(
                [Create(handover.tick(now), {"at": now, "expires_at": now + TICKS_KEPT_FOR})]
            )
        except Exists:  # the other Scheduler job's tick has it
            return
        looks.begin(claimed_at)
        self.sweep(now)
        looks.keep()

    def sweep(self, now: datetime) -> None:
        """Publish every rollback, notice and rehearsal that is due; seal events each quarter.

        Heads are anchored last: nothing waits for that.
        """
        ports = self._ports
        for kind in handover.COLLECTIONS:
            since = handover.publish_due(ports.store, ports.bus, kind, now, self._policies)
            if since is not None and now - since > OVERDUE:
                _tell(kind, now - since)
        self._sealing.seal(now)
        self._anchoring.anchor()


def _tell(kind: str, overdue: timedelta) -> None:
    """A line for the alert on work that nobody does (terraform/log_metrics.tf counts it)."""
    seconds = int(overdue.total_seconds())
    message = f"overdue: a {kind} has been due for {seconds} s"
    log.write("WARNING", message, event="work.overdue", kind=kind, overdue_seconds=seconds)
