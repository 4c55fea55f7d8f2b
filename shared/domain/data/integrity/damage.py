"""Damage found in data: what it means, when it began, and whether its writer has stopped. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from msgspec.structs import replace

from shared.core.codec import FrozenStruct, StoredDocument, documents_of
from shared.core.durations import ceil_to_minute, format_duration
from shared.domain.data.integrity.scan import (
    MAX_SAMPLES_PER_COLLECTION,
    CollectionTally,
    FaultSample,
    ScanRun,
)
from shared.domain.data.integrity.validator import IntegrityCheck
from shared.domain.deployments.deployment import Deployment
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.system_policy import Policy

CORRUPTION_SIGNAL = "database_corruption"
LOSS_SIGNAL = "data_loss"
DAMAGE_SIGNALS = (CORRUPTION_SIGNAL, LOSS_SIGNAL)
SIGNAL_OF = {
    IntegrityCheck.SCHEMA: CORRUPTION_SIGNAL,
    IntegrityCheck.REFERENCE: CORRUPTION_SIGNAL,
    IntegrityCheck.QUERY: CORRUPTION_SIGNAL,
    IntegrityCheck.MEDIA: LOSS_SIGNAL,
    IntegrityCheck.COUNT: LOSS_SIGNAL,
}
"""What a fault of each kind is to the rest of the system."""
MINUTE = timedelta(minutes=1)
MAX_STORED_COUNTS = 48
"""So many counts are kept at most of the span in which documents are counted."""
RETRY_INTERVAL = timedelta(minutes=10)
"""So long after one that failed a run is tried again."""
DAMAGED_INTERVAL = timedelta(hours=1)
"""A run begins this often while damage is known: its end is observed by runs."""
ONSET_ASSUMPTION = "found by looking back minute by minute, which assumes that damage stays"
damage_path = documents_of("integrity")


class DamageFinding(FrozenStruct):
    """Damage of one kind, from the run that found it until one that finds none."""

    function: ClassVar[None] = None
    cancelled: ClassVar[bool] = False
    signal: str
    since: datetime
    """When the run that found it first looked."""
    onset_at: datetime
    """When it began, as far as that can be known."""
    onset: str
    """How that is known."""
    reason: str
    collections: tuple[str, ...]
    samples: tuple[FaultSample, ...]
    suspects: tuple[str, ...]
    """What was deployed or changed before it began, the newest first."""
    closed_at: datetime | None = None
    recorded: str = ""
    """The newest state (open, closed) of which an alert is on record; empty: none, yet."""

    @property
    def state(self) -> str:
        """What an alert says of it."""
        return "open" if self.closed_at is None else "closed"

    def id(self, system: str) -> str:
        """The name by which it is one and the same."""
        return f"integrity:{system}:{self.signal}:{self.since.astimezone(UTC):%Y%m%dT%H%M%SZ}"


class DocumentCounts(FrozenStruct):
    """How many documents there were."""

    at: datetime
    counts: dict[str, int]


class IntegrityRecord(StoredDocument):
    """What is kept of the integrity of one system's data."""

    system: str
    run: ScanRun | None = None
    last: ScanRun | None = None
    """The newest that was carried to its end."""
    asked: str = ""
    """Who wants a run before its time, and why; empty: nobody."""
    failure: str = ""
    """Why the newest run could not be carried to its end; empty: it was."""
    failed_at: datetime | None = None
    counted: tuple[DocumentCounts, ...] = ()
    """Oldest first."""
    findings: tuple[DamageFinding, ...] = ()
    """The open ones, and those whose end is not on record yet."""

    @property
    def open_findings(self) -> dict[str, DamageFinding]:
        """The open findings, by signal."""
        return {one.signal: one for one in self.findings if one.closed_at is None}

    @property
    def last_valid_at(self) -> datetime | None:
        """The minute before the damage, else of a whole check without a fault; else None."""
        began = [one.onset_at for one in self.open_findings.values()]
        if began:
            return ceil_to_minute(min(began)) - MINUTE
        last = self.last
        if last is None or not last.is_whole or not is_conclusive(last):
            return None
        return None if any(one.faulty for one in last.tallies.values()) else last.at


