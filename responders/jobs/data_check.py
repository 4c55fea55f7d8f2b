"""on_clock: check the newest writes each minute and all data on schedule; damage opens an alert."""

import shlex
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from responders.data.document_check import DocumentChecker, read_known_damage
from responders.jobs.internal_alerts import ACTOR, build_finding_event, record_findings
from responders.support.parallel_calls import call_one
from shared.core import log
from shared.core.durations import floor_to_minute
from shared.core.errors import Moved, Rejected, Unavailable
from shared.core.store import Document
from shared.domain.audit.system_chain import system_event
from shared.domain.data.integrity import damage
from shared.domain.data.integrity.damage import DamageFinding, IntegrityRecord
from shared.domain.data.integrity.scan import ScanRun, describe_coverage, peak_counts
from shared.domain.data.repair.repair_plan import SelectionKind
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policies, Policy
from shared.domain.signals.labels import signal_label
from shared.ports.groups import Ports
from shared.state.reader import StateReader
from shared.state.work_queue import commit_with_notices

CHECK_TIME_LIMIT_SECONDS = 15.0
"""Of each system, each minute: the rest comes with the next one."""
RESTORE_HINT = "when no more documents become invalid, restore them with"
MINIMUM_READ_HISTORY = timedelta(hours=1)
"""How far any database can be read back (https://firebase.google.com/docs/firestore/pitr)."""


def advance_data_checks(ports: Ports, policies: Policies) -> None:
    """Advance running checks of declared data; begin due ones. Raises: Unavailable (our store)."""
    for policy in policies.values():
        if not policy.collections:
            continue
        document, before = read_known_damage(ports, policy)
        _carry_forward(ports, policy, document, before)


def _carry_forward(ports: Ports, policy: Policy, document: Document, before: IntegrityRecord) -> None:
    """One commit: what was seen, what it means, and who is told; then the alerts, if any."""
    now, examining = document.read_at, DocumentChecker(ports, policy)
    after = before
    try:
        after = _check_newest_writes(ports, examining, policy, before, now)
        if before.run is not None or damage.due_scan_reason(before, policy, now):
            run = before.run or _begin_run(examining, policy, before, now)
            run, failure = examining.advance(run, CHECK_TIME_LIMIT_SECONDS)
            after = replace(after, run=run, asked="" if before.run is None else before.asked)
            if failure is not None:
                raise failure
            if run.is_over:
                after = _conclude_run(ports, examining, policy, after, run, now)
    except Unavailable as no_answer:
        log.write("WARNING", f"the data of {policy.system}: {no_answer}")
    except Rejected as refused:
        log.write("ERROR", f"the data of {policy.system} cannot be read: {refused}")
        after = replace(after, run=None, asked="", failure=str(refused), failed_at=now)
    if after != before:
        _save_record(ports, policy, document, before, after, now)
    else:
        _record_alerts(ports, policy, before, document.version, now)


def _check_newest_writes(
    ports: Ports, examining: DocumentChecker, policy: Policy, record: IntegrityRecord, now: datetime
) -> IntegrityRecord:
    """Return the record with the damage that the newest writes show, before a run is due."""
    try:
        run = examining.check_newest_writes(now)
    except Rejected as refused:  # an index may be missing: the runs go on
        log.write("ERROR", f"the newest writes of {policy.system} cannot be checked: {refused}")
        return record
    new = tuple(
        _build_finding(ports, examining, policy, run, signal, now)
        for signal in damage.DAMAGE_SIGNALS
        if signal in policy.signals
        and signal not in record.open_findings
        and damage.is_above_threshold(run, signal, policy)
    )
    return replace(record, findings=(*record.findings, *new))


def _begin_run(examining: DocumentChecker, policy: Policy, before: IntegrityRecord, now: datetime) -> ScanRun:
    counted = ((one.at, one.counts) for one in before.counted)
    levels = peak_counts(counted, now - policy.integrity.drop_within)
    return examining.begin(damage.due_scan_reason(before, policy, now), floor_to_minute(now), levels)


def _conclude_run(
    ports: Ports,
    examining: DocumentChecker,
    policy: Policy,
    record: IntegrityRecord,
    run: ScanRun,
    now: datetime,
) -> IntegrityRecord:
    known_ones = {one.id(policy.system): one for one in record.findings}
    for signal in damage.DAMAGE_SIGNALS:
        if signal not in policy.signals:
            continue
        known = record.open_findings.get(signal)
        if damage.is_above_threshold(run, signal, policy):
            if known is None:
                found = _build_finding(ports, examining, policy, run, signal, now)
                known_ones[found.id(policy.system)] = found
        elif (
            known is not None
            and known.since <= run.at  # the newest writes may have shown it while the run went on
            and damage.is_conclusive(run)
            and (run.is_whole or not examining.is_still_damaged(known.samples, run.at))
        ):  # a sample has not looked at just what was found
            known_ones[known.id(policy.system)] = replace(known, closed_at=now)
    return replace(damage.record_completed_run(record, run, policy), findings=tuple(known_ones.values()))


