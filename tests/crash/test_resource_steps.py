from collections.abc import Callable
from functools import cache
from typing import Any
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from responders.scenarios import functions
from responders.scenarios.products.registry import PLANNERS
from responders.scenarios.resource_plan import ResourceState
from shared.domain.deployments.inventory.inventory_parts import (
    HostingSite,
    Index,
    IndexField,
    RemoteConfigTemplate,
    RulesFile,
    RulesRelease,
    WholeInventory,
    json_fingerprint,
)
from shared.domain.deployments.restorability import FINALIZED
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback import rollback
from shared.domain.rollback.plan import Plan, freeze_plan
from tests.support.fakes.resources import FakeEstate
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.storage.vault import source_content
from tests.support.faults.fault_injection import (
    FaultInjectorHook,
    InjectedFault,
    enumerate_fault_points,
    pass_time,
    run_bad_release,
    shorten_watch,
)
from tests.support.rollbacks.pins import FOLLOWING
from tests.support.rollbacks.rebuild_shop import ORDER
from tests.support.rollbacks.rebuilds import BAD, MINUTE, build_world_with_rebuild, read_live_source
from tests.support.runtime.world import World

EFFECTS = (
    "hosting.release",
    "remote_config.publish",
    "rules.create_ruleset",
    "rules.enforce",
    "identity.configure",
    "indexes.create",
)
EVERYTHING = (*EFFECTS, "store.commit")
CARTS = Index("(default)", "carts", "COLLECTION", (IndexField("a", "ASCENDING"),) * 2)
RULESET, NEWER = (RulesFile("rules", "closed"),), (RulesFile("rules", "open"),)


def template(number: str, content: str) -> dict[str, RemoteConfigTemplate]:
    said = json_fingerprint({"parameters": content})
    published = f'{{"parameters":"{content}"}}'
    return {"firebase": RemoteConfigTemplate(number, f"etag-{number}", said, published)}


RECORDED = WholeInventory(
    sites={"shop": HostingSite("v1", START)},
    remote_config=template("1", "red"),
    rules={"cloud.firestore": RulesRelease("r1", START, RULESET)},
    identity={"mfa.state": "ENABLED", "authorizedDomains": ["a", "b"]},
    indexes={CARTS.definition: CARTS},
)
LIVE = WholeInventory(
    sites={"shop": HostingSite("v2", START)},
    remote_config=template("2", "blue"),
    rules={"cloud.firestore": RulesRelease("r2", START, NEWER)},
    identity={"mfa.state": "DISABLED", "authorizedDomains": ["a"]},
    indexes={},
)


def wider(honest: Callable[..., Plan]) -> Callable[..., Plan]:
    """Plans that bring back all that lies beside the functions, too."""

    def plan(policy: Policy, *facts: Any, **ways: Any) -> Plan:
        made, within = honest(policy, *facts, **ways), policy.execution.step_within
        sight = ResourceState(RECORDED, LIVE, {("shop", "v1"): FINALIZED})
        steps = [step for one in PLANNERS.values() for step in one.portion(sight, within).steps]
        header = made.header
        return freeze_plan(header.scenario, header.target, (*steps, *made.steps), header.policy)

    return plan


def spoil(estate: FakeEstate) -> None:
    """All of it was changed, and the ruleset of before was deleted."""
    estate.sites, estate.published = dict(LIVE.sites or {}), template("2", "blue")["firebase"]
    estate.statuses = dict.fromkeys((("shop", "v1"), ("shop", "v2")), FINALIZED)
    estate.released, estate.rulesets = dict(LIVE.rules or {}), {"r2": NEWER}
    estate.configured, estate.declared = dict(LIVE.identity or {}), []


def run(saboteur: FaultInjectorHook) -> World:
    """The whole path with one fault in it."""
    world = World(saboteur, shorten_watch())
    spoil(world.ports.beside)
    with patch.object(functions, "plan_functions", wider(functions.plan_functions)):
        return run_bad_release(world, saboteur)


@cache
def undisturbed(counted: tuple[str, ...]) -> tuple[str, ...]:
    saboteur = FaultInjectorHook(counted=counted)
    assert_all_back(run(saboteur))
    return tuple(saboteur.points)


def assert_all_back(world: World) -> None:
    estate = world.ports.beside
    assert estate.sites["shop"].version == "v1"
    assert estate.published.hash == template("1", "red")["firebase"].hash
    assert estate.rulesets[estate.released["cloud.firestore"].ruleset] == RULESET
    assert estate.configured == RECORDED.identity
    assert estate.declared == [CARTS]
    assert world.find_violated_invariants() == []
    [one] = world.rollbacks()
    assert (one.status, one.outcome) == (rollback.RollbackStatus.SUCCEEDED, "no regression during monitoring")


