"""How a fence is raised and kept up: as its policy declares it, until something lets it fall.

What the instances of its writers were is on record before the first of them is stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from msgspec.structs import replace

from responders.asking import ask
from responders.fences.falling import Falling
from responders.switched import is_stopped
from shared import fence as fences
from shared import rollback as rollbacks
from shared.documents import decode
from shared.fence import Fence, Status, Writer
from shared.health import ProbeAnswer
from shared.integrity_rules import FenceRules
from shared.policy import Policy
from shared.ports import Document, Ports
from shared.rollback import Rollback
from shared.rollback import Status as RollbackStatus
from shared.traffic import Service

FRESH_SECONDS: Final = 20.0
"""Nothing is stopped by what was read longer ago."""


class Raising(Falling):
    """One look at a fence by its policy, which also says when it falls, and what it takes."""

    def __init__(self, ports: Ports, policy: Policy, fence: Fence, found: Document) -> None:
        super().__init__(ports, fence, found)
        self._policy = policy
        self._read = ports.clock.monotonic()

    def _after(self, fence: Fence) -> Fence:
        due = self._due_to_fall(fence)
        if due.status is not fence.status:
            return due
        return self._fallen(fence) if fence.status is Status.FALLING else self._raised(fence)

    def _due_to_fall(self, fence: Fence) -> Fence:
        """The fence, which falls where its time is over or the policy knows none such any more."""
        rules, now = self._policy.fence, self._now
        if fence.status is Status.FALLING:
            return fence
        if rules is None:
            return fences.falls(fence, "the policy declares no fence any more", now)
        if fence.writers and self._declared(rules) != [one.function for one in fence.writers]:
            return fences.falls(fence, "the policy declares other writers now", now)
        if now >= fence.until:
            return fences.falls(fence, "its time is over", now)
        if fence.rollback and not self._is_written_behind(fence.rollback):
            return fences.falls(fence, f"{fence.rollback} writes nothing more", now)
        if fence.status is Status.STANDING:
            return fence
        if now >= fence.began_at + rules.stands_within:
            return fences.falls(fence, f"it does not stand in time: {fence.waiting}", now)
        if self._is_stopped():
            return fences.falls(fence, "a person has stopped automation", now)
        return fence

    def _declared(self, rules: FenceRules) -> list[str]:
        """The functions that are to be stopped, in order."""
        functions = self._policy.functions
        return sorted(name for name, group in functions.items() if group in rules.writers)

    def _is_written_behind(self, name: str) -> bool:
        """Whether a repair may write yet, or what it has written is looked through."""
        return self._rollback(name).status in (RollbackStatus.RUNNING, RollbackStatus.VERIFYING)

    def _is_stopped(self) -> bool:
        """Whether a switch is set that holds up what it is raised for, too."""
        name = self._fence.rollback
        order = self._rollback(name).order if name else None
        overrides = order is not None and order.override
        return is_stopped(self._ports, self._policy, overrides=overrides)

    def _rollback(self, name: str) -> Rollback:
        return decode(Rollback, self._ports.store.get(rollbacks.path(name)).fields)

    def _raised(self, fence: Fence) -> Fence:
        """The fence with its writers on record; then stopped; then proven by the canary."""
        rules = self._policy.fence
        if rules is None:
            raise ValueError(f"{fence.system} has no rules of a fence")
        if not fence.writers:
            return self._looked(fence, rules)
        services = self._services(fence)
        stand = fences.stand(fence.writers, services)
        if stand.theirs:
            why = f"somebody has changed the instances of {', '.join(stand.theirs)}"
            return fences.falls(fence, why, self._now)
        if stand.to_stop:
            if fence.status is Status.STANDING:
                names = ", ".join(one.function for one in stand.to_stop)
                return fences.falls(fence, f"somebody has started {names} again", self._now)
            return self._stopped(fence, stand.to_stop, services)
        if not stand.is_settled:
            return replace(fence, waiting="instances end")
        return self._proven(fence, rules)

    def _proven(self, fence: Fence, rules: FenceRules) -> Fence:
        """The fence as the canary has it: what gives no answer at all was not refused."""
        answer, stands = self._canary(rules), fence.status is Status.STANDING
        if answer.passed and stands:
            return fences.falls(fence, f"the canary {rules.canary} writes again", self._now)
        if answer.passed:
            return replace(fence, waiting=f"the canary {rules.canary} still writes")
        if stands:
            return replace(fence, waiting="")
        if answer.status is None:
            return replace(fence, waiting=f"the canary {rules.canary}: {answer.detail}")
        return fences.stands(fence, self._now)

    def _looked(self, fence: Fence, rules: FenceRules) -> Fence:
        """The fence with what the instances of its writers are; nothing is stopped yet."""
        platform, named = self._ports.platform(fence.system), self._declared(rules)
        inventory = ask(self._ports, platform.inventory)
        missing = [name for name in named if name not in inventory]
        if missing:
            why = f"{', '.join(missing)} cannot be stopped: no service of Cloud Run"
            return fences.falls(fence, why, self._now)
        services = {name: inventory[name].service for name in named}
        writers = (Writer(name, one.name, one.scaling) for name, one in services.items())
        return fences.seen(fence, writers)

    def _stopped(
        self, fence: Fence, writers: Iterable[Writer], services: Mapping[str, Service]
    ) -> Fence:
        """The fence whose writers are asked to stop, once that is on record."""
        if not fences.may_send(fence, self._now):
            return replace(fence, sent_at=self._now, waiting="writers are about to be stopped")
        if self._ports.clock.monotonic() - self._read > FRESH_SECONDS:
            return replace(fence, waiting="it took too long to be sent")
        if self._is_stopped():
            return fences.falls(fence, "a person has stopped automation", self._now)
        self._scale({one: one.stopped for one in writers}, services)
        return replace(fence, sent_at=self._now, waiting="writers are stopped")

    def _canary(self, rules: FenceRules) -> ProbeAnswer:
        """What the application answers when it is asked to write."""
        [probe] = [one for one in self._policy.probes if one.name == rules.canary]
        found: ProbeAnswer = ask(self._ports, partial(self._ports.prober.ask, probe))
        return found
