"""The step that judges a canary by probes; the other functions of its group wait for it."""

from shared.core.codec import FrozenStruct, decode, from_json
from shared.core.errors import Rejected
from shared.domain.deployments.inventory.traffic import traffic_shares
from shared.domain.policy.probes import Probe
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import StepKind, StepObservation, StepVerdict

KIND = "judge"


class CanaryGoal(FrozenStruct):
    """A function that answers well from outside, several times in a row."""

    service: str
    revisions: dict[str, int]
    """Percent per revision that the canary was to have; each must be ready."""
    newest: str = ""
    """The newest revision then: where a newer one serves alone, that one is judged."""
    probe: str = ""
    """Its name; empty: the function cannot be asked from outside."""
    request: str = ""
    """The whole probe, as JSON."""
    times: int = 5


class JudgeCanaryStep(StepKind):
    """Judged by probes alone, because metrics come up to 3 minutes late. It changes nothing."""

    expected_seconds = 0.0

    def look(self, step: Step) -> StepObservation:
        """At the goal when the canary serves what it should, is ready, and each probe passes.

        A canary that is elsewhere, in a person's hands or not to be brought back, says nothing
        about ours: the others go on. That is told by what the routers do: a shift that failed has
        been asked for all the same.
        """
        goal = decode(CanaryGoal, step.goal)
        try:
            service = self._platform.service(goal.service)
            served = traffic_shares(service.serving, service.latest_ready)
            again = service.latest_created != goal.newest and served == {service.latest_created: 100}
            if served != goal.revisions and not again:
                note = "not tested: the canary serves another revision"
                return StepObservation(StepVerdict.AT_GOAL, note=note)
            for revision in served:
                if not self._platform.revision(goal.service, revision).ready:
                    return StepObservation(StepVerdict.UNDER_WAY, note=f"{revision} is not ready")
        except Rejected as gone:
            return StepObservation(StepVerdict.IMPOSSIBLE, note=str(gone))
        return self._run_probes(goal)

    def _run_probes(self, goal: CanaryGoal) -> StepObservation:
        if not goal.request:
            return StepObservation(StepVerdict.AT_GOAL, note="ready; no probe can test it yet")
        probe = from_json(goal.request, Probe)
        for time in range(1, goal.times + 1):
            answer = self._prober.ask(probe)
            if not answer.passed:
                note = f"probe {time} of {goal.times}: {answer.outcome}"
                return StepObservation(StepVerdict.UNDER_WAY, note=note)
        return StepObservation(StepVerdict.AT_GOAL, note=f"{goal.times} of {goal.times} probes passed")

    def set(self, step: Step) -> str:
        """Never asked for: a judgement has no origin to come from."""
        raise Rejected(f"{step.name}: a judgement changes nothing")
