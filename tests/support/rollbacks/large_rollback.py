"""A bad release of very many functions, rolled back by the product in virtual time.

How the quota is shaped, which calls are refused and how long an operation takes is the platform's:
the product knows of it what its policy declares. A kill loses a worker with all that it knew.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from math import floor
from random import Random
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from shared.core import topics
from shared.core.errors import Ambiguous, Throttled, Unavailable
from shared.core.runtime import Pool
from shared.domain.policy.execution_limits import WriteQuota
from shared.domain.policy.system_policy import Group, Policy
from shared.domain.rollback import plan as plans
from shared.engine.steps.functions import judge_canary
from shared.wiring.adapters import MAX_PARALLEL_CALLS
from tests.support.fakes.runtime.virtual_pool import LanePool
from tests.support.runtime.world import BOOKSHOP, FakePorts, World

CALL_SECONDS = 0.2
CALLS_OF_AN_ATTEMPT = 2
"""The service and its change, or the operation and its service."""
COMMIT_SECONDS = 0.1
REFUSED_SHARE = 0.05
REFUSING = ("platform.service", "platform.operation", "platform.shift")
QUOTA = WriteQuota(burst=60, per_second=1.0)

Took = Callable[[Random], float]
"""Draws how many seconds one operation takes."""


class QuotaLimit(Protocol):
    """What the platform admits."""

    def seconds_until_admitted(self, now: float) -> float:
        """Until when a write is refused; 0.0: this one is admitted, and counted."""
        ...


class BucketLimit:
    """The declared shape: a burst, refilled at a rate."""

    def __init__(self, quota: WriteQuota, now: float) -> None:
        self._quota, self._at = quota, now
        self.level = float(quota.burst)

    def seconds_until_admitted(self, now: float) -> float:
        """As the protocol says."""
        refilled = self.level + (now - self._at) * self._quota.per_second
        self.level, self._at = min(float(self._quota.burst), refilled), now
        if self.level < 1 - 1e-6:
            return (1 - self.level) / self._quota.per_second
        self.level -= 1
        return 0.0


class MinuteLimit:
    """Another shape: so many in each minute of the clock, however they lie in it."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute, self._minute, self._count = per_minute, -1, 0

    def seconds_until_admitted(self, now: float) -> float:
        """As the protocol says."""
        minute = floor(now / 60)
        if minute != self._minute:
            self._minute, self._count = minute, 0
        if self._count == self._per_minute:
            return 60 * (minute + 1) - now
        self._count += 1
        return 0.0


class LargeRollbackResult(Struct, frozen=True):
    """What one rollback took and cost."""

    seconds: float
    """From the end of the canary to the last shift confirmed."""
    bound: float
    writes: int
    refused_by_quota: int
    undone: int
    claims: int
    """Workers that have had it in hand until the last shift."""

    @property
    def ratio(self) -> float:
        """How near it came to the bound."""
        return self.bound / self.seconds

    @property
    def refused_share(self) -> float:
        """Of all writes sent, those that the quota refused."""
        return self.refused_by_quota / self.writes


class WorkerKilled(BaseException):
    """The worker is dead."""