@pytest.mark.parametrize("fault", [InjectedFault.CRASH, InjectedFault.LOST_ANSWER])
@pytest.mark.parametrize("point", range(2 * len(EFFECTS)))
def test_a_fault_at_an_effect(point: int, fault: InjectedFault) -> None:
    """Whatever happens right before or after it, each takes effect once, and all are back."""
    assert len(undisturbed(EFFECTS)) == 2 * len(EFFECTS)
    saboteur = FaultInjectorHook(point, fault, EFFECTS)

    world = run(saboteur)

    assert saboteur.happened
    assert_all_back(world)
    assert len(world.ports.beside.effects) == len(EFFECTS) - 1  # a ruleset alone is no effect


def between_effects() -> list[int]:
    """The points at which it is committed what is begun and done, counted with the effects."""
    points = undisturbed(EVERYTHING)
    effects = [number for number, point in enumerate(points) if "store" not in point]
    inside = range(effects[0] - 2, effects[-1] + 3)
    return [number for number in inside if "store" in points[number]]


@pytest.mark.parametrize("point", between_effects())
def test_a_crash_at_a_commit(point: int) -> None:
    """Whichever commit it dies at, each takes effect once, and all are back."""
    saboteur = FaultInjectorHook(point, InjectedFault.CRASH, EVERYTHING)

    world = run(saboteur)

    assert_all_back(world)
    assert len(world.ports.beside.effects) == len(EFFECTS) - 1


def test_a_person_at_everything() -> None:
    """What somebody has changed since the plan was made is left as they made it."""
    world = World(policy=shorten_watch())
    estate = world.ports.beside
    spoil(estate)
    estate.sites["shop"] = replace(estate.sites["shop"], version="theirs")
    estate.land_template('{"parameters":"theirs"}')
    estate.rulesets["theirs"] = (RulesFile("rules", "theirs"),)
    estate.released["cloud.firestore"] = RulesRelease("theirs", START)
    estate.configured["mfa.state"] = "MANDATORY"

    with patch.object(functions, "plan_functions", wider(functions.plan_functions)):
        run_bad_release(world, FaultInjectorHook())

    assert estate.sites["shop"].version == "theirs"
    assert estate.published.content == '{"parameters":"theirs"}'
    assert estate.released["cloud.firestore"].ruleset == "theirs"
    assert estate.configured == {**(LIVE.identity or {}), "mfa.state": "MANDATORY"}
    assert estate.effects == [f"index {CARTS.definition}"]


CONDITIONAL = ("platform.shift", "store.commit")
BUILT = ("builder.build", *CONDITIONAL)


def undo_a_build(saboteur: FaultInjectorHook) -> World:
    """A function that a rollback has built again is what it was, once a person has said so."""
    shop = build_world_with_rebuild(shop=World(saboteur, shorten_watch()))
    saboteur.world, saboteur.active = shop, True
    about = {"system": shop.policy.system, "incident": shop.incidents()[-1].id}
    shop.command("alice", command="undo", **about)
    pass_time(shop, saboteur, MINUTE)
    shop.command("alice", command="approve", **about)
    pass_time(shop, saboteur, 8 * MINUTE)
    saboteur.active = False
    pass_time(shop, saboteur, 5 * MINUTE)
    return shop


@pytest.mark.parametrize(
    ("fault", "point"),
    enumerate_fault_points(undo_a_build, BUILT, (InjectedFault.CRASH, InjectedFault.LOST_ANSWER)),
)
def test_a_fault_while_a_build_is_undone(fault: InjectedFault, point: int) -> None:
    """Whatever happens at whichever point, it is built once, and every list is as it was found."""
    saboteur = FaultInjectorHook(point, fault, BUILT)

    assert_undone(undo_a_build(saboteur))

    assert saboteur.happened


@pytest.mark.parametrize(
    ("fault", "point"), enumerate_fault_points(undo_a_build, CONDITIONAL, (InjectedFault.ZOMBIE,))
)
def test_a_standstill_while_a_build_is_undone(fault: InjectedFault, point: int) -> None:
    """A build is not conditional: nothing stops one that stands still while it is being sent."""
    saboteur = FaultInjectorHook(point, fault, CONDITIONAL)

    assert_undone(undo_a_build(saboteur))

    assert saboteur.happened


def assert_undone(shop: World) -> None:
    last = shop.rollbacks()[-1]
    count = len(shop.policy.functions)
    assert (last.status, last.outcome) == (
        rollback.RollbackStatus.SUCCEEDED,
        f"undone: {count} functions as before",
    )
    assert read_live_source(shop) == source_content(BAD)
    assert {one.traffic for one in shop.ports.world.services().values()} == {FOLLOWING}
    assert shop.ports.builds.built == [ORDER, ORDER]
    assert shop.find_violated_invariants() == []
