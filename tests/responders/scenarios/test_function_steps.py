"""Functions come back by kind: traffic, a rebuild, or the one where the other fails."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core.errors import Unavailable
from shared.domain.deployments.inventory.inventory_parts import FunctionState, Generation, SourceObject
from shared.domain.deployments.inventory.traffic import TrafficTarget
from shared.domain.policy.gate_limits import Rebuilds
from shared.domain.rollback.plan import ENDED_STEP_STATUSES, StepStatus
from shared.domain.rollback.rollback import RollbackStatus
from shared.state.reader import StateReader
from tests.support.fakes.run.source_copies import with_source_copies
from tests.support.fakes.runtime.hooks import no_hook, raise_error
from tests.support.rollbacks.rebuild_shop import (
    ORDER,
    SHOP,
    build_shop_with_source_copies,
    end_event,
    failure_lines,
    functions_on_copies,
    healthy_functions,
    roll_back,
    step_statuses,
)
from tests.support.runtime.world import World


def test_a_revision_that_is_gone_is_built_again_and_served() -> None:
    """What cannot be shifted is rebuilt from our copy; the plan says that it is no old artefact."""
    shop = build_shop_with_source_copies()
    shop.platform.lose_image(ORDER)
    shop.deploy_bad()

    rollback = roll_back(shop)

    assert rollback.status in (RollbackStatus.WATCHING, RollbackStatus.SUCCEEDED)
    assert functions_on_copies(shop) == {ORDER}
    assert healthy_functions(shop) == set(shop.live)
    assert step_statuses(shop, ORDER) == {"redeploy": StepStatus.DONE, "serve": StepStatus.DONE}
    assert rollback.plan is not None
    assert f"{ORDER} is rebuilt from the stored copy of its source: it is not the original image" in (
        rollback.plan.reported
    )
    assert shop.find_violated_invariants() == []


def test_a_shift_that_fails_falls_back_to_a_rebuild() -> None:
    """What looked ready and does not come up is built again, and what waits for it goes on."""
    shop = build_shop_with_source_copies()
    shop.platform.lose_image(ORDER, told=False)
    shop.deploy_bad()

    rollback = roll_back(shop)

    assert rollback.status in (RollbackStatus.WATCHING, RollbackStatus.SUCCEEDED)
    assert functions_on_copies(shop) == {ORDER}
    assert healthy_functions(shop) == set(shop.live)
    assert step_statuses(shop, ORDER) == {
        "shift": StepStatus.FAILED,
        "redeploy": StepStatus.DONE,
        "serve": StepStatus.DONE,
    }
    assert set(step_statuses(shop, SHOP).values()) == {StepStatus.DONE, StepStatus.UNNEEDED}


def test_who_deploys_between_a_rebuild_and_its_traffic_is_left_alone() -> None:
    """What they have deployed is not what was built for the rollback: no request is led to it."""
    shop = build_shop_with_source_copies()
    shop.platform.lose_image(ORDER, told=False)
    shop.deploy_bad()
    theirs: list[str] = []

    def somebody(verb: str, side: str) -> None:
        begun = shop.rollbacks() if verb == "store.commit" else []
        built = shop.steps(begun[-1].id).get(f"redeploy {ORDER}") if begun else None
        if built is not None and built.status is StepStatus.DONE and not theirs:
            shop.platform.deploy([ORDER])
            theirs.append(shop.platform.services()[ORDER].latest_created)

    shop.store.hook = somebody
    shop.alert()
    shop.pass_time(timedelta(minutes=40))

    assert step_statuses(shop, ORDER)["serve"] is StepStatus.STOPPED
    assert shop.newest_rollback.status is RollbackStatus.FAILED
    assert theirs[0] not in shop.live[ORDER]


def once_built_again(shop: World, act: Callable[[], None]) -> None:
    """This happens as soon as its traffic has been led to the new build of a function."""
    shop.platform.lose_image(ORDER)
    shop.deploy_bad()

    def look(verb: str, side: str) -> None:
        begun = shop.rollbacks() if verb == "store.commit" else []
        served = shop.steps(begun[-1].id).get(f"serve {ORDER}") if begun else None
        if served is not None and served.status is StepStatus.DONE:
            shop.store.hook = no_hook
            act()

    shop.store.hook = look


def test_a_platform_that_says_nothing_any_more_holds_no_rollback_up_for_good() -> None:
    """What serves a new build is asked for as long as a step may take; then it goes on without."""
    shop = build_shop_with_source_copies()
    silent = raise_error("platform.service", Unavailable("no answer"))
    once_built_again(shop, lambda: setattr(shop.platform, "hook", silent))

    shop.alert()
    shop.pass_time(timedelta(minutes=4))
    assert shop.newest_rollback.status is RollbackStatus.RUNNING

    shop.pass_time(timedelta(minutes=4))
    assert shop.rollbacks()[-1].status is RollbackStatus.WATCHING
    pinned = {pin.function for pin in StateReader(shop.store).pins(shop.policy.system)}
    assert pinned == {*shop.live} - {ORDER}


def test_what_is_deleted_once_it_was_built_again_keeps_no_rollback_from_its_end() -> None:
    """What nobody can show any more is pinned by nobody, and told as somebody's doing."""
    shop = build_shop_with_source_copies()
    once_built_again(shop, lambda: shop.platform.delete_function(ORDER))

    rollback = roll_back(shop)

    assert (rollback.status, rollback.takeovers) == (RollbackStatus.FAILED, 0)
    assert any(f"{ORDER}: changed by somebody" in line for line in failure_lines(shop))
    pinned = {pin.function for pin in StateReader(shop.store).pins(shop.policy.system)}
    assert pinned == set(shop.live)


