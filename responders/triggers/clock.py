"""on_clock: publish due work, run the probes, and run the periodic jobs."""

import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from responders.backups.database_copy import advance_copies
from responders.backups.export import advance_exports
from responders.backups.native_backups import check_native_backups
from responders.backups.restore_test import advance_restore_tests
from responders.data.erasure_ledger import update_due_ledgers
from responders.deployments.pin_check import send_reminder
from responders.jobs.asset_check import check_due_assets
from responders.jobs.audit_anchor import write_anchors
from responders.jobs.audit_seal import AuditSealer
from responders.jobs.data_check import advance_data_checks
from responders.jobs.monthly_stats import record_tallies
from responders.jobs.probes import ProbeRunner
from responders.rollback.isolation import fence_command
from responders.support.dead_letters import create_once
from shared.core import log
from shared.core.errors import Exists, RollbackError
from shared.core.pubsub_message import PubSubMessage
from shared.core.store import Create
from shared.core.text import cut_reason
from shared.domain.audit.system_chain import system_event
from shared.domain.policy.system_policy import Policies
from shared.domain.signals.probe_history import PROBE_INTERVAL
from shared.domain.system_record import ALL_SYSTEMS
from shared.engine.lease import DUE_TIME_SKEW_TOLERANCE
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.reader import StateReader

TICK_RETENTION = timedelta(hours=1)
SWEEP_INTERVAL_SECONDS = 30
SWEEP_TIME_PATH = "ticks/time"
"""A document that does not exist: reading it tells the store's time."""
STAGE_FAILED_EVENT = "sweep.stage-failed"
OVERDUE_AFTER = timedelta(minutes=2)
"""Work that is due for longer was published several times, and no worker has done it."""

MINUTELY_JOBS: Mapping[str, Callable[[Ports, Policies], None]] = {
    "exports": advance_exports,
    "erasure ledgers": update_due_ledgers,
    "database copies": advance_copies,
    "restore tests": advance_restore_tests,
    "backup checks": check_native_backups,
    "asset checks": check_due_assets,
    "data checks": advance_data_checks,
}


