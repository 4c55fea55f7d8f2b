"""A fault at each effect and each commit of a complete rollback, the question included."""

from functools import cache

import pytest

from shared.domain.rollback.rollback import RollbackStatus
from tests.support.faults.fault_injection import FaultInjectorHook, InjectedFault, run_approved_alert
from tests.support.rollbacks.bookshop_resources import build_healthy_shop, deploy_bad_release
from tests.support.runtime.world import World

EFFECTS = (
    "hosting.release",
    "remote_config.publish",
    "rules.enforce",
    "identity.configure",
    "platform.shift",
)
EVERYTHING = (*EFFECTS, "store.commit")


def run(saboteur: FaultInjectorHook) -> World:
    """What may go back does, two people agree to the rest, and all of it is watched."""
    world = build_healthy_shop(saboteur)
    stable = world.live
    deploy_bad_release(world, "sites", "remote_config", "rules", "identity", "signing in")
    estate = world.ports.beside
    world.ports.prober.down = lambda probe: (
        probe == "shop"
        and (estate.sites["shop"].version, estate.configured["mfa.state"]) != ("v1", "ENABLED")
    )
    run_approved_alert(world, saboteur, "frontend_unavailable")
    assert world.live == stable
    return world


@cache
def undisturbed() -> tuple[str, ...]:
    saboteur = FaultInjectorHook(counted=EVERYTHING)
    assert_all_back(run(saboteur))
    return tuple(saboteur.points)


def assert_all_back(world: World) -> None:
    estate = world.ports.beside
    assert sorted(estate.effects) == [
        "a template is published",
        "cloud.firestore enforces r1",
        "set authorizedDomains, mfa.state",
        "shop live serves v1",
    ]
    assert [one.status for one in world.rollbacks()] == [RollbackStatus.SUCCEEDED, RollbackStatus.SUCCEEDED]
    assert world.find_violated_invariants() == []


def effects() -> range:
    """Before and after each effect."""
    return range(sum("store" not in point for point in undisturbed()))


@pytest.mark.parametrize("fault", [InjectedFault.CRASH, InjectedFault.LOST_ANSWER])
@pytest.mark.parametrize("point", effects())
def test_a_fault_at_an_effect(point: int, fault: InjectedFault) -> None:
    """Whatever happens right before or after it, each takes effect once, and all are back."""
    saboteur = FaultInjectorHook(point, fault, EFFECTS)

    world = run(saboteur)

    assert saboteur.happened
    assert_all_back(world)


def commits() -> list[int]:
    """After each commit from the decision on, up to the last effect: what it promised is done."""
    points = undisturbed()
    last = max(number for number, point in enumerate(points) if "store" not in point)
    return [number for number in range(last + 3) if points[number] == "after store.commit"]


@pytest.mark.parametrize("point", commits())
def test_a_crash_after_a_commit(point: int) -> None:
    """Whichever commit it dies at, nobody is asked twice, and all are back."""
    saboteur = FaultInjectorHook(point, InjectedFault.CRASH, EVERYTHING)

    world = run(saboteur)

    assert_all_back(world)
    asked = {one.key for one in world.ports.sender.sent if "rollback.parked" in one.key}
    assert len(asked) == len(world.policy.channels)