def test_one_function_that_cannot_come_back_stops_no_other() -> None:
    """The others are back; the end is FAILED, and lists what is where."""
    shop = build_shop_with_source_copies()
    lost = "renderBasket"
    shop.platform.lose_image(lost, told=False)
    shop.ports.builds.missing.add(lost)
    shop.deploy_bad()

    rollback = roll_back(shop, minutes=40)

    assert rollback.status is RollbackStatus.FAILED
    storefront = set(shop.policy.groups["storefront"].functions)
    assert healthy_functions(shop) >= storefront - {lost}
    assert lost not in healthy_functions(shop)
    assert f"1 of 8 not done: shift {lost}: failed" in rollback.outcome
    assert f"redeploy {lost}: failed" in rollback.outcome
    lines = failure_lines(shop)
    why = next(line for line in lines if line.startswith(f"shift {lost}: failed"))
    assert "7 of 8 done" in lines
    assert why.endswith(f"; it serves {shop.platform.services()[lost].latest_ready}")
    served = {name: next(iter(served)) for name, served in shop.live.items()}
    assert end_event(shop).facts["serves"] == served


@pytest.mark.parametrize("canary", [ORDER, "getBook"])
def test_a_canary_that_cannot_come_back_speaks_for_nobody(canary: str) -> None:
    """What routers never led to the old revision is not asked how that one does: the others go."""
    shop = build_shop_with_source_copies()
    shop.platform.lose_image(canary, told=False)
    shop.ports.builds.missing.add(canary)
    shop.deploy_bad()

    rollback = roll_back(shop, minutes=40)

    assert rollback.status is RollbackStatus.FAILED
    assert set(shop.live) - healthy_functions(shop) == {canary}
    assert f"1 of 8 not done: shift {canary}: failed" in rollback.outcome
    steps = shop.steps(rollback.id)
    judged = {step.target: step for step in steps.values() if step.kind == "judge"}
    assert judged[canary].note == "not tested: the canary serves another revision"


def test_what_serves_may_not_be_known_at_the_end() -> None:
    """The end is told all the same, and that nobody said what serves."""
    shop = build_shop_with_source_copies()
    shop.platform.lose_image(ORDER, told=False)
    shop.ports.builds.missing.add(ORDER)
    shop.deploy_bad()

    def mute(verb: str, side: str) -> None:
        if verb == "platform.inventory" and shop.newest_rollback.status is RollbackStatus.RUNNING:
            raise Unavailable("no answer")

    shop.platform.hook = mute
    rollback = roll_back(shop, minutes=40)

    assert rollback.status is RollbackStatus.FAILED
    assert "what serves could not be read" in failure_lines(shop)
    assert end_event(shop).facts["serves"] is None


def test_what_somebody_moves_after_its_shift_is_listed_with_what_serves_there() -> None:
    """Everything was brought back, and one function is not there any more: FAILED tells where."""
    shop = build_shop_with_source_copies()
    shop.deploy_bad()
    newest = shop.platform.services()[ORDER].latest_created
    moved: list[str] = []

    def somebody(verb: str, side: str) -> None:
        steps = shop.steps(shop.newest_rollback.id).values() if verb == "platform.service" else ()
        back = steps and all(step.status in ENDED_STEP_STATUSES for step in steps)
        if back and not moved:
            moved.append(ORDER)
            shop.platform.operation_latency = timedelta(0)
            shop.platform.change_by_hand(ORDER, (TrafficTarget(newest, 100),))

    shop.platform.hook = somebody
    rollback = roll_back(shop)

    assert rollback.status is RollbackStatus.FAILED
    assert rollback.outcome == f"1 changed by somebody after their shift: {ORDER}"
    lines = failure_lines(shop)
    assert "7 of 8 done" in lines
    assert f"{ORDER}: changed by somebody after its shift; it serves {newest}" in lines


