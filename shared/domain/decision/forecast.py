"""How long a plan will take, said before it starts and while it runs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil

from msgspec.structs import force_setattr, replace

from shared.core.codec import FrozenStruct
from shared.core.durations import describe_duration
from shared.domain.data.backups.restore_point import AvailablePoints, RestorePoint
from shared.domain.data.repair.repair_plan import decode_position
from shared.domain.deployments.build_recipe import EXPECTED_REBUILD_SECONDS, REDEPLOY
from shared.domain.deployments.inventory.traffic import EXPECTED_SHIFT_SECONDS
from shared.domain.incidents.recovery_times import recovery_target
from shared.domain.policy.execution_limits import Execution, WriteQuota
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import ENDED_STEP_STATUSES, Step, StepStatus
from shared.domain.rollback.rollback import Direction, RollbackRequest
from shared.domain.rollback.write_quota import SavedPace, TokenBucket, resume_pace
from shared.domain.rollback.write_ramp import INITIAL_WRITES_PER_SECOND
from shared.domain.signals.baseline import Baseline
from shared.domain.signals.health import MAX_COUNT_DELAY

EXPECTED_CALL_SECONDS = 0.2
EXPECTED_REFUSAL_RATIO = 0.05
"""Calls that are answered 429 or 503 and made again (the assumption of the bound)."""
EXPECTED_VERIFICATION_SECONDS = MAX_COUNT_DELAY.total_seconds() + 30.0 + 10.0
"""From the last shift: until requests are visible, half a minute until a whole one has passed, and
until the next check."""
EXPECTED_EARLIER_SECONDS = 120.0
"""By as much it may be verified earlier: requests of a minute are visible 1 to 3 minutes later."""
EXPECTED_CHECK_START_SECONDS = 60.0
DOCUMENTS_PER_SECOND = 1000.0
"""Of one worker, both sides read and judged; 1,116 were measured over the embedded cloud on a busy
machine (`python -m benchmarks.repair`)."""


class DurationForecast(FrozenStruct):
    """How long a plan still takes, and whether it meets its target."""

    seconds: float
    """From now to the last shift, or document."""
    whole_seconds: float
    """From the detection; before anything was detected, from now."""
    target_seconds: float | None
    """The policy's target for this kind of rollback, from the detection; None: there is none."""
    last: str = "shift"
    """What it ends with."""
    verify_seconds: float | None = 0.0
    """What verification takes after that; 0: nothing is verified; None: few requests."""
    earlier_seconds: float = 0.0
    """By as much the verification may come earlier than expected."""
    fits: bool = True
    """Whether the verification, or without one the last shift, can meet the target; computed."""

    def __post_init__(self) -> None:
        """Compute whether it fits."""
        earliest = self.total_seconds - self.earlier_seconds
        force_setattr(self, "fits", self.target_seconds is None or earliest <= self.target_seconds)

    @property
    def total_seconds(self) -> float:
        """Seconds from the detection to the verification, or to the last shift without one."""
        return self.whole_seconds + (self.verify_seconds or 0.0)

    def __str__(self) -> str:
        spans = (self.seconds, self.total_seconds)
        left, whole = (describe_duration(timedelta(seconds=ceil(seconds))) for seconds in spans)
        to = f"last {self.last} in about {left}"
        if self.target_seconds is None:
            return to
        is_within = self.total_seconds <= self.target_seconds
        fits = "within" if is_within else "possibly more than" if self.fits else "MORE THAN"
        minutes, rest = divmod(self.target_seconds, 60)
        whole_target = describe_duration(timedelta(seconds=self.target_seconds))
        target = f"{fits} the target of {whole_target if rest else f'{minutes:g} min'}"
        if self.verify_seconds is None:
            late = "" if self.fits else f", {target}"
            return f"{to}{late}; few requests are expected: it may be verified late"
        when = f"in about {whole}" if self.seconds == self.whole_seconds else f"about {whole} after detection"
        return f"{to}, verified {when}, {target}"

    def after(self, waited: float) -> DurationForecast:
        """Return the forecast of a plan that begins so many seconds later."""
        return replace(self, whole_seconds=self.whole_seconds + waited)


