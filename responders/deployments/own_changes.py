"""What rollbacks of ours have sent, or may have sent, since what is live was looked at last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from shared.core.codec import decode
from shared.core.store import Store
from shared.domain.deployments.change_attribution import OwnWrite
from shared.domain.deployments.inventory.diff import Difference
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.rollback.plan import Step, StepStatus
from shared.domain.rollback.rollback import Direction, Rollback, RollbackStatus
from shared.engine.engine import load_steps
from shared.engine.steps.functions import redeploy, serve_revision, shift_traffic
from shared.engine.steps.resource_differences import is_own_change
from shared.state.reader import StateReader

MAX_EFFECT_DELAY = timedelta(minutes=10)
"""What a rollback has sent before its end may be seen so long after it."""
UNSENT_STEP_STATUSES = (StepStatus.PENDING, StepStatus.SKIPPED, StepStatus.UNNEEDED)


class SentRollback(Struct, frozen=True):
    """One rollback, and those of its steps whose effects may have been sent."""

    rollback: Rollback
    steps: tuple[Step, ...]


def find_rollbacks_with_effects(store: Store, system: str, since: datetime) -> list[SentRollback]:
    """By rollback, the oldest first, without those of which all had landed before `since`."""
    return [
        SentRollback(one, tuple(_sent_steps(store, one)))
        for one in StateReader(store).rollbacks_of(system)
        if one.plan is not None and (one.ended_at is None or one.ended_at + MAX_EFFECT_DELAY >= since)
    ]


def _sent_steps(store: Store, rollback: Rollback) -> Iterable[Step]:
    steps = load_steps(store, rollback.id).values()
    return (step for step in steps if step.status not in UNSENT_STEP_STATUSES)


def collect_own_traffic_writes(found: Iterable[SentRollback]) -> dict[str, OwnWrite]:
    """What functions may have been led to, by function; the newest rollback wins."""
    said: dict[str, OwnWrite] = {}
    for one in found:
        rollback = one.rollback
        well = rollback.status in (RollbackStatus.WATCHING, RollbackStatus.SUCCEEDED)
        helped = well and rollback.way is Direction.BACK
        for step in one.steps:
            known = said.get(step.target, OwnWrite(rollback.id, (), ()))
            known = replace(known, rollback=rollback.id, helped=helped)
            if step.kind == shift_traffic.KIND:
                goal, origin = (
                    decode(shift_traffic.TrafficGoal, step.goal),
                    decode(shift_traffic.TrafficOrigin, step.origin),
                )
                said[step.target] = OwnWrite(rollback.id, origin.traffic, goal.traffic, helped)
            elif step.kind == redeploy.KIND:
                built = decode(redeploy.RedeployGoal, step.goal).recipe.source
                said[step.target] = replace(known, source=built)
            elif step.kind == serve_revision.KIND and (
                led := decode(serve_revision.ServeRevisionGoal, step.goal).traffic
            ):
                then = decode(serve_revision.ServeRevisionOrigin, step.origin).found
                said[step.target] = replace(known, origin=then, goal=led)
    return said


def attribute_resource_differences(
    found: Sequence[SentRollback],
    differing: Iterable[Difference],
    before: WholeInventory,
    live: WholeInventory,
) -> dict[Difference, str]:
    """What differs beside the functions and is of our making, with the newest that made it so."""
    return {
        one: each.rollback.id
        for one in differing
        for each in found
        if is_own_change(one, before, live, each.steps)
    }