class ClockTrigger:
    """Sweeps twice a minute; a second tick in the same half minute does nothing."""

    def __init__(self, ports: Ports, policies: Policies) -> None:
        self._ports = ports
        self._policies = policies
        self._audit_sealer = AuditSealer(ports, policies)
        if ports.buckets.anchors is None:
            log.write("WARNING", "no ROLLBACK_AUDIT_BUCKET: the audit trail is anchored nowhere")

    def receive(self, message: PubSubMessage) -> None:
        """Sweep and probe now and, in the same invocation, half a minute later.

        A redelivery sweeps the half minutes that are left. A second tick ends at once where the
        first one sweeps both: two would be paid for waiting. No probe delays a sweep; late answers,
        backups and data checks follow. The monotonic clock measures the half minute: the wall
        clock may be corrected meanwhile. Raises: Unavailable, if the store's time cannot be read or
        no half minute can be claimed.
        """
        now = self._read_time()
        clock, looks = self._ports.clock, ProbeRunner(self._ports, self._policies)
        into = timedelta(seconds=now.second % SWEEP_INTERVAL_SECONDS, microseconds=now.microsecond)
        second = now - into + PROBE_INTERVAL
        until = clock.monotonic() + (second - now).total_seconds()
        try:
            claimed = [self._sweep_once(looks, now, message.id, second)]
            if claimed[0] is None and self._is_in_other_hands(now, message.id, second):
                return
            clock.sleep(max(0.0, until - clock.monotonic()))
            claimed.append(self._sweep_once(looks, max(second, self._read_time()), message.id, second))
            self.run_stage("late probe answers", looks.record_late_answers)
        finally:
            looks.close()
        if any(one and one.second < SWEEP_INTERVAL_SECONDS for one in claimed):  # once a minute
            for stage, job in MINUTELY_JOBS.items():
                self.run_stage(stage, partial(job, self._ports, self._policies))

    def _read_time(self) -> datetime:
        """Return this instance's time, or the store's if the two clocks are seconds apart."""
        now, read_at = self._ports.clock.now(), self._ports.store.get(SWEEP_TIME_PATH).read_at
        return now if abs(read_at - now) < DUE_TIME_SKEW_TOLERANCE else read_at

    def _is_in_other_hands(self, now: datetime, tick: str, second: datetime) -> bool:
        """Whether another tick claimed this half minute and sweeps the second one as well."""
        claim = self._ports.store.get(work_queue.sweep_path(now)).fields or {}
        return claim.get("tick") != tick and claim.get("until", now) >= second

    def _sweep_once(self, looks: ProbeRunner, now: datetime, tick: str, until: datetime) -> datetime | None:
        """Claim the half minute, publish its work and probe; None: another tick claimed it."""
        try:
            fields = {"at": now, "tick": tick, "until": until, "expires_at": now + TICK_RETENTION}
            claimed_at = self._ports.store.commit([Create(work_queue.sweep_path(now), fields)])
        except Exists:  # the other Scheduler job's tick has it
            return None
        self.run_stage("probes", partial(looks.start_probes, claimed_at))
        self.sweep(now)
        self.run_stage("probe answers", looks.record_early_answers)
        return now

    def sweep(self, now: datetime) -> None:
        """Publish the work that is due, and run the jobs of each half minute, each as a stage.

        A write fence is published although its system has no policy any more. Heads of audit chains
        are anchored before new seals are made: a seal that fails does not delay them.
        """
        run, ports, policies = self.run_stage, self._ports, self._policies
        for kind in work_queue.COLLECTION_BY_KIND:
            run(f"due work: {kind}", partial(self._publish_due_work, kind, now))
        run("unanswered incidents", partial(self._report_unanswered_incidents, now))
        run("write fences", partial(fence_command.publish_orphaned_fences, ports, policies, now))
        run("status pages", partial(self._publish_status_pages, now))
        for system, policy in policies.items():
            run(f"pin reminders: {system}", partial(send_reminder, ports, policy, now))
            run(f"statistics: {system}", partial(record_tallies, ports.store, policy, now))
        run("audit anchors", partial(write_anchors, ports))
        for system in self._audit_sealer.chains:
            run(f"audit seals: {system}", partial(self._audit_sealer.seal, system, now))

    def run_stage(self, stage: str, work: Callable[[], object]) -> None:
        """Run a stage; report a failure in the log and, once an hour, in the audit log."""
        try:
            work()
        except Exception as failure:
            now, fault = self._ports.clock.now(), cut_reason(f"{type(failure).__name__}: {failure}")
            message = "a stage of the sweep failed; the others go on"
            fields = {"event": STAGE_FAILED_EVENT, "stage": stage, "fault": fault}
            log.write("ERROR", message, **fields, stack_trace=traceback.format_exc())
            key, name = f"{STAGE_FAILED_EVENT}:{stage}:{now:%Y%m%dT%H}", STAGE_FAILED_EVENT
            event = system_event(ALL_SYSTEMS, key, name, now, "on_clock", stage=stage, fault=fault)
            with suppress(RollbackError):  # the store may be what failed: the log has it
                create_once(self._ports, event)

    def _publish_due_work(self, kind: str, now: datetime) -> None:
        """Publish it; log the age of the oldest for an alert (terraform/log_metrics.tf)."""
        ports = self._ports
        since = work_queue.publish_due_items(ports.store, ports.bus, kind, now, self._policies)
        if since is not None:
            seconds = int((now - since).total_seconds())
            severity = "WARNING" if now - since > OVERDUE_AFTER else "INFO"
            message = f"the oldest {kind} has been due for {seconds} s"
            log.write(severity, message, event="work.due", kind=kind, due_seconds=seconds)

    def _report_unanswered_incidents(self, now: datetime) -> None:
        """Log them; Cloud Monitoring notifies its pager channels (responder_alerts.tf)."""
        reading = StateReader(self._ports.store)
        for system in self._policies:
            for name in reading.system(system).open_incidents:
                incident = reading.incident(name)
                if incident is not None and incident.is_unanswered(now):
                    message = "nobody has acknowledged the incident"
                    log.write("WARNING", message, event="incident.unanswered", incident=name)

    def _publish_status_pages(self, now: datetime) -> None:
        if self._ports.notices.pages is not None:
            for system in self._policies:
                work_queue.publish_work_item(self._ports.bus, work_queue.STATUS_PAGE, system, now)
