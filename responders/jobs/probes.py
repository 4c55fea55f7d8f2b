"""The own probes, twice a minute: sent in parallel, repeated where they fail, stored and judged."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import zip_longest
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from responders.jobs.internal_alerts import ACTOR, build_finding_event, record_findings
from shared.core.errors import RollbackError
from shared.core.runtime import Pool
from shared.core.store import Create, retry_on_conflict
from shared.domain.audit.system_chain import system_event
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.probes import Probe
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.signals import probe_signals
from shared.domain.signals.early_warning import EarlyWarning, due_warnings
from shared.domain.signals.health import ProbeAnswer
from shared.domain.signals.probe_history import MAX_PROBE_SECONDS, PROBE_INTERVAL, PROBE_REPEATS, ProbeResult
from shared.ports.groups import Ports
from shared.state.work_queue import commit_with_notices

EARLY_ANSWER_SECONDS = 10.0
"""What answers within this is kept at once; what takes longer is kept half a minute later."""
COMMIT_ATTEMPTS = 5


class _PendingProbe(Struct, frozen=True):
    system: str
    probe: str
    at: datetime
    """The half minute that it belongs to."""
    begun_at: datetime
    monotonic: float
    """The same moment by the clock that never jumps."""
    send: Callable[[], tuple[ProbeAnswer, float]]
    is_repeat: bool = False


class ProbeRunner:
    """The looks of one invocation of the clock; a system without a fed signal costs nothing."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = {
            system: policy for system, policy in policies.items() if probe_signals.probes_by_signal(policy)
        }
        self._asked: dict[str, _PendingProbe] = {}
        self._asked_last: datetime | None = None
        self._results: dict[str, dict[tuple[str, datetime], ProbeResult]] = {}
        """Those of this invocation, by system, probe and half minute."""
        self._unrecorded: set[str] = set()
        """Systems of which results are not stored yet."""
        self._pool: Pool | None = None

    def start_probes(self, now: datetime) -> None:
        """Begin this half minute's probes, by the store's time, except those still awaited."""
        self._collect_answers(0.0)
        if self._policies:
            self._send_probes(now)

    def record_early_answers(self) -> None:
        """Keep and judge what answers soon. Raises: Unavailable."""
        self._collect_answers(EARLY_ANSWER_SECONDS)
        for policy in self._policies.values():
            self._record_results(policy)

    def record_late_answers(self) -> None:
        """Wait for the looks that take long, and keep them. Raises: Unavailable."""
        self._collect_answers(MAX_PROBE_SECONDS)
        for system in [*self._unrecorded]:
            self._record_results(self._policies[system])

    def close(self) -> None:
        """Return when no look is under way any more; one that had not begun never is."""
        if self._pool is not None:
            self._pool.close()

    def _send_probes(self, now: datetime) -> None:
        """Begin the looks, in turns by system: none with many dark probes starves another."""
        self._pool = self._pool or self._ports.pool()
        clock, prober = self._ports.clock, self._ports.prober
        half_minute = now - (now - datetime.min.replace(tzinfo=now.tzinfo)) % PROBE_INTERVAL
        if self._asked_last is not None:
            half_minute = max(half_minute, self._asked_last + PROBE_INTERVAL)
        self._asked_last = half_minute

        def looked(probe: Probe) -> tuple[ProbeAnswer, float]:
            return prober.ask(probe), clock.monotonic()

        for policy, probe in _interleave_probes(self._policies):
            key = f"{policy.system} {probe.name}"
            if key not in self._asked:
                send = partial(looked, probe_signals.extend_timeout(probe, policy))
                begun = clock.monotonic()
                self._submit(key, _PendingProbe(policy.system, probe.name, half_minute, now, begun, send))

    def _submit(self, key: str, pending: _PendingProbe) -> None:
        if self._pool is not None:
            self._asked[key] = pending
            self._pool.submit(key, pending.send)

    def _collect_answers(self, seconds: float) -> None:
        """Collect what ends within that time. Raises: every error but a RollbackError."""
        clock = self._ports.clock
        until = clock.monotonic() + seconds
        while self._pool and self._asked:
            ended = self._pool.wait(max(0.0, until - clock.monotonic()))
            if not ended:  # the time is over
                return
            for key, answer in ended:
                self._add_answer(self._asked.pop(key), answer)

    def _add_answer(self, asked: _PendingProbe, answer: Any) -> None:
        if isinstance(answer, RollbackError):
            return
        if isinstance(answer, BaseException):
            raise answer
        probe_answer, monotonic = answer
        results, key = self._results.setdefault(asked.system, {}), (asked.probe, asked.at)
        self._unrecorded.add(asked.system)
        if asked.is_repeat:
            results[key] = results[key].add_answer(passed=probe_answer.passed)
            return
        results[key] = ProbeResult(
            at=asked.at,
            ended_at=asked.begun_at + timedelta(seconds=monotonic - asked.monotonic),
            passed=probe_answer.passed,
            seconds=probe_answer.seconds,
            status=probe_answer.status,
        )
        if not probe_answer.passed:
            for number in range(PROBE_REPEATS):
                repeat = replace(asked, is_repeat=True)
                self._submit(f"{asked.system} {asked.probe} {asked.at} {number}", repeat)

    def _record_results(self, policy: Policy) -> None:
        """Commit the results, then record alerts; after a death, the next instance does."""
        self._unrecorded.discard(policy.system)
        results: dict[str, list[ProbeResult]] = {}
        for (probe, _), result in self._results.get(policy.system, {}).items():
            results.setdefault(probe, []).append(result)
        keep = partial(self._commit_results, policy, results)
        too_fast = f"the probes of {policy.system}: their record changes too fast"
        retry_on_conflict(keep, COMMIT_ATTEMPTS, too_fast, self._ports.clock.sleep)

    def _commit_results(self, policy: Policy, looks: Mapping[str, list[ProbeResult]]) -> None:
        """The same, unless somebody writes first. Raises: Moved."""
        document = self._ports.store.get(probe_signals.probes_path(policy.system))
        now = document.read_at
        previous = document.find(probe_signals.ProbeRecord)
        record, events, said = _judge_probe_record(
            previous or probe_signals.ProbeRecord(policy.system, since=now), looks, policy, now
        )
        writes = [document.build_write(record), *events]
        version = commit_with_notices(self._ports, writes, said)
        record_findings(self._ports, policy, document.path, record.findings, version, now)