def fault_counts(run: ScanRun, signal: str) -> dict[str, int]:
    """How many faults of a signal's kind there are, by collection; one without any is left out."""
    counts = Counter[str]()
    for name, tally in run.tallies.items():
        for check, count in tally.checks.items():
            if SIGNAL_OF[check] == signal:
                counts[name] += count
    if signal == LOSS_SIGNAL:
        counts.update([*run.dropped])
    return counts


def samples(run: ScanRun, signal: str) -> tuple[FaultSample, ...]:
    """Some faults of that kind, those of the documents written first."""
    found = [one for tally in run.tallies.values() for one in tally.samples if SIGNAL_OF[one.check] == signal]
    return tuple(sorted(found, key=lambda one: one.updated_at)[:MAX_SAMPLES_PER_COLLECTION])


def record_completed_run(record: IntegrityRecord, run: ScanRun, policy: Policy) -> IntegrityRecord:
    """The record once a run was carried to its end, with how many documents there were."""
    span = policy.integrity.drop_within
    counted = tuple(one for one in record.counted if one.at >= run.at - span)
    if not counted or run.at - counted[-1].at >= span / MAX_STORED_COUNTS:
        counted = (*counted, DocumentCounts(run.at, run.counts))
    last = replace(run, stretches=(), place=0)
    return replace(record, run=None, last=last, failure="", failed_at=None, counted=counted)


def due_scan_reason(record: IntegrityRecord, policy: Policy, now: datetime) -> str:
    """Why a run is to begin now; empty: none is."""
    if record.asked:
        return record.asked
    if record.failed_at is not None:
        return "again" if now >= record.failed_at + RETRY_INTERVAL else ""
    every = min(policy.integrity.every, DAMAGED_INTERVAL if record.open_findings else timedelta.max)
    if record.last is None or now >= record.last.began_at + every:
        return "by schedule"
    return ""


def is_conclusive(run: ScanRun) -> bool:
    """Whether everything that was looked at could be judged."""
    return not any(one.unknown for one in run.tallies.values())


def is_above_threshold(run: ScanRun, signal: str, policy: Policy) -> bool:
    """Whether there are as many faults of that kind as the policy's threshold says."""
    return sum(fault_counts(run, signal).values()) >= (policy.signals[signal].threshold or 1)


def describe_damage(run: ScanRun, signal: str) -> str:
    """What is wrong, by collection, in a line; without anything that stands in a document."""
    parts = []
    for name in sorted(fault_counts(run, signal)):
        if signal == LOSS_SIGNAL and name in run.dropped:
            left, before = run.counts[name], run.dropped[name].count
            parts.append(f"{name}: {left} of {before} documents are left")
        tally = run.tallies.get(name, CollectionTally())
        kinds = [one for one in tally.checks if SIGNAL_OF[one] == signal]
        if kinds:
            most = max(tally.checks[one] for one in kinds)
            words = f"{most} of {tally.documents} documents fail ({', '.join(sorted(kinds))})"
            parts.append(f"{name}: {words}")
    return "; ".join(parts)


