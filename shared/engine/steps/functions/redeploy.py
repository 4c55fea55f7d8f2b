"""A function built again from our copy of its recorded source, with its recorded configuration."""

from shared.core.codec import FrozenStruct, decode
from shared.domain.deployments.build_recipe import (
    EXPECTED_REBUILD_SECONDS,
    REDEPLOY,
    BuiltFunction,
    Recipe,
    deployment_marker,
    is_built_from,
)
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import DrillCheck, FunctionStep, StepObservation, StepVerdict

KIND = REDEPLOY
WRITES_PER_REDEPLOY = 2
"""A deployment costs about two of the writes to Cloud Run."""
FAILED_SUFFIX = " failed"
"""What the token says beyond the mark, once a deployment did not succeed."""


class RedeployGoal(FrozenStruct):
    """What a function is to run, as of a deployment that was stable."""

    function: str
    recipe: Recipe


class RedeployOrigin(FrozenStruct):
    """What the plan found."""

    mark: str
    """Of the deployment that it had then, or of its absence."""
    newest: str = ""
    """The newest revision of its service then; empty: it had none."""


class ReplacedDeployment(FrozenStruct):
    """What is kept of the deployment that the plan found, should a person want it back."""

    recipe: Recipe | None = None
    """What it is built from again; None: too little is kept, or it was not there."""
    lacking: str = ""


class RedeployStep(FunctionStep):
    """Unconditional, because Functions v2 has no etag. A rebuild is not the artefact of old.

    Whose deployment runs is told by its operation's name, and by the source that it builds.
    """

    drill = DrillCheck.LOOK
    expected_seconds = EXPECTED_REBUILD_SECONDS
    """Minutes of Cloud Build; no primary figure exists."""
    unconditional_timeout_seconds: float | None = 15.0
    """The adapter's: the values of the variables are read, then one request is sent."""

    def look(self, step: Step) -> StepObservation:
        """Compare what the function was built from, and what builds it now, with the goal."""
        goal, origin = decode(RedeployGoal, step.goal), decode(RedeployOrigin, step.origin)
        error = ""
        if step.operation:
            operation = self._builder.operation(step.operation)
            if not operation.done:
                return StepObservation(StepVerdict.UNDER_WAY, note="it is being built")
            error = operation.error
        found = self._builder.find_function(goal.function)
        if found is not None and found.deploying:
            running = self._builder.find_running_deployment(goal.function)
            if running is not None and running.source != goal.recipe.source:
                return StepObservation(
                    StepVerdict.ELSEWHERE, note=f"somebody is deploying it: {running.operation}"
                )
            return StepObservation(StepVerdict.UNDER_WAY, note="it is being built")
        look = _compare_with_goal(found, goal, origin, error)
        is_first = look.verdict is StepVerdict.AT_ORIGIN and not step.attempts
        if is_first and (past := self._find_foreign_revision(found, origin)):
            return StepObservation(StepVerdict.ELSEWHERE, note=f"found a newer revision: {past}")
        return look

    def _find_foreign_revision(self, found: BuiltFunction | None, origin: RedeployOrigin) -> str:
        """Return a revision that others made since; a failed step may have made one itself."""
        if found is None or not (found.active and found.service and origin.newest):
            return ""
        newest = self._platform.service(found.service).latest_created
        return "" if newest in (origin.newest, found.revision) else newest

    def set(self, step: Step) -> str:
        """Ask for the build; where the function is not there, for the function."""
        goal = decode(RedeployGoal, step.goal)
        return self._builder.build(goal.function, goal.recipe, create=step.seen == deployment_marker(None))


def _compare_with_goal(
    found: BuiltFunction | None, goal: RedeployGoal, origin: RedeployOrigin, error: str
) -> StepObservation:
    if found is None:
        if origin.mark == deployment_marker(None):
            return StepObservation(StepVerdict.AT_ORIGIN, deployment_marker(None), error)
        return StepObservation(StepVerdict.ELSEWHERE, note="somebody has deleted it")
    if found.active and is_built_from(found.state, goal.recipe):
        return StepObservation(StepVerdict.AT_GOAL, note="rebuilt from the stored copy of its source")
    here = deployment_marker(found.state)
    if not found.active and found.state.source == goal.recipe.source:
        return StepObservation(StepVerdict.AT_ORIGIN, here + FAILED_SUFFIX, error or "its deployment failed")
    if here == origin.mark:
        return StepObservation(StepVerdict.AT_ORIGIN, here if found.active else here + FAILED_SUFFIX, error)
    source = found.state.source
    archive = f"gs://{source.bucket}/{source.object}#{source.generation}" if source else ""
    note = f"found another deployment, of {archive or 'no archive in Cloud Storage'}"
    return StepObservation(StepVerdict.ELSEWHERE, note=note)
