"""The ruleset of before in force again, made once more where it was deleted."""

from shared.core.codec import FrozenStruct, decode
from shared.domain.deployments.inventory.inventory_parts import RulesSource, WholeInventory
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import ResourceStep, StepObservation, StepVerdict

KIND = "release_rules"


RECREATED_SUFFIX = " anew"
"""Behind what was found in force: the goal's ruleset is gone, and is to be made first."""


class RulesGoal(FrozenStruct):
    """What is to be in force."""

    release: str
    """`cloud.firestore`, `firebase.storage/BUCKET`."""
    ruleset: str
    """Short name."""
    source: RulesSource
    """Our copy of what it says; empty: there is none."""


class RulesOrigin(FrozenStruct):
    """What the plan found in force."""

    ruleset: str
    """Empty: there was no such release."""


class ReleaseRulesStep(ResourceStep):
    """No precondition protects it. A ruleset that is made anew is in force nowhere until then.

    Whoever dies between the two leaves a ruleset that nothing leads to, and the next attempt
    makes another.
    """

    part = InventoryPart.RULES
    four_eyes = True
    expected_seconds = 1.0
    unconditional_timeout_seconds: float | None = 20.0
    """Twice `shared.adapters.gcp.rest.EFFECT_TIMEOUT_SECONDS`: it may make the ruleset first."""

    def look(self, step: Step) -> StepObservation:
        """Compare what is in force with goal and origin; rules that say the same are the same."""
        goal, origin = decode(RulesGoal, step.goal), decode(RulesOrigin, step.origin)
        released = self._estate.rules.releases().get(goal.release)
        found = released.ruleset if released else ""
        if found == goal.ruleset:
            return StepObservation(StepVerdict.AT_GOAL)
        if found == origin.ruleset:
            if self._estate.rules.ruleset(goal.ruleset) is not None:
                return StepObservation(StepVerdict.AT_ORIGIN, found)
            if goal.source:
                return StepObservation(StepVerdict.AT_ORIGIN, found + RECREATED_SUFFIX)
            return StepObservation(
                StepVerdict.IMPOSSIBLE, note=f"{goal.ruleset} is gone, and no copy is stored"
            )
        if found and goal.source and self._estate.rules.ruleset(found) == goal.source:
            return StepObservation(StepVerdict.AT_GOAL, note=f"{found} has the same rules")
        return StepObservation(StepVerdict.ELSEWHERE, note=f"found {found or 'no ruleset'} in force")

    def set(self, step: Step) -> str:
        """Release the goal's ruleset or its equal; the deadline has room for two calls, no read."""
        goal, origin = decode(RulesGoal, step.goal), decode(RulesOrigin, step.origin)
        rules = self._estate.rules
        ruleset = goal.ruleset
        if step.seen.endswith(RECREATED_SUFFIX):
            ruleset = rules.create_ruleset(goal.source)
        rules.enforce(goal.release, ruleset, new=not origin.ruleset)
        return ""

    @classmethod
    def is_at_goal(cls, step: Step, name: str, live: WholeInventory) -> bool:
        """Compare the ruleset in force with the goal, by its name or its source."""
        goal, release = decode(RulesGoal, step.goal), (live.rules or {}).get(name)
        if release is None:
            return False
        return release.ruleset == goal.ruleset or (bool(goal.source) and release.source == goal.source)