def forecast_documents(seconds: float, documents: int, policy: Policy) -> DurationForecast:
    """Forecast a repair of so many seconds, and the check of so many documents that verifies it."""
    verify = EXPECTED_CHECK_START_SECONDS + documents / DOCUMENTS_PER_SECOND
    return DurationForecast(seconds, seconds, policy.targets.database.total_seconds(), "document", verify)


def describe_copy_time(policy: Policy, point: RestorePoint, kept: AvailablePoints) -> str:
    """Return how long a copy of the point and its check take, by a measured or declared speed."""
    if not point.documents or policy.backups.copies is None:
        return "minutes to hours: no number of documents, or no speed of a copy, is known"
    rate = kept.measured_rate(point.source) or policy.backups.copies.documents_per_second
    return str(forecast_documents(point.documents / rate, point.documents, policy))


def forecast_duration(
    steps: Iterable[Step],
    policy: Policy,
    scenario: ScenarioName = ScenarioName.FUNCTIONS,
    severity: Severity = Severity.CRITICAL,
    *,
    order: RollbackRequest | None = None,
    left: SavedPace | None = None,
    detected: datetime | None = None,
    now: datetime | None = None,
    baseline: Baseline | None = None,
) -> DurationForecast:
    """Forecast a plan, before it begins or as it runs; the target counts from `detected`, or now.

    An undo is not verified, and an unpin repairs nothing: neither has a target. `baseline` tells
    whether enough requests are expected to verify it; None: they are.
    `left` is the pace as its worker last saved it; None: a full bucket.
    """
    steps = list(steps)
    execution, quota = policy.execution, policy.execution.write_quota.system_share
    tokens, rate = float(quota.burst), quota.per_second
    if left is not None and now is not None:
        bucket = resume_pace(left, quota, now, 0.0).bucket
        tokens = bucket.level(0.0) + left.set_apart
        rate = bucket.rate
    took = remaining_duration(
        steps,
        replace(execution, write_quota=quota),
        tokens=tokens,
        rate=rate,
        batch_size=(order and order.batch_size) or execution.batch_size,
        delay=timedelta(seconds=order.delay_seconds if order else 0.0) or execution.delay,
        now=now,
    ).total_seconds()
    spent = (now - detected).total_seconds() if detected is not None and now is not None else 0.0
    documents = sum(map(_expected_documents, steps))
    if documents:
        ahead = forecast_documents(max(took, remaining_document_seconds(steps)), documents, policy)
    else:
        target = recovery_target(policy.targets, scenario, severity).total_seconds()
        ahead = DurationForecast(took, took, target, verify_seconds=None)
        if baseline is None or baseline.is_verifiable:
            ahead = replace(
                ahead, verify_seconds=EXPECTED_VERIFICATION_SECONDS, earlier_seconds=EXPECTED_EARLIER_SECONDS
            )
    if order is not None and order.way in (Direction.UNDO, Direction.UNPIN):
        verify = ahead.verify_seconds if order.way is Direction.UNPIN else 0.0
        ahead = replace(ahead, target_seconds=None, verify_seconds=verify)
    return ahead.after(spent)


