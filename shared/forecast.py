"""How long a plan will take, said before it starts and while it runs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from math import ceil

from shared.plan import Step, StepStatus
from shared.policy import Execution

CALL_SECONDS = 0.2
REFUSED_SHARE = 0.05
"""Calls that are answered 429 or 503 and made again (the assumption of the bound)."""


def remaining(
    steps: Iterable[Step],
    execution: Execution,
    *,
    shift_seconds: float,
    tokens: float,
    batch_size: int | None = None,
    delay: timedelta = timedelta(0),
) -> timedelta:
    """From now to the last shift, as far as quota, batches and the platform's own time say.

    `tokens` is the write quota's level now. What waits for another step begins a round trip later.
    What has ended costs nothing more.
    """
    left = [one for one in steps if one.status in (StepStatus.PENDING, StepStatus.BEGUN)]
    writes = sum(one.writes for one in left)
    if not writes:
        return timedelta(0)
    round_trip = 2 * CALL_SECONDS + shift_seconds
    waves = _waves(left)
    if batch_size is not None:
        batches = ceil(writes / batch_size)
        paused = (batches - 1) * delay.total_seconds()
        return timedelta(seconds=max(batches, waves) * round_trip + paused)
    quota = execution.write_quota
    throttled = max(0.0, (writes / (1 - REFUSED_SHARE) - tokens) / quota.per_second)
    return timedelta(seconds=throttled + waves * round_trip)


def _waves(steps: Iterable[Step]) -> int:
    """The longest chain of writes that wait for one another."""
    depth: dict[str, int] = {}
    for one in steps:  # the plan's order: predecessors come first
        before = max((depth.get(name, 0) for name in one.after), default=0)
        depth[one.name] = before + bool(one.writes)
    return max(depth.values(), default=0)
