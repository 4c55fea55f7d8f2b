"""The steps that restore resources, compared with differences of the inventory; pure."""

from collections.abc import Iterable

from shared.core.text import count_noun, shorten
from shared.domain.deployments.inventory.diff import Difference
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import ResourceStep
from shared.engine.steps.registry import class_of

STATE_KEYS = ("version", "ruleset", "hash")
"""The fields of goals and origins that name a state."""


def describe_steps(functions: int, beside: Iterable[str]) -> str:
    """So many functions, and the name of each step of something else."""
    others = list(beside)
    return ", ".join([*([count_noun(functions, "function")] if functions or not others else []), *others])


def describe_resource_changes(steps: Iterable[Step]) -> list[str]:
    """Return the present and the future state of each resource that the steps restore."""
    return [
        f"{step.name}: {_describe_state(step, 'origin')} → {_describe_state(step, 'goal')}"
        for step in steps
        if is_resource(step)
    ]


def _describe_state(step: Step, side: str) -> str:
    """Return the settings of that side, or the version that the step names."""
    settings = [f"{one['path']} {one[side] or 'unset'}" for one in step.goal.get("settings", ())]
    state = step.goal if side == "goal" else step.origin
    named = (shorten(str(state[key]), 24) for key in STATE_KEYS if state.get(key))
    return ", ".join(settings) or next(named, "created" if side == "goal" else "nothing")


def is_resource(step: Step) -> bool:
    """Return whether the step restores a resource beside the functions."""
    return issubclass(class_of(step), ResourceStep)


def is_step_for(step: Step, difference: Difference) -> bool:
    """Return whether the step changes the thing that differs."""
    kind = class_of(step)
    if not issubclass(kind, ResourceStep) or kind.part is not difference.part:
        return False
    return kind.touches(step, difference.name)


def is_own_change(
    difference: Difference, before: WholeInventory, live: WholeInventory, steps: Iterable[Step]
) -> bool:
    """Return whether these steps led to all that differs of one thing."""
    mine = [step for step in steps if is_step_for(step, difference)]
    kind = class_of(mine[0]) if mine else None
    return (
        kind is not None
        and issubclass(kind, ResourceStep)
        and kind.explains(difference.name, before, live, mine)
    )
