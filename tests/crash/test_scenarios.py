"""A fault at each effect and each commit of the whole plan of every wider scenario but complete.

That one is attacked in tests/crash/test_complete.py.
"""

from functools import cache

import pytest
from msgspec import Struct

from shared.domain.rollback.rollback import RollbackStatus
from tests.support.decision.outages import shifted_functions
from tests.support.faults.fault_injection import FaultInjectorHook, InjectedFault, run_approved_alert
from tests.support.rollbacks.bookshop_resources import (
    CARTS,
    SIGNING_IN,
    build_healthy_shop,
    deploy_bad_release,
)
from tests.support.runtime.world import World

EFFECTS = (
    "hosting.release",
    "remote_config.publish",
    "rules.enforce",
    "identity.configure",
    "indexes.create",
    "platform.shift",
)
EVERYTHING = (*EFFECTS, "store.commit")


class Scene(Struct, frozen=True):
    """What is bad, what tells of it, and what is done about it beside the functions."""

    spoiled: tuple[str, ...]
    signal: str
    effects: tuple[str, ...]
    functions: frozenset[str] = frozenset(SIGNING_IN)
    rollbacks: int = 1


RULES, SETTINGS = "cloud.firestore enforces r1", "set authorizedDomains, mfa.state"
SITE, TEMPLATE = "shop live serves v1", "a template is published"
SCENES = {
    "auth": Scene(("signing in", "identity"), "authentication_failure", (SETTINGS,), rollbacks=2),
    "database": Scene(
        ("signing in", "indexes", "rules"),
        "database_failure_rate",
        (RULES, f"index {CARTS.definition}"),
        rollbacks=2,
    ),
    "feature": Scene(("signing in", "remote_config"), "performance_degraded", (TEMPLATE,)),
    "breach": Scene(("sites", "rules", "identity"), "security_breach", (RULES, SETTINGS, SITE), frozenset()),
}


def run(scene: Scene, saboteur: FaultInjectorHook) -> World:
    """What is asked is approved by two people, and all of it is watched to its end."""
    world = build_healthy_shop(saboteur)
    deploy_bad_release(world, *scene.spoiled)
    estate = world.ports.beside
    well = len(scene.effects)
    world.ports.prober.down = lambda probe: probe == "shop" and len(estate.effects) < well
    run_approved_alert(world, saboteur, scene.signal)
    return world


@cache
def undisturbed(name: str) -> tuple[str, ...]:
    saboteur = FaultInjectorHook(counted=EVERYTHING)
    assert_all_back(SCENES[name], run(SCENES[name], saboteur))
    return tuple(saboteur.points)


def assert_all_back(scene: Scene, world: World) -> None:
    assert sorted(world.ports.beside.effects) == sorted(scene.effects)
    assert shifted_functions(world) == scene.functions
    assert [one.status for one in world.rollbacks()] == [RollbackStatus.SUCCEEDED] * scene.rollbacks
    assert world.find_violated_invariants() == []


def effects() -> list[tuple[str, int, InjectedFault]]:
    """Before and after each effect of each scenario."""
    return [
        (name, point, fault)
        for name in SCENES
        for point in range(sum("store" not in point for point in undisturbed(name)))
        for fault in (InjectedFault.CRASH, InjectedFault.LOST_ANSWER)
    ]


@pytest.mark.parametrize(("name", "point", "fault"), effects())
def test_a_fault_at_an_effect(name: str, point: int, fault: InjectedFault) -> None:
    """Whatever happens right before or after it, each takes effect once, and all are back."""
    saboteur = FaultInjectorHook(point, fault, EFFECTS)

    world = run(SCENES[name], saboteur)

    assert saboteur.happened
    assert_all_back(SCENES[name], world)


def commits() -> list[tuple[str, int]]:
    """After each commit from the decision on, up to the last effect: what it promised is done."""
    found = []
    for name in SCENES:
        points = undisturbed(name)
        last = max(number for number, point in enumerate(points) if "store" not in point)
        inside = range(last + 3)
        found += [(name, place) for place in inside if points[place] == "after store.commit"]
    return found


@pytest.mark.parametrize(("name", "point"), commits())
def test_a_crash_after_a_commit(name: str, point: int) -> None:
    """Whichever commit it dies at, nobody is asked twice, and all are back."""
    world = run(SCENES[name], FaultInjectorHook(point, InjectedFault.CRASH, EVERYTHING))

    assert_all_back(SCENES[name], world)
    asked = [one.key for one in world.ports.sender.sent if "rollback.parked" in one.key]
    assert len(set(asked)) in (0, len(world.policy.channels))
