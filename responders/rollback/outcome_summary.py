"""What is where when a rollback ends short of its plan: why something is not back, what serves."""

from collections.abc import Collection, Iterable, Mapping

from responders.rollback.case import Case
from responders.support.parallel_calls import CALL_TIMEOUT_SECONDS, answer_or_none, call_all
from shared.core import text
from shared.domain.deployments.deployment import Inventory
from shared.domain.deployments.inventory.traffic import describe_served_revisions, traffic_shares
from shared.domain.rollback.plan import Step, StepStatus, unreached_steps
from shared.domain.signals.labels import status_label
from shared.engine.steps.base import FunctionStep
from shared.engine.steps.documents.batched import BatchedStep
from shared.engine.steps.functions import redeploy
from shared.engine.steps.registry import class_of
from shared.engine.steps.resource_differences import is_resource

MOVED_TEXT = "changed by somebody after its shift"


def restores_function(step: Step) -> bool:
    """Return whether the step restores a function."""
    return issubclass(class_of(step), FunctionStep)


def changes_target(step: Step) -> bool:
    """Return whether the step changes its target; a judgement changes nothing."""
    return step.writes > 0 or issubclass(class_of(step), (FunctionStep, BatchedStep))


def shifted_steps(steps: Iterable[Step]) -> list[Step]:
    """The steps that have brought functions back, one for each: those whose traffic was moved."""
    done = [step for step in steps if restores_function(step) and step.status is StepStatus.DONE]
    routed = {step.target for step in done if step.kind != redeploy.KIND}
    return [step for step in done if step.kind != redeploy.KIND or step.target not in routed]


def effective_steps(steps: Iterable[Step]) -> list[Step]:
    """Those that have brought something back, what failed and was stood in for left out."""
    known = list(steps)
    return [*shifted_steps(known), *(step for step in known if is_resource(step))]


def read_served_revisions(case: Case, steps: Collection[Step]) -> dict[str, str] | None:
    """Return what routers serve per function of the plan with a service; None: unknown."""
    functions = sorted({step.target for step in steps if restores_function(step)})
    if not functions:
        return {}
    look = case.ports.system(case.policy.system).platform.inventory
    case.extend_lease(CALL_TIMEOUT_SECONDS)
    inventory: Inventory | None = answer_or_none(call_all(case.ports, {"inventory": look})["inventory"])
    if inventory is None:
        return None
    live = {name: inventory[name].service for name in functions if name in inventory}
    return {
        name: describe_served_revisions(traffic_shares(one.serving, one.latest_ready))
        for name, one in live.items()
    }


def summarize_outcome(steps: Collection[Step]) -> str:
    """Return how many of the plan's targets are not at their goals, and the first reasons."""
    undone, every = unreached_steps({step.name: step for step in steps}), _targets(steps)
    missing, reasons = _targets(undone), text.join_names(list(_reasons(undone).values()))
    if not missing:  # a check failed, which changes no target
        return f"{len(every)} of {len(every)} done, and not verified: {reasons}"
    return f"{len(missing)} of {len(every)} not done: {reasons}"


def format_served_revisions(
    steps: Collection[Step], serves: Mapping[str, str] | None, moved: Collection[str] = ()
) -> tuple[str, ...]:
    """Return a line per unreached target and what serves there; `moved`: changed since."""
    undone, every = unreached_steps({step.name: step for step in steps}), _targets(steps)
    reasons = {target: f"{target}: {MOVED_TEXT}" for target in moved} | _reasons(undone)
    told = [
        f"{why}; it serves {served}" if (served := (serves or {}).get(target)) else why
        for target, why in reasons.items()
    ]
    unseen = ["what serves could not be read"] if told and serves is None else []
    done = f"{len(every - _targets(undone) - set(moved))} of {len(every)} done"
    return (*([done] if every else []), *unseen, *text.first_lines(told))


def _targets(steps: Iterable[Step]) -> set[str]:
    return {step.target for step in steps if changes_target(step)}


def _reasons(undone: Iterable[Step]) -> dict[str, str]:
    """Why each target is not where it should be; what was never begun tells only by itself."""
    found: dict[str, list[Step]] = {}
    for step in undone:
        found.setdefault(step.target, []).append(step)
    begun = {
        name: [one for one in steps if one.status is not StepStatus.SKIPPED] for name, steps in found.items()
    }
    return {name: "; ".join(map(_step_reason, begun[name] or steps[:1])) for name, steps in found.items()}


def _step_reason(step: Step) -> str:
    return ", ".join(filter(None, (f"{step.name}: {status_label(step.status).lower()}", step.note)))
