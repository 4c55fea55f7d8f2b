"""Where a person wants functions after rollbacks: as these found them, or unpinned; pure."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from shared.core.codec import FrozenStruct, decode
from shared.domain.deployments.build_recipe import Recipe, deployment_marker
from shared.domain.deployments.deployment import Inventory
from shared.domain.deployments.inventory.traffic import Scaling, Traffic, is_same_traffic_list
from shared.domain.rollback.pins import Pin
from shared.domain.rollback.plan import Step, StepStatus
from shared.engine.steps.functions import redeploy, serve_revision, shift_traffic

SENT_STEP_STATUSES = (StepStatus.BEGUN, StepStatus.DONE, StepStatus.FAILED)
"""What failed may have taken effect all the same; so may what was begun when its rollback was given
up."""


class UndoTarget(FrozenStruct):
    """One function, and where its traffic is to go."""

    function: str
    traffic: Traffic
    """Verbatim; empty: it has no service."""
    left: tuple[Traffic, ...]
    """The lists that our rollbacks may have left: any other means that a person is there."""
    newest: str = ""
    """The newest revision that may serve as LATEST; empty: whichever is newest."""
    scaling: Scaling | None = None
    """What its instances were; None: ours have left them alone."""
    scaled: Scaling | None = None
    """What ours have made of them: anything else means that a person is there, and they stay."""
    is_led_back: bool = False
    """Whether its traffic is as ours have found it: put back since, or never led elsewhere."""
    builds: tuple[Recipe, ...] = ()
    """What ours may have built it from: any other means that a person is there. Empty: they have
    not built it again."""
    found: str = ""
    """What marks the deployment that ours have found."""
    served: tuple[Traffic, ...] = ()
    """The lists of which ours may have led every request to that build."""
    before: Recipe | None = None
    """What builds again what it was before that; None: nothing that is kept."""
    why_not: str = ""
    """Why nothing is."""
    built_at: datetime | None = None

    @property
    def is_undone(self) -> bool:
        """Whether ours have taken back all that they have done to it."""
        return (self.is_led_back or not self.traffic) and self.builds in ((), (self.before,))


def collect_undo_targets(rollbacks: Iterable[Iterable[Step]]) -> dict[str, UndoTarget]:
    """What an incident's rollbacks have found of each function, and where they left it.

    The steps of each in the plan's order, the first rollback first. What one of them has put back
    is not wanted any more; what failed may have been asked for all the same.
    """
    wanted: dict[str, UndoTarget] = {}
    for steps in rollbacks:
        for step in steps:
            after = _target_after_step(step, wanted.get(step.target))
            if after is not None:
                wanted[step.target] = after
        wanted = {name: one for name, one in wanted.items() if not one.is_undone}
    return wanted


def collect_unpin_targets(pins: Iterable[Pin], inventory: Inventory) -> dict[str, UndoTarget]:
    """What each pinned function is to serve once it is not pinned any more."""
    return {
        pin.function: UndoTarget(
            pin.function,
            pin.build_unpinned_traffic(live.service) if (live := inventory.get(pin.function)) else (),
            # A tag that somebody gave meanwhile stays: it is no share of the requests.
            (live.service.traffic if live and pin.is_in_force(live.service.traffic) else pin.held,),
        )
        for pin in pins
    }


def _target_after_step(step: Step, known: UndoTarget | None) -> UndoTarget | None:
    """What is wanted of its function once a step has ended; None: nothing yet."""
    if step.kind == shift_traffic.KIND and step.status in SENT_STEP_STATUSES:
        return _after_shift(step, known)
    if step.kind == redeploy.KIND and step.status in SENT_STEP_STATUSES:
        return _after_build(step, known or UndoTarget(step.target, (), ()))
    if step.kind == serve_revision.KIND and known is not None and known.builds:
        return _after_serve(step, known)
    return known


def _after_shift(step: Step, known: UndoTarget | None) -> UndoTarget:
    goal = decode(shift_traffic.TrafficGoal, step.goal)
    origin = decode(shift_traffic.TrafficOrigin, step.origin)
    first = known or UndoTarget(step.target, origin.traffic, (), origin.latest_created)
    after = _redirect_target(first, goal.traffic, done=step.status is StepStatus.DONE)
    if goal.scaling is None:
        return after
    return replace(after, scaling=first.scaling or origin.scaling, scaled=goal.scaling)


def _after_build(step: Step, known: UndoTarget) -> UndoTarget:
    made = decode(redeploy.RedeployGoal, step.goal).recipe
    before = decode(redeploy.ReplacedDeployment, step.kept)
    if not known.builds:
        found = decode(redeploy.RedeployOrigin, step.origin).mark
        known = replace(known, found=found, before=before.recipe, why_not=_find_obstacle(found, before))
    builds = (made,) if step.status is StepStatus.DONE else (*known.builds, made)
    return replace(known, builds=builds, built_at=step.ended_at)


def _find_obstacle(found: str, before: redeploy.ReplacedDeployment) -> str:
    if found == deployment_marker(None):
        return "it did not exist before, and an undo deletes nothing"
    return before.lacking or "its record is incomplete"


def _after_serve(step: Step, known: UndoTarget) -> UndoTarget:
    goal = decode(serve_revision.ServeRevisionGoal, step.goal)
    origin = decode(serve_revision.ServeRevisionOrigin, step.origin)
    first = replace(known, traffic=known.traffic or origin.found)
    if goal.traffic:
        return _redirect_target(first, goal.traffic, done=step.status is StepStatus.DONE)
    lists = tuple(filter(None, (origin.found, origin.asked)))
    served, left = (*first.served, *lists), (*first.left, *lists)
    stays = step.status not in SENT_STEP_STATUSES and (known.is_led_back or not known.traffic)
    return replace(first, left=left, served=served, is_led_back=stays)


def _redirect_target(first: UndoTarget, goal: Traffic, *, done: bool) -> UndoTarget:
    """The function once a list was asked for, which is its traffic now or may be."""
    left = (goal,) if done else (*first.left, goal)
    return replace(first, left=left, is_led_back=done and is_same_traffic_list(goal, first.traffic))
