"""Taking stock, disturbed at every point: the same deployments are known in the end."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core import topics
from shared.domain.deployments.deployment import Deployment, DeploymentStatus
from shared.domain.deployments.inventory.inventory_record import unpack_inventory
from shared.domain.deployments.source_copies import is_missing_source_copy, is_missing_values
from shared.domain.policy.system_policy import DeploymentRules
from tests.support.faults import fault_injection
from tests.support.faults.fault_injection import FaultInjectorHook, InjectedFault, shorten_watch
from tests.support.notices.system_events import system_event_names
from tests.support.rollbacks.deployments import deploy_release, later_deployments, publish_audit_hint
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)
POLICY = replace(shorten_watch(), deployments=DeploymentRules(quiet=3 * MINUTE))
"""Quiet for longer than a disturbed tick may take."""


def found(world: World) -> None:
    """A deployment that a hint tells of, and that is announced later by its name."""
    deploy_release(world, "getBook")
    publish_audit_hint(world)
    pass_time(world, 4 * MINUTE)
    world.announce("v2")
    pass_time(world, MINUTE)


def grown(world: World) -> None:
    """Two deploys, the first of which no hint tells of, inside one quiet window."""
    deploy_release(world, "getBook")
    pass_time(world, 5 * MINUTE)
    world.ports.world.deploy(["payOrder"])
    publish_audit_hint(world)
    pass_time(world, 5 * MINUTE)


def baked(world: World) -> None:
    """A deployment that becomes stable."""
    deploy_release(world, "getBook")
    publish_audit_hint(world)
    pass_time(world, 38 * MINUTE)


SCENES: dict[str, tuple[Callable[[World], None], tuple[DeploymentStatus, ...]]] = {
    "found": (
        found,
        (DeploymentStatus.LIVE, DeploymentStatus.LIVE),
    ),  # the second is the first one's announced name
    "grown": (grown, (DeploymentStatus.LIVE,)),
    "baked": (baked, (DeploymentStatus.STABLE,)),
}


def pass_time(world: World, span: timedelta) -> None:
    """Let the clock tick; whoever dies is followed by new instances."""
    saboteur = world.ports.store.hook
    assert isinstance(saboteur, FaultInjectorHook)
    fault_injection.pass_time(world, saboteur, span)


def run(scene: str, saboteur: FaultInjectorHook) -> World:
    world = World(saboteur, POLICY)
    saboteur.world = world
    saboteur.active = True
    SCENES[scene][0](world)
    saboteur.active = False
    pass_time(world, 2 * MINUTE)  # what was disturbed last is done by the next tick
    return world


def known(world: World) -> list[tuple[object, ...]]:
    """What is known of each deployment, but when it was looked at."""

    def of(one: Deployment) -> tuple[object, ...]:
        named = bool(one.named)
        return (one.id, one.at, one.status, one.changed_functions, one.functions, named, one.untested)

    return [of(one) for one in later_deployments(world)]


def reasons(world: World) -> list[str]:
    """What became of deployments; in how many goes things were kept is nobody's concern."""
    return sorted(name for name in system_event_names(world) if name != "functions.kept")


def lacking(world: World) -> list[str]:
    """The functions of the stock, and of each record, of which something is not kept."""
    return [
        f"{path}: {name}"
        for path, fields in world.ports.store.documents.items()
        if path.startswith("inventory/") or path.endswith("/record/inventory")
        for name, one in (unpack_inventory(fields["live"]).functions or {}).items()
        if is_missing_source_copy(one) or is_missing_values(one)
    ]


COUNTED = {scene: FaultInjectorHook() for scene in SCENES}
UNDISTURBED = {scene: run(scene, COUNTED[scene]) for scene in SCENES}


def points() -> list[tuple[str, InjectedFault, int]]:
    cases = []
    for scene, counted in COUNTED.items():
        # The clock's own commits repeat: the beginning of each scene has every kind of point.
        for point in range(min(len(counted.points), 40)):
            cases += [(scene, fault, point) for fault in (InjectedFault.CRASH, InjectedFault.LOST_ANSWER)]
    return cases


@pytest.mark.parametrize("scene", SCENES)
def test_what_each_scene_ends_in(scene: str) -> None:
    """When nothing goes wrong."""
    assert tuple(one.status for one in later_deployments(UNDISTURBED[scene])) == SCENES[scene][1]


@pytest.mark.parametrize(("scene", "fault", "point"), points())
def test_a_fault_anywhere_in_taking_stock_changes_nothing_of_the_end(
    scene: str, fault: InjectedFault, point: int
) -> None:
    """Stock, deployment and event are one commit: there is each deployment once, and its reason."""
    saboteur = FaultInjectorHook(point, fault)

    world = run(scene, saboteur)

    same = UNDISTURBED[scene]
    assert saboteur.happened
    assert known(world) == known(same)
    assert reasons(world) == reasons(same)
    assert lacking(world) == []
    assert [one for one in world.ports.bus.messages if one.topic == topics.DEAD_LETTERS] == []