def remaining_duration(
    steps: Iterable[Step],
    execution: Execution,
    *,
    tokens: float,
    rate: float | None = None,
    batch_size: int | None = None,
    delay: timedelta = timedelta(0),
    now: datetime | None = None,
) -> timedelta:
    """From now to the last shift, as far as quota, batches and the platform's own time say.

    `tokens` is the write quota's level now, `rate` what its worker has learnt of it. What waits for
    another step begins a round trip later. What has ended costs nothing more, and what was sent
    already no more of the quota, and less time by how long ago that was; nor does what stands in
    for another, while it is not begun.
    """
    open_steps = [
        step
        for step in steps
        if step.status is StepStatus.BEGUN or (step.status is StepStatus.PENDING and not step.instead_of)
    ]
    if not any(step.writes for step in open_steps):
        return timedelta(0)
    writes = sum(step.writes for step in open_steps if not step.attempts)
    round_trip = 2 * EXPECTED_CALL_SECONDS + EXPECTED_SHIFT_SECONDS
    chain = _chain_seconds(open_steps, now)
    if batch_size is not None:
        batches = max(1, ceil(writes / batch_size))
        return timedelta(seconds=max(batches * round_trip, chain) + (batches - 1) * delay.total_seconds())
    throttled = _throttled_seconds(writes / (1 - EXPECTED_REFUSAL_RATIO), tokens, rate, execution.write_quota)
    return timedelta(seconds=throttled + chain)


def _throttled_seconds(writes: float, tokens: float, rate: float | None, quota: WriteQuota) -> float:
    """Return how long the quota admits so many writes; each raises a rate that was lowered."""
    missing, ceiling, seconds = writes - tokens, quota.per_second, 0.0
    at_once = max(0.0, min(writes, tokens))
    rate = min(ceiling, (rate or ceiling) + TokenBucket.RECOVERY_PER_WRITE * at_once)
    while missing > 0 and rate < ceiling:
        seconds += min(1.0, missing) / rate
        rate, missing = rate + TokenBucket.RECOVERY_PER_WRITE, missing - 1.0
    return seconds + max(0.0, missing) / ceiling


def remaining_document_seconds(steps: Iterable[Step]) -> float:
    """Seconds to the last document, of which each step goes on as its portions have gone so far.

    Before any portion was timed, each document is taken for one that is written, as fast as that
    may begin. Not counted is what lies between portions, deaths above all, nor that in the end
    whoever was erased meanwhile is taken out.
    """
    positions = [
        (step, decode_position(step.operation or step.seen)) for step in steps if _expected_documents(step)
    ]
    unfinished = [(step, position) for step, position in positions if step.status not in ENDED_STEP_STATUSES]
    documents = [max(_expected_documents(step) - position.seen, 0) for step, position in unfinished]
    timed_positions = [position for _, position in positions if position.seen and position.seconds]
    if not timed_positions:
        return sum(documents) / INITIAL_WRITES_PER_SECOND
    usual = sum(position.seconds for position in timed_positions) / sum(
        position.seen for position in timed_positions
    )
    paces = [
        position.seconds / position.seen if position.seen and position.seconds else usual
        for _, position in unfinished
    ]
    durations = [number * pace for number, pace in zip(documents, paces, strict=True)]
    under_way = sum(step.status is StepStatus.BEGUN for step, _ in unfinished)
    return max([sum(durations) / max(under_way, 1), *durations])


def _expected_documents(step: Step) -> int:
    return int(step.goal.get("documents", 0))


def _chain_seconds(steps: Iterable[Step], now: datetime | None) -> float:
    """Return the longest chain of dependent writes; a step that does not build is a shift."""
    ends: dict[str, float] = {}
    for step in steps:  # the plan's order: predecessors come first
        begins = max((ends.get(name, 0.0) for name in step.after), default=0.0)
        takes = EXPECTED_REBUILD_SECONDS if step.kind == REDEPLOY else EXPECTED_SHIFT_SECONDS
        takes = max(0.0, takes + 2 * EXPECTED_CALL_SECONDS - _in_flight_seconds(step, now))
        ends[step.name] = begins + (takes if step.writes else 0.0)
    return max(ends.values(), default=0.0)


def _in_flight_seconds(step: Step, now: datetime | None) -> float:
    if now is None or step.begun_at is None or not step.attempts:
        return 0.0
    return (now - step.begun_at).total_seconds()
