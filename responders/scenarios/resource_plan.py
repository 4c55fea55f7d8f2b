"""What a scenario does by itself, and what it asks first, from what was recorded and is live."""

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from shared.core.codec import FrozenStruct
from shared.domain.deployments.change_attribution import suspension_name
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.deployments.inventory.products import restored_parts
from shared.domain.rollback.plan import Step

Statuses = Mapping[tuple[str, str], str | None]
"""Of versions of Hosting by site and version; None: it is gone; absent: it could not be seen."""


class ResourceState(FrozenStruct):
    """What lies beside the functions: as it was recorded, and as it is."""

    recorded: WholeInventory
    live: WholeInventory
    """A part that gave no answer is None."""
    statuses: Statuses = {}
    """Of the versions that would be released."""


class Portion(FrozenStruct):
    """One product's part of a plan."""

    steps: tuple[Step, ...] = ()
    reported: tuple[str, ...] = ()
    """What is left alone, and what is to be known of what is done, one line each."""


class PlanParts(FrozenStruct):
    """The two plans that a scenario may lead to."""

    acts: Portion = Portion()
    asks: Portion = Portion()
    """What needs a person's word in any case."""


def exclude_manual_changes(
    sight: ResourceState, until: Mapping[str, datetime]
) -> tuple[ResourceState, tuple[str, ...]]:
    """The sight in which nothing is to be brought back that a person has changed, and what that is.

    `until` tells how long each thing is theirs, by its part and name.
    """
    recorded, told = sight.recorded, list[str]()
    for part in restored_parts():
        was, now = getattr(recorded, part), getattr(sight.live, part)
        if was is None or now is None:
            continue
        theirs = [
            name
            for name in sorted(was.keys() | now.keys())
            if suspension_name(part, name) in until and was.get(name) != now.get(name)
        ]
        ends = {name: until[suspension_name(part, name)] for name in theirs}
        told += [f"{part} {name}: changed manually, kept until {end:%H:%M} UTC" for name, end in ends.items()]
        others = {name: one for name, one in was.items() if name not in theirs}
        as_it_is = {name: now[name] for name in theirs if name in now}
        recorded = replace(recorded, **{part.value: {**others, **as_it_is}})
    return replace(sight, recorded=recorded), tuple(told)


def join_plans(*portions: Portion) -> Portion:
    """All of them, side by side."""
    return Portion(
        tuple(step for one in portions for step in one.steps),
        tuple(line for one in portions for line in one.reported),
    )


def order_behind_clients(clients: Portion, called: Portion) -> Portion:
    """What is called goes back once its clients have been tried: one that fails holds up nobody."""
    names = tuple(step.name for step in clients.steps)
    if not names:
        return called
    steps = (
        step if step.after else replace(step, after=names, despite_stopped=True, despite_failed=True)
        for step in called.steps
    )
    return replace(called, steps=tuple(steps))
