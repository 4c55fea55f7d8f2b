"""Rollbacks that are begun or called well too easily."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from responders.rollback import case, completion
from responders.rollback.case import Case, Transition
from responders.rollback.decision import rollback_decision
from responders.rollback.verification import health_assessment, monitoring, rollback_verification
from shared.domain.decision.gates.base import GateAnswer, GateResult
from shared.domain.decision.gates.registry import GATES
from shared.domain.rollback.plan import Step
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from shared.domain.signals import health as healths


def _without_gate(name: str) -> AbstractContextManager[Any]:
    def passes(asked: Any) -> GateAnswer:
        return GateAnswer(name, GateResult.PASS, "not asked")

    return patch.dict(GATES, {name: replace(GATES[name], gate=passes)})


def verified_on_old_points() -> AbstractContextManager[Any]:
    """What was counted before the last shift is counted too."""
    honest = health_assessment.assess_health

    def old(case: Case, steps: Iterable[Step], since: Any) -> healths.Health:
        return honest(case, steps, since - timedelta(minutes=5))

    return patch.object(health_assessment, "assess_health", old)


def verified_without_a_look() -> AbstractContextManager[Any]:
    """Shifted is taken for well."""
    well = healths.Health(healths.HealthVerdict.WELL, "surely")
    return patch.object(health_assessment, "assess_health", lambda case, steps, since: well)


def finished_without_the_joined_alerts() -> AbstractContextManager[Any]:
    """The end does not read what has joined."""

    @contextmanager
    def deaf() -> Iterator[None]:
        with (
            patch.object(case, "unjudged_alerts", lambda alerts: []),
            patch.object(completion, "unjudged_alerts", lambda alerts: []),
            patch.object(monitoring, "unjudged_alerts", lambda alerts: []),
        ):
            yield

    return deaf()


def ended_and_due_again() -> AbstractContextManager[Any]:
    """No answer after the end makes an ended rollback due again."""
    honest = Case._is_overtaken

    def blind(turn: Transition, known: tuple[Any, ...], rollback: Rollback) -> bool:
        return honest(turn, known, replace(rollback, status=RollbackStatus.RUNNING))

    return patch.object(Case, "_is_overtaken", staticmethod(blind))


def cool_down_ignored() -> AbstractContextManager[Any]:
    """Automation goes back a second time."""
    return _without_gate("cool-down")


def budget_ignored() -> AbstractContextManager[Any]:
    """Automation goes back more often than the hour allows."""
    return _without_gate("budget")


def mode_ignored() -> AbstractContextManager[Any]:
    """Automation acts where nobody has promoted it."""
    return _without_gate("mode")


def cause_ignored() -> AbstractContextManager[Any]:
    """Automation goes back without a change to go back from."""
    return _without_gate("cause")


def budget_not_spent() -> AbstractContextManager[Any]:
    """A rollback is not counted."""
    return patch.object(rollback_decision, "_build_budget_writes", lambda *facts: ())


def slot_not_taken() -> AbstractContextManager[Any]:
    """A plan is begun without the system's slot."""
    honest = Case.commit_transition

    def take(self: Case, turn: Transition) -> bool:
        begins = turn.event == "rollback.decided"
        return honest(self, replace(turn, system=None) if begins else turn)

    return patch.object(Case, "commit_transition", take)


def slot_kept_while_watched() -> AbstractContextManager[Any]:
    """Who only watches stands in the way of everybody else."""
    honest = rollback_verification._build_monitoring_transition

    def watching(*facts: Any) -> Transition:
        return replace(honest(*facts), system=None)

    return patch.object(rollback_verification, "_build_monitoring_transition", watching)


def slot_not_asked_for() -> AbstractContextManager[Any]:
    """A plan is begun though another has effects in flight."""

    @contextmanager
    def greedy() -> Iterator[None]:
        honest = Case.commit_transition

        def take(self: Case, turn: Transition) -> bool:
            if turn.event != "rollback.decided" or turn.system is None:
                return honest(self, turn)
            taken = turn.system
            return honest(self, replace(turn, system=lambda system: taken(replace(system, slot=""))))

        with patch.object(Case, "commit_transition", take), _without_gate("active rollback"):
            yield

    return greedy()


MUTANTS = (
    verified_on_old_points,
    verified_without_a_look,
    finished_without_the_joined_alerts,
    ended_and_due_again,
    cool_down_ignored,
    budget_ignored,
    mode_ignored,
    cause_ignored,
    budget_not_spent,
    slot_not_taken,
    slot_kept_while_watched,
    slot_not_asked_for,
)
