"""What our own probes saw, and what it means: signals open and close, by windows and hysteresis.

A probe that feeds a signal is looked through each half minute. One bad look opens nothing: what
passes by itself heals without an incident. A look that could not be made is not among the looks,
and thin data says nothing: it neither opens nor closes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from shared.core.codec import StoredDocument, documents_of
from shared.domain.policy.probes import Probe
from shared.domain.policy.signals import Signal, Unit
from shared.domain.policy.system_policy import Policy
from shared.domain.signals import probe_history
from shared.domain.signals.registry import SIGNALS

MIN_PASSES_TO_CLOSE = 3
"""So many good looks in a row close a signal."""
probes_path = documents_of("probes")
"""Where the record of a system's probes is kept."""


class ProbeFinding(Struct, frozen=True):
    """A signal that opened, and perhaps closed again."""

    signal: str
    probe: str
    function: str | None
    """The one that the probe exercises."""
    since: datetime
    """The half minute of the first bad look."""
    onset_at: datetime
    """When that look had ended."""
    reason: str
    usual_seconds: float | None = None
    """What the probe usually took before; None: unknown."""
    closed_at: datetime | None = None
    cancelled: bool = False
    """Closed because no probe feeds the signal any more: nobody recovered."""
    recorded: str = ""
    """The newest state (open, closed) of which an alert is on record; empty: none, yet."""

    @property
    def state(self) -> str:
        """What an alert says of it."""
        return "open" if self.closed_at is None else "closed"

    def id(self, system: str) -> str:
        """The name by which it is one and the same."""
        return f"probe:{system}:{self.signal}:{self.since.astimezone(UTC):%Y%m%dT%H%M%SZ}"


class ProbeRecord(StoredDocument, frozen=True):
    """What is kept of the probes of one system."""

    system: str
    since: datetime
    looks: dict[str, tuple[probe_history.ProbeResult, ...]] = field(default_factory=dict)
    """By probe, oldest first."""
    findings: tuple[ProbeFinding, ...] = ()
    """The open ones, and those whose end is not on record yet."""
    closed: dict[str, datetime] = field(default_factory=dict)
    """When each signal closed the last time: looks until then open nothing."""
    warned: dict[str, datetime] = field(default_factory=dict)
    """When people were warned of each signal the last time."""


def probes_by_signal(policy: Policy) -> dict[str, list[Probe]]:
    """The probes that feed each signal; a probe that feeds none is not asked by the clock."""
    fed: dict[str, list[Probe]] = {}
    for probe in policy.probes:
        if probe.signal in policy.signals:
            fed.setdefault(probe.signal, []).append(probe)
    return fed


def extend_timeout(probe: Probe, policy: Policy) -> Probe:
    """The probe as the clock asks it: a threshold in seconds must have time to be crossed."""
    signal = policy.signals[probe.signal or ""]
    seconds = probe.timeout.total_seconds()
    if SIGNALS[probe.signal or ""].unit is Unit.SECONDS and signal.threshold is not None:
        seconds = signal.threshold + 1.0
    return replace(probe, timeout=timedelta(seconds=min(seconds, probe_history.MAX_PROBE_SECONDS)))


def record_results(
    record: ProbeRecord, looks: Mapping[str, Iterable[probe_history.ProbeResult]], policy: Policy
) -> ProbeRecord:
    """Add results, one for each half minute; forget probes that feed no signal."""
    kept = {}
    for probes in probes_by_signal(policy).values():
        for probe in probes:
            results = {result.at: result for result in looks.get(probe.name, ())}
            for stored in record.looks.get(probe.name, ()):
                if stored.at not in results or stored.answers >= results[stored.at].answers:
                    results[stored.at] = stored
            newest = sorted(results)[-probe_history.MAX_STORED_RESULTS :]
            kept[probe.name] = tuple(results[at] for at in newest)
    return replace(record, looks=kept)