def _build_finding(
    ports: Ports, examining: DocumentChecker, policy: Policy, run: ScanRun, signal: str, now: datetime
) -> DamageFinding:
    """The damage, since when it is there, and what was changed before. Raises: Unavailable."""
    began, is_within = examining.find_first_damage(run, signal, _find_read_limit(ports, policy, now))
    how = damage.ONSET_ASSUMPTION
    if began is None:
        how = "not known: no earlier version of the invalid documents can be read"
    elif not is_within:
        how = "at the latest: it began before the oldest version that can be read"
    onset, collections = began or run.at, tuple(damage.fault_counts(run, signal))
    deployments = StateReader(ports.store).every_deployment(policy.system)
    return DamageFinding(
        signal=signal,
        since=run.at,
        onset_at=onset,
        onset=how,
        reason=damage.describe_damage(run, signal),
        collections=collections,
        samples=damage.samples(run, signal),
        suspects=damage.suspects(deployments, policy, collections, onset),
    )


def _find_read_limit(ports: Ports, policy: Policy, now: datetime) -> datetime:
    """How far back the database can be read; an hour, where it does not say."""
    database = partial(ports.system(policy.system).backups.database, policy.integrity.database)
    try:
        earliest: datetime = call_one(ports, database).earliest_at
    except Rejected:
        return now - MINIMUM_READ_HISTORY + damage.MINUTE
    return earliest + damage.MINUTE


def _save_record(
    ports: Ports,
    policy: Policy,
    document: Document,
    before: IntegrityRecord,
    after: IntegrityRecord,
    now: datetime,
) -> None:
    changes = [one for one in after.findings if one not in before.findings]
    said = [notice for one in changes for notice in _build_damage_notices(policy, one, now)]
    if after.failure and not before.failure:
        text = f"{policy.system}: its data cannot be checked: {after.failure}"
        key = f"integrity-{policy.system}-{now:%Y%m%dT%H%M%S%f}"
        said += create_notices(policy, key, Severity.HIGH, "data-unseen", text, now)
    events = [build_finding_event(policy, one, now) for one in changes]
    if after.last is not None and after.last != before.last:
        run = after.last
        found = describe_coverage(run, policy.integrity)
        key = f"integrity:{run.began_at:%Y%m%dT%H%M%S%f}"
        event = system_event(policy.system, key, "integrity.looked", now, ACTOR, why=run.why, found=found)
        events.append(event)
    try:
        version = commit_with_notices(ports, [document.build_write(after), *events], said)
    except Moved:  # another instance has looked, and told
        return
    _record_alerts(ports, policy, after, version, now)


def _record_alerts(
    ports: Ports, policy: Policy, record: IntegrityRecord, version: datetime | None, now: datetime
) -> None:
    record_findings(ports, policy, damage.damage_path(policy.system), record.findings, version, now)


def _build_damage_notices(policy: Policy, finding: DamageFinding, now: datetime) -> list[Notice]:
    severity = policy.signals[finding.signal].severity
    system = policy.display_name or policy.system
    lines = [f"{system}: {signal_label(finding.signal)}: {finding.reason}"]
    if finding.closed_at is not None:
        lines = [f"{system}: {signal_label(finding.signal)} has ended: {finding.reason}"]
    else:
        lines.append(f"since {finding.onset_at:%Y-%m-%d %H:%M:%S} UTC ({finding.onset})")
        lines += [f"changed before: {one}" for one in finding.suspects]
        if not finding.suspects:
            lines.append("no earlier change is known")
        if finding.signal == damage.CORRUPTION_SIGNAL:
            words = ["rollback", "run", "--system", policy.system, "--scenario", "database"]
            words += ["--select", SelectionKind.INVALID.value, "--reason", "damage"]
            lines.append(f"{RESTORE_HINT}: {shlex.join(words)}")
    key = f"{finding.id(policy.system)}-{finding.state}".replace(":", "-")
    name = f"data-{finding.state}"
    return create_notices(policy, key, severity, name, "\n".join(lines), now, signal=finding.signal)
