"""Raise and keep up a fence by its policy, or lift it by the record made before the first stop."""

from collections.abc import Iterable, Mapping
from functools import partial

from msgspec.structs import replace

from responders.support.controls import is_change_blocked
from responders.support.parallel_calls import call_all, call_one, require_answer
from shared.core.errors import Gone, Moved, Rejected, RollbackError, Unavailable
from shared.core.store import Document
from shared.domain.data.isolation.write_fence import (
    Fence,
    FenceStatus,
    Writer,
    mark_lowered,
    may_be_lowered,
    may_send,
    start_lowering,
    writer_positions,
)
from shared.domain.deployments.inventory.traffic import Scaling, Service
from shared.domain.policy.data_rules import FenceRules
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import Rollback, RollbackStatus, rollback_path
from shared.domain.signals.health import ProbeAnswer
from shared.ports.groups import Ports

MAX_READ_AGE_SECONDS = 20.0
"""Nothing is stopped by what was read longer ago."""


class FenceStep:
    """One look at a fence."""

    def __init__(self, ports: Ports, policy: Policy | None, fence: Fence, found: Document) -> None:
        """`policy` is that of its system; None: it has none any more."""
        self._ports = ports
        self._policy = policy
        self._fence = fence
        self._now = found.read_at
        self._read = ports.clock.monotonic()

    def advance(self) -> Fence:
        """The fence after it; what gives no answer is asked again."""
        fence = self._fence
        try:
            if fence.status is FenceStatus.FALLING:
                return self._lower_fence(fence)
            policy, rules = self._policy, self._policy.fence if self._policy is not None else None
            if policy is None:
                return self._start_lowering(f"{fence.system} has no policy any more")
            if rules is None:
                return self._start_lowering("the policy declares no fence any more")
            if why := self._find_lowering_reason(policy, rules):
                return self._start_lowering(why)
            return self._raise_fence(fence, policy, rules)
        except (Unavailable, Moved, Rejected) as failure:
            return replace(fence, waiting=str(failure))

    def _start_lowering(self, why: str) -> Fence:
        return start_lowering(self._fence, why, self._now)

    def _lower_fence(self, fence: Fence) -> Fence:
        if not fence.writers:
            return mark_lowered(fence, (), self._now)
        services, unseen = self._read_services(fence)
        stand = writer_positions([one for one in fence.writers if one.service not in unseen], services)
        if stand.to_free:
            self._scale({one: one.scaling for one in stand.to_free}, services)
            names = ", ".join(one.function for one in stand.to_free)
            return replace(fence, waiting=f"to be started again: {names}")
        for failure in unseen.values():  # it holds up no other
            raise failure
        if not stand.is_settled:
            return replace(fence, waiting="instances are starting")
        if not may_be_lowered(fence, self._now):
            return replace(fence, waiting="")
        return mark_lowered(fence, stand.theirs, self._now)

    def _read_services(self, fence: Fence) -> tuple[dict[str, Service], dict[str, RollbackError]]:
        """Return the existing services of the writers, and the errors of the unread ones."""
        names = [one.service for one in fence.writers]
        calls = {name: partial(self._ports.projects.services.service, name) for name in names}
        answers = call_all(self._ports, calls)
        services = {name: one for name, one in answers.items() if isinstance(one, Service)}
        failures = {name: one for name, one in answers.items() if isinstance(one, RollbackError)}
        return services, {name: no for name, no in failures.items() if not isinstance(no, Gone)}

    def _scale(self, wanted: Mapping[Writer, Scaling], services: Mapping[str, Service]) -> None:
        """Ask for instances, each at the etag that was just read. Raises: the first failure."""
        shift, found = self._ports.projects.services.shift, {one: services[one.service] for one in wanted}
        calls = {
            one.service: partial(shift, one.service, found[one].traffic, found[one].etag, scaling=scaling)
            for one, scaling in wanted.items()
        }
        for answer in call_all(self._ports, calls).values():
            require_answer(answer)

    def _find_lowering_reason(self, policy: Policy, rules: FenceRules) -> str:
        """Empty: its time is not over, and the policy knows it still."""
        fence, now = self._fence, self._now
        if fence.writers and _writer_functions(policy, rules) != [one.function for one in fence.writers]:
            return "the policy declares other writers now"
        if now >= fence.until:
            return "its time limit has passed"
        if fence.rollback and self._read_rollback().status not in (
            RollbackStatus.RUNNING,  # it may write yet, or what it has written is looked through
            RollbackStatus.VERIFYING,
        ):
            return f"{fence.rollback} writes no more documents"
        if fence.status is FenceStatus.STANDING:
            return ""
        if now >= fence.began_at + rules.stands_within:
            return f"it was not active in time: {fence.waiting}"
        return "a person has stopped automation" if self._is_stopped(policy) else ""

    def _is_stopped(self, policy: Policy) -> bool:
        """Whether a switch is set that holds up what it is raised for, too."""
        order = self._read_rollback().order if self._fence.rollback else None
        return is_change_blocked(self._ports, policy, overrides=order is not None and order.override)

    def _read_rollback(self) -> Rollback:
        return self._ports.store.get(rollback_path(self._fence.rollback)).decode(Rollback)

    def _raise_fence(self, fence: Fence, policy: Policy, rules: FenceRules) -> Fence:
        """The fence with its writers on record; then stopped; then proven by the canary."""
        if not fence.writers:
            return self._record_writers(fence, policy, rules)
        services, unseen = self._read_services(fence)
        for failure in unseen.values():
            raise failure
        stand = writer_positions(fence.writers, services)
        if stand.theirs:
            return self._start_lowering(f"somebody has changed the instances of {', '.join(stand.theirs)}")
        if stand.to_stop and fence.status is FenceStatus.STANDING:
            names = ", ".join(one.function for one in stand.to_stop)
            return self._start_lowering(f"somebody has started {names} again")
        if stand.to_stop:
            return self._stop_writers(fence, policy, stand.to_stop, services)
        if not stand.is_settled:
            return replace(fence, waiting="instances are stopping")
        return self._check_canary(fence, policy, rules)

    def _record_writers(self, fence: Fence, policy: Policy, rules: FenceRules) -> Fence:
        """The fence with what the instances of its writers are; nothing is stopped yet."""
        named = _writer_functions(policy, rules)
        inventory = call_one(self._ports, self._ports.system(fence.system).platform.inventory)
        missing = [name for name in named if name not in inventory]
        if missing:
            return self._start_lowering(f"{', '.join(missing)} cannot be stopped: no service of Cloud Run")
        services = {name: inventory[name].service for name in named}
        writers = (Writer(name, one.name, one.scaling) for name, one in services.items())
        return replace(fence, writers=tuple(writers), waiting="")

    def _stop_writers(
        self, fence: Fence, policy: Policy, writers: Iterable[Writer], services: Mapping[str, Service]
    ) -> Fence:
        if not may_send(fence, self._now):
            return replace(fence, sent_at=self._now, waiting="writers are about to be stopped")
        if self._ports.clock.monotonic() - self._read > MAX_READ_AGE_SECONDS:
            return replace(fence, waiting="the request was not sent in time")
        if self._is_stopped(policy):
            return self._start_lowering("a person has stopped automation")
        self._scale({one: one.stopped_scaling for one in writers}, services)
        return replace(fence, sent_at=self._now, waiting="writers are stopped")

    def _check_canary(self, fence: Fence, policy: Policy, rules: FenceRules) -> Fence:
        """The fence as the canary has it: what gives no answer at all was not refused."""
        [probe] = [one for one in policy.probes if one.name == rules.canary]
        answer: ProbeAnswer = call_one(self._ports, partial(self._ports.prober.ask, probe))
        stands = fence.status is FenceStatus.STANDING
        if answer.passed and stands:
            return self._start_lowering(f"the canary {rules.canary} writes again")
        if answer.passed:
            return replace(fence, waiting=f"the canary {rules.canary} still writes")
        if stands:
            return replace(fence, waiting="")
        if answer.status is None:
            return replace(fence, waiting=f"the canary {rules.canary}: {answer.detail}")
        return replace(fence, status=FenceStatus.STANDING, stood_at=self._now, waiting="")


def _writer_functions(policy: Policy, rules: FenceRules) -> list[str]:
    return sorted(name for name, group in policy.functions.items() if group in rules.writers)
