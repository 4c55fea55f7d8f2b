"""Rehearsals of more than functions: what the platform validates, and what is looked at."""

import pytest
from msgspec.structs import replace

from responders.support.inventory_reader import read_inventory
from shared.core.errors import Rejected, Unavailable
from shared.domain.deployments.deployment import Inventory
from shared.domain.deployments.inventory.inventory_parts import WholeInventory, json_fingerprint
from shared.domain.policy.execution_limits import WriteQuota
from shared.domain.policy.gate_limits import Rebuilds
from shared.domain.policy.scenario_names import Mode
from shared.domain.rollback.drill import DrillStepCount
from tests.support.fakes.resources import FakeEstate
from tests.support.fakes.runtime.hooks import raise_error
from tests.support.rollbacks.bookshop_resources import (
    CARTS,
    SHOP,
    SIGNING_IN,
    add_healthy_resources,
    build_healthy_shop,
    deploy_bad_release,
)
from tests.support.rollbacks.drills import read_drills, read_system
from tests.support.rollbacks.rebuild_shop import ORDER
from tests.support.rollbacks.rebuild_shop import build_shop_with_source_copies as recorded
from tests.support.runtime.world import World

ALL = set(SHOP.functions)
TEMPLATE, SITE = "publish firebase template", "release shop"
RULES, SETTINGS = "release rules cloud.firestore", "set identity"
INDEX = f"create index carts {json_fingerprint(CARTS.definition)[:8]}"
EFFECTS = {
    *("platform.shift", "builder.build", "hosting.release", "remote_config.publish"),
    *("rules.create_ruleset", "rules.enforce", "identity.configure", "indexes.create"),
}


def everything(world: World) -> tuple[WholeInventory, Inventory]:
    """All that is live."""
    return read_inventory(world.ports, world.policy), world.platform.inventory()


def verbs(world: World) -> list[str]:
    """Every verb that is asked for from now on."""
    asked: list[str] = []

    def hook(verb: str, side: str) -> None:
        if side == "before":
            asked.append(verb)

    for port in (world.platform, world.ports.beside, world.ports.builds):
        port.hook = hook
    return asked


@pytest.mark.parametrize(
    ("scenario", "validated", "looked_at"),
    [
        ("functions", ALL, set()),
        ("complete", {*ALL, TEMPLATE}, {SITE, RULES, SETTINGS}),
        ("auth", {*SIGNING_IN}, {SETTINGS}),
        ("database", ALL, {RULES, INDEX}),
        ("feature", {TEMPLATE}, set()),
    ],
)
def test_a_drill_of_each_scenario(scenario: str, validated: set[str], looked_at: set[str]) -> None:
    """All that it would bring back is tried, also what people are asked about; nothing changes."""
    world = build_healthy_shop()
    deploy_bad_release(world, "functions", "sites", "remote_config", "rules", "identity", "indexes")
    before, asked = everything(world), verbs(world)

    world.carry_out("drill", scenario=scenario)

    [done] = read_drills(world)
    assert (done.scenario, done.target, done.agrees) == (scenario, "v1", True)
    assert (set(done.rehearsed), set(done.looked_at)) == (validated, looked_at)
    assert (done.refused, done.not_rehearsed) == ({}, ())
    tried = done.kinds.values()
    assert sum(one.validated for one in tried) == len(validated)
    assert sum(one.looked_at for one in tried) == len(looked_at)
    assert EFFECTS.isdisjoint(asked)
    assert everything(world) == before
    assert world.rollbacks() == []


def test_a_drill_while_all_is_at_its_target() -> None:
    """Functions and templates are validated as what they are; there is nothing else to look at."""
    world = build_healthy_shop()

    world.carry_out("drill", scenario="complete")

    [done] = read_drills(world)
    assert done.agrees
    assert done.kinds == {"publish_template": DrillStepCount(1), "shift": DrillStepCount(len(ALL))}


def test_a_drill_of_a_feature_by_its_functions() -> None:
    """The group that is named, and no configuration."""
    world = build_healthy_shop()

    world.carry_out("drill", scenario="feature", groups=["catalogue"])

    [done] = read_drills(world)
    assert set(done.rehearsed) == set(SHOP.groups["catalogue"].functions)


def refused(world: World, scenario: str = "complete") -> dict[str, str]:
    """Why which steps are refused in a drill, which agrees where none is."""
    world.carry_out("drill", scenario=scenario)
    [done] = read_drills(world)
    assert done.agrees is (not done.refused)
    return done.refused


@pytest.mark.parametrize(
    ("status", "why"), [("FINALIZED", {}), ("EXPIRED", {SITE: "v1 is EXPIRED"}), (None, {SITE: "v1 is gone"})]
)
def test_a_version_that_a_site_served(status: str | None, why: dict[str, str]) -> None:
    """It must be there to be released again, though a rollback would go on without it."""
    world = build_healthy_shop()
    deploy_bad_release(world, "functions", "sites")
    del world.ports.beside.statuses["shop", "v1"]
    if status is not None:
        world.ports.beside.statuses["shop", "v1"] = status

    assert refused(world) == why


