"""One gate: what it looks at, and what it answers."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from shared.core.codec import FrozenStruct
from shared.domain.decision.facts import ChangeSet, DecisionFacts
from shared.domain.decision.scenario_scope import SCENARIO_SCOPES
from shared.domain.decision.target_selection import passed_over_deployments
from shared.domain.deployments.deployment import Deployment
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.deployments.stability import describe_passed_over
from shared.domain.policy.signals import BREACH_SIGNAL, Signal
from shared.domain.policy.system_policy import Policy


class GateResult(StrEnum):
    """What one gate says."""

    PASS = "pass"  # noqa: S105 - an answer, no password
    STOP = "stop"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not applicable"


class Outcome(StrEnum):
    """What becomes of an incident."""

    ROLLBACK = "rollback"
    ASK = "ask"
    HOLD = "hold"
    OBSERVE = "observe"
    IGNORE = "ignore"
    ESCALATE = "escalate"


class GateAnswer(FrozenStruct):
    """One gate's answer, as the trail keeps it."""

    gate: str
    answer: GateResult
    reason: str
    leads_to: Outcome = Outcome.ROLLBACK
    """What a stop of this gate means; of an unknown answer, whether people are asked in the end."""

    def __str__(self) -> str:
        return f"{self.gate}: {self.reason}"


class GateInput(FrozenStruct):
    """What a gate looks at."""

    facts: DecisionFacts
    policy: Policy
    signal: Signal
    change: ChangeSet
    """What would go back, functions under manual control included."""
    now: datetime
    rollback: str
    ordered: bool = False
    is_undo: bool = False
    """An undo, or a repair of documents, is requested: there is no one target."""
    released: ChangeSet | None = None
    """Everything that changed, of which `change` is a part; None: `change` is all of it."""

    @property
    def is_declared(self) -> bool:
        """Whether somebody has declared the trouble, so that nothing need be seen to fail."""
        return any(alert.signal == BREACH_SIGNAL for alert in self.facts.alerts)

    @property
    def changed(self) -> dict[str, datetime]:
        """Every function that changed, and since when."""
        return dict((self.released or self.change).functions)

    @property
    def other_parts(self) -> frozenset[InventoryPart]:
        """The parts beside the functions that would go back."""
        return SCENARIO_SCOPES[self.signal.scenario].other_parts

    @property
    def manually_changed(self) -> set[str]:
        """The changed functions that automation leaves to a person; an order leaves none."""
        if self.ordered:
            return set()
        suspended = self.facts.system.suspended
        return {name for name in self.change.functions if suspended.get(name, self.now) > self.now}

    @property
    def chosen(self) -> set[str]:
        """The functions that would go back from what operators chose a while ago."""
        chosen = {} if self.ordered else self.facts.system.chosen
        return {name for name in self.scope if chosen.get(name, self.now) > self.now}

    @property
    def scope(self) -> set[str]:
        """The functions that would go back."""
        return set(self.change.functions) - self.manually_changed

    @property
    def passed_over(self) -> dict[str, Deployment]:
        """The deployments that going back passes over, by the line that a plan has for each."""
        return {
            describe_passed_over(one, until, self.policy, self.facts.system): one
            for one, until in passed_over_deployments(self.change, self.facts.inventory)
        }


Gate = Callable[[GateInput], GateAnswer]
