"""on_clock: publish due work, run the probes, and run the periodic jobs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from responders.backups.database_copy import MakingCopies
from responders.backups.export import BackingUp
from responders.backups.managed_backups import Watching
from responders.backups.restore_test import ProvingBackups
from responders.data.erasure import Erasing
from responders.jobs.asset_check import Inspecting
from responders.jobs.audit_anchor import Anchoring
from responders.jobs.audit_seal import Sealing
from responders.jobs.data_check import Checking
from responders.jobs.monthly_stats import Tallying
from responders.jobs.pin_reminders import Reminding
from responders.jobs.probes import Probing
from responders.rollback.isolation import fence_command
from shared.core import log
from shared.core.errors import Exists
from shared.core.store import Create
from shared.domain.policy.model import Policy
from shared.domain.signals.probe_history import HALF_MINUTE
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.envelope import Message

TICKS_KEPT_FOR = timedelta(hours=1)
SECONDS_OF_A_SWEEP = 30
OVERDUE = timedelta(minutes=2)
"""Work that is due for longer was published several times, and no worker has done it."""


class ClockTrigger:
    """Sweeps twice a minute; a second tick in the same half minute does nothing."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = policies
        self._sealing = Sealing(ports, policies)
        self._reminding = Reminding(ports, policies)
        self._tallying = Tallying(ports, policies)
        self._anchoring = Anchoring(ports)
        self._backing_up = BackingUp(ports, policies)
        self._erasing = Erasing(ports, policies)
        self._proving_backups = ProvingBackups(ports, policies)
        self._making_copies = MakingCopies(ports, policies)
        self._watching = Watching(ports, policies)
        self._inspecting = Inspecting(ports, policies)
        self._checking = Checking(ports, policies)

    def receive(self, message: Message) -> None:
        """Sweep and probe now and, in the same invocation, half a minute later.

        The content of a tick is not read: its time of arrival counts. A redelivery sweeps the half
        minutes that are left. No probe delays a sweep; the last ones may take a minute more, and
        backups and checks of data follow them. The monotonic clock measures the half minute: the
        wall clock may be corrected meanwhile.
        Raises: Unavailable.
        """
        del message
        clock, looks = self._ports.clock, Probing(self._ports, self._policies)
        now = clock.now()
        into = timedelta(seconds=now.second % SECONDS_OF_A_SWEEP, microseconds=now.microsecond)
        second = now - into + HALF_MINUTE
        until = clock.monotonic() + (second - now).total_seconds()
        try:
            claimed = [self._sweep_once(looks, now)]
            clock.sleep(max(0.0, until - clock.monotonic()))
            claimed.append(self._sweep_once(looks, max(second, clock.now())))
            looks.finish()
        finally:
            looks.close()
        if any(one and one.second < SECONDS_OF_A_SWEEP for one in claimed):  # once a minute
            self._backing_up.back_up()
            self._erasing.learn()
            self._making_copies.carry_on()
            self._proving_backups.prove()
            self._watching.watch()
            self._inspecting.inspect()
            self._checking.check()

    def _sweep_once(self, looks: Probing, now: datetime) -> datetime | None:
        """Claim the half minute, publish all work that is due in it, and run the probes.

        Return the time of the sweep; None: the half minute was claimed already.
        """
        try:
            claimed_at = self._ports.store.commit(
                [Create(work_queue.tick(now), {"at": now, "expires_at": now + TICKS_KEPT_FOR})]
            )
        except Exists:  # the other Scheduler job's tick has it
            return None
        looks.begin(claimed_at)
        self.sweep(now)
        looks.keep()
        return now

    def sweep(self, now: datetime) -> None:
        """Publish the work that is due, and run the jobs of each half minute.

        A write fence is published although its system has no policy any more. The audit heads are
        anchored last: nothing waits for that.
        """
        ports = self._ports
        for kind in work_queue.COLLECTIONS:
            since = work_queue.publish_due(ports.store, ports.bus, kind, now, self._policies)
            if since is not None:
                _tell(kind, now - since)
        fence_command.hand_over_orphans(ports, self._policies, now)
        if ports.notices.pages is not None:
            for system in self._policies:
                work_queue.publish(ports.bus, work_queue.PAGE, system, now)
        self._reminding.remind(now)
        self._tallying.tally(now)
        self._sealing.seal(now)
        self._anchoring.anchor()


def _tell(kind: str, due_for: timedelta) -> None:
    """Log the age of the oldest work, for a dashboard and an alert (terraform/log_metrics.tf)."""
    seconds = int(due_for.total_seconds())
    severity = "WARNING" if due_for > OVERDUE else "INFO"
    message = f"the oldest {kind} has been due for {seconds} s"
    log.write(severity, message, event="work.due", kind=kind, due_seconds=seconds)