@pytest.mark.parametrize("copied", [True, False])
def test_a_ruleset_that_is_gone(copied: bool) -> None:
    """It is made again of our copy; without one it cannot come back."""

    def furnished(estate: FakeEstate) -> None:
        add_healthy_resources(estate)
        if not copied:  # it went before anybody could read it
            del estate.rulesets["r1"]

    world = World(policy=SHOP, furnish=furnished)
    deploy_bad_release(world, "rules")
    world.ports.beside.rulesets.pop("r1", None)

    assert refused(world) == ({} if copied else {RULES: "r1 is gone, and no copy is stored"})


def test_a_setting_that_somebody_changes_just_then() -> None:
    """It is neither where the plan begins nor where it leads: the look says so."""
    world = build_healthy_shop()
    deploy_bad_release(world, "identity")

    def hook(verb: str, side: str) -> None:
        if (verb, side) == ("identity.settings", "after"):
            world.ports.beside.configured["mfa.state"] = "MANDATORY"

    world.ports.beside.hook = hook

    assert refused(world, "auth") == {SETTINGS: "set to something else: mfa.state"}


def test_a_template_that_is_not_valid() -> None:
    """The platform says so without publishing it."""
    world = build_healthy_shop()
    world.ports.beside.hook = raise_error("remote_config.validate", Rejected("INVALID_ARGUMENT"))

    assert refused(world, "feature") == {TEMPLATE: "INVALID_ARGUMENT"}


@pytest.mark.parametrize(("verb", "part"), [("hosting.site", "sites"), ("rules.releases", "rules")])
def test_what_gives_no_answer(verb: str, part: str) -> None:
    """What cannot be seen cannot be rehearsed: that is no agreement."""
    world = build_healthy_shop()
    world.ports.beside.hook = raise_error(verb, Unavailable("503"))

    assert refused(world) == {part: "it gave no answer"}


def test_a_function_that_only_a_rebuild_brings_back() -> None:
    """Nothing can be validated of a build: where it would begin is looked at."""
    world = recorded()
    world.platform.lose_image(ORDER)
    world.deploy_bad()

    world.carry_out("drill")

    [done] = read_drills(world)
    assert done.agrees
    assert set(done.looked_at) == {ORDER}
    assert set(done.rehearsed) == set(world.policy.functions) - {ORDER}
    assert f"{ORDER} is rebuilt" in str(done.reported)


def test_a_function_that_is_gone_and_named() -> None:
    """It would be created again, with a person's word."""
    world = recorded(Rebuilds.ASK)
    world.platform.delete_function(ORDER)

    world.carry_out("drill", functions=[ORDER])

    [done] = read_drills(world)
    assert (done.outcome, done.agrees, set(done.looked_at)) == ("ask", True, {ORDER})


def test_a_template_is_validated_within_the_write_quota() -> None:
    """As the shifts: canaries first, then in the plan's order, as far as half of it reaches."""
    execution = replace(SHOP.execution, write_quota=WriteQuota(burst=8, per_second=0.01))
    world = World(policy=replace(SHOP, execution=execution), furnish=add_healthy_resources)

    world.carry_out("drill", scenario="complete")

    [done] = read_drills(world)
    assert set(done.rehearsed) == {"getBook", "orderStatus", "renderBasket", TEMPLATE}
    assert len(done.not_rehearsed) == 5


STRICT = replace(SHOP, gates=replace(SHOP.gates, drills_before_act=1))


@pytest.mark.parametrize(
    ("scenario", "reached"),
    [
        ("functions", Mode.ACT),
        ("complete", Mode.ACT),
        ("auth", Mode.OBSERVE),
        ("database", Mode.OBSERVE),
        ("feature", Mode.OBSERVE),
    ],
)
def test_what_a_promotion_counts(scenario: str, reached: Mode) -> None:
    """Drills of the functions, alone or with all else: trust in a part is none in the whole."""
    world = World(policy=STRICT, promoted=False, furnish=add_healthy_resources)
    world.carry_out("drill", scenario=scenario)

    world.carry_out("promote", mode="act")

    assert [done.agrees for done in read_drills(world)] == [True]
    assert read_system(world).mode is reached


def test_what_is_told() -> None:
    """How many steps of each kind, and what the plan leaves to be known."""
    world = build_healthy_shop()
    deploy_bad_release(world, "sites", "indexes")
    del world.ports.beside.statuses["shop", "v1"]

    world.carry_out("drill", scenario="complete")

    [text] = {str(one.notice["text"]) for one in world.sent_notices if "drill" in one.key}
    assert "shift: 8 validated" in text
    assert "release hosting: 1 refused" in text
    assert f"{SITE}: v1 is gone" in text