class OnsetSearch(FrozenStruct):
    """The first minute at which something was wrong, looked for by halves."""

    low: datetime
    """Nothing was wrong then, or nobody has looked yet."""
    high: datetime
    """Something was."""
    is_low_known: bool = False

    @property
    def next_look(self) -> datetime | None:
        """The minute to look at next; None: it is found, or lies before all that can be read."""
        if not self.is_low_known:
            return self.low
        if self.high - self.low <= MINUTE:
            return None
        return self.low + max(1, (self.high - self.low) // MINUTE // 2) * MINUTE

    def record_look(self, at: datetime, *, bad: bool) -> OnsetSearch:
        """The search after that look. Damage at its lower end lies before all that can be read."""
        if bad:
            return replace(self, high=at, is_low_known=True, low=min(self.low, at))
        return replace(self, low=at, is_low_known=True)

    @property
    def is_within(self) -> bool:
        """Whether the minute before was seen to be good."""
        return self.is_low_known and self.low < self.high


def suspects(
    deployments: Iterable[Deployment], policy: Policy, collections: Collection[str], onset: datetime
) -> tuple[str, ...]:
    """Return what possible writers changed in the suspect window before the onset, newest first."""
    writers = writer_functions(policy, collections)
    found = []
    for one in sorted(deployments, key=lambda it: it.at, reverse=True):
        if not (one.not_before or one.at) <= onset <= one.at + policy.gates.suspect_window:
            continue
        functions = sorted(set(one.changed_functions) & writers)
        beside = (it for it in one.changes if it.part is not InventoryPart.FUNCTIONS)
        changed = [*functions, *(f"{it.part} {it.name}" for it in beside)]
        if changed:
            names = ", ".join(changed[:5]) + (" and more" if len(changed) > 5 else "")
            found.append(f"{one.id} of {one.at.astimezone(UTC):%H:%M:%S} UTC: {names}")
    return tuple(found)


def writer_functions(policy: Policy, collections: Iterable[str]) -> set[str]:
    """The functions that write these collections; where one does not say who, all of them."""
    found = set()
    for name in collections:
        declared = policy.collections.get(name)
        groups = declared.writers if declared is not None else ()
        found |= {function for function, group in policy.functions.items() if not groups or group in groups}
    return found


class WriterStatus(FrozenStruct):
    """Whether the writer of damage has stopped, so that data may be moved."""

    is_quiet: bool | None
    """None: not known."""
    reason: str
    again_at: datetime | None = None
    """When it is worth looking again; None: now, or never."""


def evaluate_writer(
    run: ScanRun | None, before: ScanRun | None, policy: Policy, now: datetime
) -> WriterStatus:
    """Whether no new invalid document appeared for as long as the policy asks, by a fresh look.

    The look must have been at every document and at all that it names, and be no older than that
    time itself: what was written since is not known. A document tells when it was written; what is
    missing tells no time, and needs the look `before`, so long ago, that found as much missing.
    """
    span = policy.integrity.quiet
    if run is None or not run.is_over:
        return WriterStatus(None, "the data have not been looked through")
    if now - run.at > span:
        return WriterStatus(None, f"the data were looked through at {run.at:%H:%M} UTC: too long ago")
    if not run.is_whole or not is_conclusive(run):
        return WriterStatus(None, "not every document could be looked at")
    if run.newest_at is not None and run.newest_at + span > run.at:
        written = f"an invalid document was written at {run.newest_at:%H:%M:%S} UTC"
        return WriterStatus(False, written, run.newest_at + span)
    if _count_missing(run) and (before is None or before.at + span > run.at):
        return WriterStatus(None, "since when things are missing is not known", (before or run).at + span)
    if before is not None and _count_missing(run) > _count_missing(before):
        return WriterStatus(False, f"more is missing than at {before.at:%H:%M} UTC", run.at + span)
    return WriterStatus(
        True, f"nothing invalid appeared in the {format_duration(span)} before {run.at:%H:%M} UTC"
    )


def comparison_run(before: ScanRun | None, run: ScanRun) -> ScanRun:
    """Return the scan to compare with: the first, or the newest with more missing documents."""
    return run if before is None or _count_missing(run) > _count_missing(before) else before


def _count_missing(run: ScanRun) -> int:
    """The faults that may come about although nobody writes the document that has them."""
    counts = (one.checks for one in run.tallies.values())
    named = sum(it.get(IntegrityCheck.REFERENCE, 0) + it.get(IntegrityCheck.MEDIA, 0) for it in counts)
    return named + sum(run.dropped[name].count - run.counts[name] for name in run.dropped)