def _interleave_probes(policies: Mapping[str, Policy]) -> Iterator[tuple[Policy, Probe]]:
    """The first probe of each system, then the second of each, and so on."""
    of_each = (
        [(policy, probe) for probes in probe_signals.probes_by_signal(policy).values() for probe in probes]
        for policy in policies.values()
    )
    for turn in zip_longest(*of_each):
        yield from (one for one in turn if one is not None)


def _judge_probe_record(
    record: probe_signals.ProbeRecord, looks: Mapping[str, list[ProbeResult]], policy: Policy, now: datetime
) -> tuple[probe_signals.ProbeRecord, list[Create], list[Notice]]:
    looked = probe_signals.record_results(record, looks, policy)
    changes = probe_signals.detect_changes(looked, policy, now)
    record = probe_signals.apply_changes(looked, changes)
    warned = due_warnings(record, policy, now)
    said = [notice for one in warned for notice in _build_warning_notices(one, policy, now)]
    told = [build_finding_event(policy, one, now) for one in changes]
    for warning in warned:
        key = f"warned:{warning.about}:{now:%Y%m%dT%H%M%S}"
        facts = {"signal": warning.signal, "note": warning.text}
        told.append(system_event(policy.system, key, "signal.warned", now, ACTOR, **facts))
    return replace(record, warned=record.warned | {one.about: now for one in warned}), told, said


def _build_warning_notices(warned: EarlyWarning, policy: Policy, now: datetime) -> list[Notice]:
    key = f"warned-{policy.system}-{warned.about}-{now:%Y%m%dT%H%M%S}"
    text = f"{policy.display_name or policy.system}: {warned.text}"
    return create_notices(policy, key, Severity.LOW, "warned", text, now, signal=warned.signal)
