"""How many effects may be sent: by the write quota's tokens, or by batches where they are set."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import isinf

from shared.domain.policy.execution_limits import Execution
from shared.domain.rollback.plan import Step
from shared.domain.rollback.rollback import RollbackRequest
from shared.domain.rollback.write_quota import Pace, SavedPace

INTENT_LEAD_SECONDS = 5.0
"""Intents are written for the tokens of that long, so that commits stay in bulk."""


class Pacing:
    """Tokens and batches in one worker's hands. Bare times are seconds of its monotonic clock."""

    def __init__(
        self, pace: Pace, execution: Execution, order: RollbackRequest | None, in_doubt: Iterable[Step]
    ) -> None:
        """Go on from `pace`; nobody knows which of the steps `in_doubt` a dead worker has sent."""
        self._bucket = pace.bucket
        self._batch_over_at = pace.batch_over_at
        self._batch_size = (order and order.batch_size) or execution.batch_size
        self._delay = (order and order.delay_seconds) or execution.delay.total_seconds()
        self._ahead = INTENT_LEAD_SECONDS * execution.write_quota.system_share.per_second
        self._set_apart = {step.name for step in in_doubt}
        """Those whose tokens are set apart, until they are looked at."""
        self._not_landed: list[Step] = []
        """Of those, the ones whose effect has not landed."""
        self._landed_up_to = -1

    def is_reserved(self, step: Step) -> bool:
        """Whether tokens are set apart for what a dead worker may have sent of it."""
        return step.name in self._set_apart

    def account_for(self, step: Step, *, landed: bool) -> None:
        """Account for a doubtful effect; once all are known, return the tokens of unsent ones."""
        self._set_apart.remove(step.name)
        if landed:
            self._landed_up_to = max(self._landed_up_to, step.number)
        else:
            self._not_landed.append(step)
        if not self._set_apart:
            unsent = [one for one in self._not_landed if one.number > self._landed_up_to]
            self._bucket.give_back(sum(one.writes for one in unsent))

    def count_admissible(self, begun: int, unsent: int, now: float) -> int:
        """How many more steps may be begun, beside those begun and the writes not sent yet."""
        if self._batch_size is None:
            return max(0, int(self._bucket.level(now) + self._ahead - unsent))
        if begun:
            self._batch_over_at = now
            return 0
        # A whole batch, once the one before is over and its pause has passed.
        return self._batch_size if now - self._batch_over_at >= self._delay else 0

    def snapshot_pace(self, unsent: int, at: datetime, now: float) -> SavedPace:
        """Save the pace for the next worker, less tokens of writes that may be sent meanwhile."""
        since_batch = now - self._batch_over_at
        return SavedPace(
            level=self._bucket.level(now),
            at=at,
            set_apart=unsent,
            batch_over_at=None if isinf(since_batch) else at - timedelta(seconds=since_batch),
            per_second=self._bucket.rate,
        )