def detect_changes(record: ProbeRecord, policy: Policy, now: datetime) -> tuple[ProbeFinding, ...]:
    """The signals that open and those that close now, each with its reason; empty: no change."""
    open_ones = {one.signal: one for one in record.findings if one.closed_at is None}
    fed = probes_by_signal(policy)
    changes = []
    for name, probes in fed.items():
        found = open_ones.get(name)
        if found is None:
            closed_at = record.closed.get(name)
            openings = (
                find_opening(policy, name, probe, record.looks.get(probe.name, ()), now, closed_at)
                for probe in probes
            )
            changes.append(next(filter(None, openings), None))
        elif _is_over(record, policy.signals[name], probes, found, now):
            changes.append(replace(found, closed_at=now, reason=f"{MIN_PASSES_TO_CLOSE} good looks in a row"))
    for name in open_ones.keys() - fed.keys():
        reason = "no probe feeds it any more"
        changes.append(replace(open_ones[name], closed_at=now, cancelled=True, reason=reason))
    return tuple(change for change in changes if change is not None)


def apply_changes(record: ProbeRecord, changes: Iterable[ProbeFinding]) -> ProbeRecord:
    """The record once these changes are made."""
    kept = {one.id(record.system): one for one in record.findings}
    kept |= {one.id(record.system): one for one in changes}
    closed = {one.signal: one.closed_at for one in kept.values() if one.closed_at is not None}
    return replace(record, findings=tuple(kept.values()), closed=record.closed | closed)


def find_opening(
    policy: Policy,
    name: str,
    probe: Probe,
    checks: Sequence[probe_history.ProbeResult],
    now: datetime,
    closed_at: datetime | None = None,
) -> ProbeFinding | None:
    """Return the signal as the checks of a probe show it, if they are recent; oldest first.

    Those until `closed_at`, when the signal closed the last time, show nothing of it.
    """
    typical = probe_history.typical_seconds(checks, now)
    newer = [check for check in checks if closed_at is None or check.at > closed_at]
    if not probe_history.is_fresh(newer, now):
        return None
    for criterion in probe_history.signal_criteria(name, policy.signals[name], probe.slow_after):
        first, how = probe_history.detect_trouble(criterion, newer, typical)
        if first is not None:
            return ProbeFinding(
                signal=name,
                probe=probe.name,
                function=probe.function,
                since=first.at,
                onset_at=first.ended_at,
                reason=f"probe {probe.name}: {how}",
                usual_seconds=typical,
            )
    return None


def find_slow_probes(
    policy: Policy, checks: Mapping[str, Sequence[probe_history.ProbeResult]], now: datetime
) -> frozenset[str]:
    """Return the names of the probes of the system that show `performance_degraded`."""
    name = probe_history.SLOWDOWN_SIGNAL
    return frozenset(
        probe.name
        for probe in policy.probes
        if name in policy.signals and not probe.external
        if find_opening(policy, name, probe, checks.get(probe.name, ()), now)
    )


def _is_over(
    record: ProbeRecord, signal: Signal, probes: Iterable[Probe], found: ProbeFinding, now: datetime
) -> bool:
    """Return whether its probes pass up to now; a blind one counts if it found the trouble."""
    for probe in probes:
        looks = record.looks.get(probe.name, ())
        if not probe_history.is_fresh(looks, now):
            if probe.name == found.probe:
                return False
            continue
        mine = probe.name == found.probe
        known = found.usual_seconds if mine else probe_history.typical_seconds(looks, now)
        newest = looks[-MIN_PASSES_TO_CLOSE:]
        in_a_row = len(newest) == MIN_PASSES_TO_CLOSE and newest[0].at > found.since
        ways = probe_history.signal_criteria(found.signal, signal, probe.slow_after)
        bad = any(way.is_bad(look, known) for way in ways for look in newest)
        if bad or not in_a_row:
            return False
    return True