class LargeRollback:
    """One such world."""

    def __init__(self, functions: int, took: Took, *, seed: int = 0, quota: WriteQuota = QUOTA) -> None:
        """`quota` is what the policy declares, and the platform keeps to."""
        self.kills: set[int] = set()
        """After how many writes a worker dies."""
        policy = _policy(functions, quota)
        self._ports = LanePorts(policy, seed=seed)
        self._world = World(policy=policy, ports=self._ports)
        self._quota = quota.system_share
        self.limit: QuotaLimit = BucketLimit(self._quota, self.now)
        self._took = took
        self._random = Random(seed)
        self._refusals: dict[str, list[bool]] = {}
        self._writes = self._refused_by_quota = 0
        self._took_by: list[float] = []
        """Seconds of each operation, in the order in which their writes were accepted."""

    @property
    def now(self) -> float:
        """Seconds of the clock that both the product and the platform go by."""
        return self._ports.clock.monotonic()

    def roll_back(self) -> LargeRollbackResult:
        """Until every step has ended."""
        self._world.deploy_bad()
        self._ports.store.hook = self._ports.world.hook = self._happens
        self._world.alert()
        while not self._is_over():
            self._deliver()
        return self._outcome()

    def _deliver(self) -> None:
        """One message, which comes again when it killed its worker; without one, the clock's."""
        world = self._world
        if not world.waiting():
            world.publish(topics.CLOCK, b"{}")
        published = world.waiting()[0]
        self._ports.bus.messages.remove(published)
        try:
            acknowledged = world.deliver(published)
        except WorkerKilled:
            world.start_instances()
            acknowledged = False
        if not acknowledged:
            self._ports.clock.sleep(1.0)
            self._ports.bus.messages.insert(0, published)

    def _is_over(self) -> bool:
        rollbacks = self._world.rollbacks()
        return bool(rollbacks and (rollbacks[0].shifted_at or rollbacks[0].ended_at))

    def _happens(self, verb: str, side: str) -> None:
        """What the platform refuses, how long it takes, and when a worker dies."""
        if side == "after":
            if verb == "store.commit":
                self._ports.clock.sleep(COMMIT_SECONDS)
            if verb == "platform.shift":
                self._took_by.append(self._ports.world.operation_latency.total_seconds())
                self._die()
            return
        if verb == "platform.shift":
            self._admit()
            self._ports.world.operation_latency = timedelta(seconds=self._took(self._random))
        if verb in REFUSING and self._is_refused(verb):
            if self._random.random() < 0.5:
                raise Throttled("429")
            raise Ambiguous("503") if verb == "platform.shift" else Unavailable("503")

    def _die(self) -> None:
        if self._writes in self.kills:
            self.kills.remove(self._writes)
            raise WorkerKilled

    def _admit(self) -> None:
        self._writes += 1
        wait = self.limit.seconds_until_admitted(self.now)
        if wait:
            self._refused_by_quota += 1
            raise Throttled("quota exceeded", timedelta(seconds=wait))

    def _is_refused(self, verb: str) -> bool:
        """One of each twenty calls of a kind, drawn at random."""
        block = self._refusals.setdefault(verb, [])
        if not block:
            block += [number == 0 for number in range(round(1 / REFUSED_SHARE))]
            self._random.shuffle(block)
        return block.pop()

    def _outcome(self) -> LargeRollbackResult:
        [rollback] = self._world.rollbacks()
        named = self._world.steps(rollback.id)
        steps = named.values()
        ends = [step.ended_at for step in steps if step.ended_at]
        judged = max(step.ended_at for step in steps if step.kind == judge_canary.KIND and step.ended_at)
        _canary, *others = self._took_by
        return LargeRollbackResult(
            seconds=(max(ends) - judged).total_seconds(),
            bound=lower_bound_seconds(others, self._quota),
            writes=self._writes,
            refused_by_quota=self._refused_by_quota,
            undone=len(plans.unreached_steps(named)),
            claims=self._world.events(rollback).count("rollback.claimed"),
        )


class LanePorts(FakePorts):
    """Ports whose calls run side by side and take their time."""

    def pool(self) -> Pool:
        """As many lanes as the real pool has threads."""
        return LanePool(self.clock, MAX_PARALLEL_CALLS, CALLS_OF_AN_ATTEMPT * CALL_SECONDS)


def lower_bound_seconds(took: Sequence[float], quota: WriteQuota) -> float:
    """Seconds from the end of the canary that nobody can be sure to beat whose operations take so.

    Of each twenty writes one is refused; all are sent as soon as the quota admits them, in that
    order: nobody knows beforehand which operation is the longest. Where each takes as long, that is
    (N/(1-p) - B)/R + 2L + D. The bucket is full at the beginning: the canary's operation lasts
    longer than its writes take to flow in.
    """
    return max(
        max(0.0, (number / (1 - REFUSED_SHARE) - quota.burst) / quota.per_second) + 2 * CALL_SECONDS + seconds
        for number, seconds in enumerate(took, 1)
    )


def _policy(functions: int, quota: WriteQuota) -> Policy:
    group = Group(functions=tuple(f"function{number:04d}" for number in range(functions)))
    execution = replace(BOOKSHOP.execution, write_quota=quota)
    return replace(BOOKSHOP, groups={"all": group}, probes=(), group_aliases={}, execution=execution)