def test_the_policy_may_have_a_rebuild_asked_for() -> None:
    """A person is shown the plan first, and nothing is touched until they approve."""
    shop = build_shop_with_source_copies(Rebuilds.ASK)
    shop.platform.lose_image(ORDER)
    shop.deploy_bad()

    parked = roll_back(shop, minutes=3)

    assert parked.status is RollbackStatus.PARKED
    assert functions_on_copies(shop) == set()
    shop.send_command("approve", incident=parked.incident)
    shop.pass_time(timedelta(minutes=15))
    assert functions_on_copies(shop) == {ORDER}


def test_without_an_approval_no_rebuild_stands_in_for_a_shift() -> None:
    """Where the policy asks, a plan that nobody saw holds no rebuild."""
    shop = build_shop_with_source_copies(Rebuilds.ASK)
    shop.platform.lose_image(ORDER, told=False)
    shop.deploy_bad()

    rollback = roll_back(shop)

    assert rollback.status is RollbackStatus.FAILED
    assert functions_on_copies(shop) == set()


def test_a_function_that_was_deleted_is_left_by_automation() -> None:
    """The others come back without it, and the plan says how it can."""
    shop = build_shop_with_source_copies()
    shop.deploy_bad()
    shop.platform.delete_function("listBooks")

    rollback = roll_back(shop)

    assert rollback.status in (RollbackStatus.WATCHING, RollbackStatus.SUCCEEDED)
    assert "listBooks" not in shop.platform.functions()
    assert rollback.plan is not None
    assert any("listBooks was deleted later" in line for line in rollback.plan.reported)


def test_a_deleted_function_that_a_person_orders_is_created_once_approved() -> None:
    """An order by its name asks, and then builds it from our copy."""
    shop = build_shop_with_source_copies()
    shop.platform.delete_function("listBooks")
    shop.send_command("rollback", functions=["listBooks"])
    shop.pass_time(timedelta(minutes=2))
    parked = shop.rollback
    assert parked.status is RollbackStatus.PARKED

    shop.send_command("approve", "anna", incident=parked.incident)
    shop.pass_time(timedelta(minutes=10))

    assert "listBooks" in functions_on_copies(shop)
    assert "listBooks" in healthy_functions(shop)


def test_a_function_of_the_first_generation_is_deployed_again() -> None:
    """It has no traffic to shift: its recorded source replaces what runs."""
    shop = World()
    state = shop.platform.functions()["listBooks"]
    older = replace(state, generation=Generation.FIRST, service="", latest="", traffic=(), revisions={})
    shop.platform.delete_function("listBooks")
    shop.platform.first_generation["listBooks"] = older
    shop.announce("v2", stable=True)
    shop.pass_time(timedelta(minutes=10))
    shop.deploy_bad([ORDER, "getBook"])
    newer = replace(older, source=SourceObject("sources", "listBooks.zip", 2))
    shop.platform.first_generation["listBooks"] = newer

    roll_back(shop)

    assert "listBooks" in functions_on_copies(shop)
    assert step_statuses(shop, "listBooks") == {"redeploy": StepStatus.DONE}


def test_somebody_elses_deployment_is_left_alone() -> None:
    """A person deploys what we would build: theirs goes on, and we say so."""
    shop = build_shop_with_source_copies()
    shop.platform.lose_image(ORDER)
    shop.deploy_bad()
    recipe_of = shop.ports.builds
    state = with_source_copies(shop.platform.functions()[ORDER])
    theirs = _recipe(state, SourceObject("theirs", "fix.zip", 7))
    recipe_of.latency = timedelta(minutes=30)
    recipe_of.begin(ORDER, theirs)

    rollback = roll_back(shop)

    assert rollback.status is RollbackStatus.FAILED
    assert step_statuses(shop, ORDER)["redeploy"] is StepStatus.STOPPED
    assert recipe_of.built == [ORDER]


def _recipe(state: FunctionState, source: SourceObject):  # type: ignore[no-untyped-def]
    from shared.domain.deployments.build_recipe import derive_recipe

    made = derive_recipe(state)
    assert made is not None
    return replace(made, source=source)


def test_what_hosting_pins_by_tag_is_told() -> None:
    """A tag of Hosting's keeps its revision, and nobody else's: that way goes back with Hosting."""
    shop = build_shop_with_source_copies()
    service = shop.platform.services()[ORDER]
    tags = (TrafficTarget(service.latest_ready, 0, tag) for tag in ("fh-1234", "preview"))
    tagged = (*service.traffic, *tags)
    shop.platform.change_by_hand(ORDER, tagged)
    shop.deploy_bad()

    rollback = roll_back(shop)

    assert rollback.plan is not None
    told = [line for line in rollback.plan.reported if line.startswith(ORDER)]
    assert told == [f"{ORDER}: Hosting routes to its tag fh-1234 until Hosting is rolled back"]
