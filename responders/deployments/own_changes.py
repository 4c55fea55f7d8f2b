"""What rollbacks of ours have sent, or may have sent, since what is live was looked at last."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.core.codec import FrozenStruct, decode
from shared.core.store import Store
from shared.domain.deployments.change_attribution import OwnWrite
from shared.domain.deployments.deployment import Deployment, DeploymentStatus
from shared.domain.rollback.plan import Step, StepStatus
from shared.domain.rollback.rollback import Direction, Rollback, RollbackStatus
from shared.engine.steps.functions import redeploy, serve_revision, shift_traffic
from shared.state.reader import StateReader

MAX_EFFECT_DELAY = timedelta(minutes=10)
"""What a rollback has sent before its end may be seen so long after it."""
UNSENT_STEP_STATUSES = (StepStatus.PENDING, StepStatus.SKIPPED, StepStatus.UNNEEDED)


class SentRollback(FrozenStruct):
    """One rollback, and those of its steps whose effects may have been sent."""

    rollback: Rollback
    steps: tuple[Step, ...]


def find_rollbacks_with_effects(store: Store, system: str, since: datetime) -> list[SentRollback]:
    """By rollback, the oldest first, without those of which all had landed before `since`."""
    reading = StateReader(store)
    return [
        SentRollback(
            one, tuple(step for step in reading.steps(one.id) if step.status not in UNSENT_STEP_STATUSES)
        )
        for one in reading.rollbacks_of(system)
        if one.plan is not None and (one.ended_at is None or one.ended_at + MAX_EFFECT_DELAY >= since)
    ]


def _is_operator_choice(rollback: Rollback, known: Mapping[str, Deployment]) -> bool:
    """Return whether operators ordered traffic to what is no stable deployment already."""
    if rollback.order is None or rollback.order.rest or rollback.plan is None:
        return False
    target = known.get(rollback.plan.target)
    return target is None or target.status is not DeploymentStatus.STABLE


def collect_own_traffic_writes(
    found: Iterable[SentRollback], known: Mapping[str, Deployment]
) -> dict[str, OwnWrite]:
    """What functions may have been led to, by function; the newest rollback wins."""
    said: dict[str, OwnWrite] = {}
    for one in found:
        rollback = one.rollback
        well = rollback.status in (RollbackStatus.WATCHING, RollbackStatus.SUCCEEDED)
        helped = well and rollback.way is Direction.BACK
        chosen = _is_operator_choice(rollback, known)
        for step in one.steps:
            before = said.get(step.target, OwnWrite(rollback.id, (), ()))
            at = (step.ended_at or step.begun_at) if chosen else None
            mine = replace(before, rollback=rollback.id, helped=helped, chosen_at=at)
            if step.kind == shift_traffic.KIND:
                goal = decode(shift_traffic.TrafficGoal, step.goal)
                origin = decode(shift_traffic.TrafficOrigin, step.origin)
                said[step.target] = replace(mine, origin=origin.traffic, goal=goal.traffic, source=None)
            elif step.kind == redeploy.KIND:
                built = decode(redeploy.RedeployGoal, step.goal).recipe.source
                said[step.target] = replace(mine, source=built)
            elif step.kind == serve_revision.KIND and (
                led := decode(serve_revision.ServeRevisionGoal, step.goal).traffic
            ):
                then = decode(serve_revision.ServeRevisionOrigin, step.origin).found
                said[step.target] = replace(mine, origin=then, goal=led)
    return said
