"""What a rollback had to build again is built as it was, when a person undoes that."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from responders.deployments.source_backup import remove_unreferenced_sources
from shared.core.errors import Unavailable
from shared.core.store import Update
from shared.domain.deployments.deployment import DeploymentStatus, record_path
from shared.domain.deployments.inventory.inventory_parts import Generation, SourceObject, json_fingerprint
from shared.domain.deployments.inventory.traffic import LATEST_REVISION, Traffic, TrafficTarget
from shared.domain.rollback.plan import StepStatus
from shared.domain.rollback.plan import step_path as plan_path
from shared.domain.rollback.rollback import Rollback, RollbackStatus, rollback_path
from shared.engine.lease import MAX_TAKEOVERS
from tests.support.fakes.runtime.hooks import no_hook, raise_error
from tests.support.fakes.storage.vault import source_content
from tests.support.faults.fault_injection import ProcessCrash, shorten_watch
from tests.support.notices.system_events import system_event_names
from tests.support.rollbacks.approvals import publish_command
from tests.support.rollbacks.deployments import publish_audit_hint, read_deployments
from tests.support.rollbacks.pins import FOLLOWING, build_traffic_target, read_pins, recorded_notice_texts
from tests.support.rollbacks.rebuild_shop import ORDER, functions_on_copies, step_statuses
from tests.support.rollbacks.rebuilds import (
    AGAIN,
    BAD,
    CONFIGURED,
    MINUTE,
    VALUES,
    build_world_with_rebuild,
    read_live_source,
)
from tests.support.runtime.world import World

DAY = timedelta(days=1)


def undone(shop: World) -> Rollback:
    """The undo, which a person has looked at and wants."""
    assert publish_command(shop, "undo", actor="alice") == ""
    parked = shop.newest_rollback
    assert parked.status is RollbackStatus.PARKED
    shop.advance_clock(timedelta(seconds=1))
    assert publish_command(shop, "approve", actor="alice") == ""
    shop.pass_time(10 * MINUTE)
    return shop.newest_rollback


@pytest.mark.parametrize("told", [True, False])
def test_an_undo_builds_again_what_the_rollback_left(told: bool) -> None:
    """LATEST means the release of before again, of its very source; every list is as it was."""
    shop = build_world_with_rebuild(told=told)

    last = undone(shop)

    count = len(shop.policy.functions)
    assert (last.status, last.outcome) == (RollbackStatus.SUCCEEDED, f"undone: {count} functions as before")
    assert read_live_source(shop) == source_content(BAD)
    services = shop.platform.services()
    assert {one.traffic for one in services.values()} == {FOLLOWING}
    assert shop.live[ORDER] == {services[ORDER].latest_created: 100}
    assert read_pins(shop) == {}
    assert last.plan is not None
    assert AGAIN in last.plan.reported
    assert "has nothing to undo" in publish_command(shop, "undo", actor="alice")


def test_a_person_is_asked_about_a_plan_that_builds() -> None:
    """Nothing of it is done until they have seen that it is no artefact of old."""
    shop = build_world_with_rebuild()
    live = shop.live

    publish_command(shop, "undo", actor="alice")
    shop.pass_time(2 * MINUTE)

    assert AGAIN in recorded_notice_texts(shop, "rollback.parked-r2")[-1]
    assert shop.live == live
    publish_command(shop, "reject", actor="alice")
    shop.pass_time(2 * MINUTE)
    assert shop.live == live
    assert shop.ports.builds.built == [ORDER]


NEWEST, OLD = "orderstatus-00002", "orderstatus-00001"


@pytest.mark.parametrize(
    ("before", "first"),
    [
        ((build_traffic_target(NEWEST), TrafficTarget(OLD, 0, "fh-1")), "shift"),
        ((TrafficTarget(LATEST_REVISION, 60), build_traffic_target(NEWEST, 40)), "redeploy"),
        ((build_traffic_target(NEWEST), TrafficTarget(LATEST_REVISION, 0, "fh-1")), "redeploy"),
    ],
    ids=["by name", "both", "by name, and a tag follows the newest"],
)
def test_the_very_list_comes_back_with_the_build(before: Traffic, first: str) -> None:
    """By name it goes to the old revision at once, and the function is what it was all the same."""
    shop = build_world_with_rebuild(before)

    last = undone(shop)

    assert (last.status, shop.find_violated_invariants()) == (RollbackStatus.SUCCEEDED, [])
    service = shop.platform.services()[ORDER]
    assert service.traffic == before
    assert read_live_source(shop) == source_content(BAD)
    steps = {one.kind: one for one in shop.steps(last.id).values() if one.target == ORDER}
    assert min(steps.values(), key=lambda one: one.number).kind == first
    assert {one.status for one in steps.values()} == {StepStatus.DONE}


def test_a_function_of_the_first_generation_is_what_it_was() -> None:
    """It has no traffic: its source of before replaces what the rollback has deployed.

    Nothing of its group works, so that it is restored although nothing counts its requests.
    """
    shop = World(policy=shorten_watch())
    name = "listBooks"
    state = shop.platform.functions()[name]
    older = replace(state, generation=Generation.FIRST, service="", latest="", traffic=(), revisions={})
    shop.platform.delete_function(name)
    shop.platform.first_generation[name] = older
    shop.announce("v2", stable=True)
    shop.pass_time(10 * MINUTE)
    shop.deploy_bad([ORDER, "getBook", "searchBooks"])
    newer = SourceObject("sources", f"{name}.zip", 2)
    shop.platform.first_generation[name] = replace(older, source=newer)
    shop.announce("v3")
    shop.alert()
    shop.pass_time(30 * MINUTE)
    assert functions_on_copies(shop) == {name}

    last = undone(shop)

    assert (last.status, last.outcome) == (RollbackStatus.SUCCEEDED, "undone: 4 functions as before")
    built = shop.platform.functions()[name].source
    assert built is not None
    assert shop.ports.sources.read(built) == source_content(newer)


def test_what_an_undo_has_built_is_a_deployment_that_operators_chose() -> None:
    """Nobody is taken for having changed it by hand, and the release stays a bad one."""
    shop = build_world_with_rebuild()
    before = {name: one.status for name, one in read_deployments(shop).items()}

    undone(shop)
    publish_audit_hint(shop)
    shop.pass_time(20 * MINUTE)

    after = read_deployments(shop)
    assert {name: after[name].status for name in before} == before
    [chosen] = [one for name, one in after.items() if name not in before]
    assert (chosen.status, chosen.let_through) == (DeploymentStatus.LIVE, True)
    assert "automation.suspended" not in system_event_names(shop)


def refused(shop: World) -> str:
    """Why an undo leaves the function; everything else goes back, unasked."""
    assert publish_command(shop, "undo", actor="alice") == ""
    shop.pass_time(5 * MINUTE)
    last = shop.newest_rollback
    assert last.status is RollbackStatus.SUCCEEDED
    assert last.outcome == f"undone: {len(shop.policy.functions) - 1} functions as before"
    assert last.plan is not None
    warning, line = last.plan.reported
    assert warning.startswith("warning: this restores what the rollback removed: ")
    return line


def test_what_was_never_kept_is_left_with_its_reason() -> None:
    """No copy could be made of it, or nobody has looked at it before it went back."""
    shop = World(policy=shorten_watch())
    shop.ports.sources.lost.add(BAD)

    assert refused(build_world_with_rebuild(shop=shop)) == (
        f"{ORDER}: it was rebuilt, and its earlier version cannot be rebuilt: no copy of its source"
    )
    unseen = build_world_with_rebuild(announced=False)
    first = unseen.rollbacks()[0].plan
    assert first is not None
    assert any(
        line.startswith(f"{ORDER}: an undo cannot rebuild its present version") for line in first.reported
    )
    assert "no copy of its source" in refused(unseen)


def test_a_plan_of_before_what_was_live_was_recorded_in_it() -> None:
    """It tells of nothing that could be built."""
    shop = build_world_with_rebuild()
    path = plan_path(shop.rollback.id, f"redeploy {ORDER}")
    shop.store.commit([Update(path, {"kept": {}})])

    assert refused(shop).endswith("its earlier version cannot be rebuilt: its record is incomplete")


def test_what_somebody_deployed_since_stays() -> None:
    """By whichever way: through the function, or past it."""
    shop = build_world_with_rebuild()
    shop.platform.deploy([ORDER])
    assert refused(shop) == f"{ORDER}: somebody deployed it later"

    moved = build_world_with_rebuild()
    moved.platform.change_by_hand(ORDER, (build_traffic_target(NEWEST),))
    assert refused(moved) == f"{ORDER}: somebody changed its traffic later"


def failed(shop: World, *, told: bool = True, made: bool = False) -> World:
    """A shop whose rollback could not build one function again; `made`: what does not start."""
    hinders = shop.ports.builds.unstarted if made else shop.ports.builds.missing
    shop.pass_time(2 * MINUTE)
    shop.platform.lose_image(ORDER, told=told)
    hinders.add(ORDER)
    shop.deploy_bad()
    shop.announce("v2")
    shop.alert()
    shop.pass_time(40 * MINUTE)
    assert step_statuses(shop, ORDER)["redeploy"] is StepStatus.FAILED
    hinders.clear()
    return shop


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("copied", [True, False])
def test_what_no_build_has_changed_is_as_it_was(told: bool, copied: bool) -> None:
    """A build that failed is no word of a person, and nothing has to be built to undo it."""
    shop = World(policy=shorten_watch())
    if not copied:
        shop.ports.sources.lost.add(BAD)
    failed(shop, told=told)
    tried = list(shop.ports.builds.built)

    publish_command(shop, "undo", actor="alice")
    shop.pass_time(5 * MINUTE)

    last = shop.newest_rollback
    assert last.status is RollbackStatus.SUCCEEDED
    assert last.plan is not None
    assert last.plan.reported[1:] == ()
    assert {one.traffic for one in shop.platform.services().values()} == {FOLLOWING}
    assert shop.ports.builds.built == tried


@pytest.mark.parametrize("made", [True, False])
def test_what_somebody_made_past_a_failed_build_stays(made: bool) -> None:
    """A revision that is younger than our last build is theirs: no request is led away from it."""
    shop = failed(World(policy=shorten_watch()), made=made)
    theirs = shop.platform.deploy_past(ORDER)

    assert refused(shop) == f"{ORDER}: somebody created a newer revision"
    assert shop.live[ORDER] == {theirs: 100}


def test_what_somebody_made_past_a_build_stays() -> None:
    """The same where the build has succeeded."""
    shop = build_world_with_rebuild()
    theirs = shop.platform.deploy_past(ORDER)

    assert refused(shop) == f"{ORDER}: somebody created a newer revision"
    assert shop.live[ORDER] == {theirs: 100}


def test_a_build_that_made_what_does_not_start_is_undone() -> None:
    """The revision that does not come up is ours: what was there before is built."""
    shop = failed(World(policy=shorten_watch()), made=True)

    last = undone(shop)

    assert last.status is RollbackStatus.SUCCEEDED
    services = shop.platform.services()
    assert shop.live[ORDER] == {services[ORDER].latest_created: 100}
    assert services[ORDER].revisions[-1].ready


@pytest.mark.parametrize(
    "at", [("builder.build", "before"), ("builder.build", "after"), ("platform.shift", "after")]
)
def test_what_the_last_worker_had_begun_is_undone_as_well(at: tuple[str, str]) -> None:
    """Workers have died over a rollback until it was given up: nobody knows what it has done."""
    shop = World(policy=shorten_watch())
    shop.pass_time(2 * MINUTE)
    shop.platform.lose_image(ORDER)
    shop.platform.plain[CONFIGURED.variables_hash] = VALUES
    shop.platform.deploy(failure_rate=0.8, configuration=CONFIGURED)
    shop.advance_clock(10 * MINUTE)
    shop.announce("v2")
    shop.settle()

    def dies(verb: str, side: str) -> None:
        if (verb, side) == at:
            raise ProcessCrash

    shop.ports.builds.hook = shop.platform.hook = dies
    shop.alert()
    with pytest.raises(ProcessCrash):
        shop.pass_time(5 * MINUTE)
    shop.ports.builds.hook = shop.platform.hook = no_hook
    died = Update(rollback_path(shop.rollback.id), {"takeovers": MAX_TAKEOVERS})
    shop.store.commit([died])
    shop.pass_time(10 * MINUTE)
    given_up = shop.rollback
    assert given_up.outcome.endswith("consecutive workers crashed without progress")
    steps = shop.steps(given_up.id).values()
    assert StepStatus.BEGUN in {one.status for one in steps}

    publish_command(shop, "undo", actor="alice")
    shop.pass_time(2 * MINUTE)
    publish_command(shop, "approve", actor="alice")
    shop.pass_time(10 * MINUTE)

    services = shop.platform.services()
    assert {one.traffic for one in services.values()} == {FOLLOWING}
    built = shop.platform.functions()[ORDER].source
    assert built == BAD or read_live_source(shop) == source_content(BAD)


@pytest.mark.parametrize("past", [True, False])
def test_what_somebody_deploys_meanwhile_stops_it_for_that_function(past: bool) -> None:
    """Whoever deploys after the plan was looked at is not overwritten, and it is said."""
    shop = build_world_with_rebuild()
    platform = shop.platform
    publish_command(shop, "undo", actor="alice")
    theirs: list[str] = []

    def somebody(verb: str, side: str) -> None:
        decided = (verb, side) == ("store.commit", "after") and not theirs
        if decided and shop.newest_rollback.status is RollbackStatus.RUNNING:
            if past:
                platform.deploy_past(ORDER)
            else:
                platform.deploy([ORDER])
            theirs.append(platform.services()[ORDER].latest_created)

    shop.store.hook = somebody
    publish_command(shop, "approve", actor="alice")
    shop.pass_time(10 * MINUTE)

    last = shop.newest_rollback
    assert last.status is RollbackStatus.FAILED
    assert f"redeploy {ORDER}: stopped" in last.outcome
    assert shop.live[ORDER] == {theirs[0]: 100}
    assert shop.ports.builds.built == [ORDER]
    others = {one.traffic for name, one in shop.platform.services().items() if name != ORDER}
    assert others == {FOLLOWING}


def test_an_undo_whose_build_failed_is_undone_once_more() -> None:
    """The others are back; what is said again builds what is lacking, and nothing else."""
    shop = build_world_with_rebuild()
    shop.ports.builds.failures[ORDER] = "no such object"
    shop.ports.builds.missing.add(ORDER)
    failed = undone(shop)
    assert failed.status is RollbackStatus.FAILED
    assert step_statuses(shop, ORDER)["redeploy"] is StepStatus.FAILED
    shop.ports.builds.missing.clear()

    last = undone(shop)

    assert (last.status, last.outcome) == (RollbackStatus.SUCCEEDED, "undone: 1 function as before")
    assert read_live_source(shop) == source_content(BAD)
    assert shop.platform.services()[ORDER].traffic == FOLLOWING
    assert "has nothing to undo" in publish_command(shop, "undo", actor="alice")


def test_what_is_deployed_is_not_known_for_a_while() -> None:
    """No answer is no answer: the undo is held until there is one."""
    shop = build_world_with_rebuild()
    shop.ports.builds.hook = raise_error("builder.found", Unavailable("no answer"))
    publish_command(shop, "undo", actor="alice")
    shop.pass_time(2 * MINUTE)
    assert shop.newest_rollback.status is RollbackStatus.DECIDING

    shop.ports.builds.hook = no_hook
    shop.pass_time(2 * MINUTE)
    assert shop.rollbacks()[-1].status is RollbackStatus.PARKED


def test_a_function_that_was_created_again_is_not_deleted() -> None:
    """What was there before is nothing, and nothing is brought back by no undo."""
    shop = World(policy=shorten_watch())
    shop.pass_time(2 * MINUTE)
    shop.platform.delete_function(ORDER)
    shop.send_command("rollback", functions=[ORDER])
    shop.pass_time(2 * MINUTE)
    publish_command(shop, "approve", actor="anna")
    shop.pass_time(30 * MINUTE)
    assert functions_on_copies(shop) == {ORDER}

    publish_command(shop, "undo", actor="alice")
    shop.pass_time(2 * MINUTE)

    last = shop.newest_rollback
    assert last.status is RollbackStatus.NOT_TAKEN
    assert last.outcome.endswith("it did not exist before, and an undo deletes nothing")


def test_a_function_that_could_not_be_created_again_is_as_it_was() -> None:
    """It was not there, and is not."""
    shop = World(policy=shorten_watch())
    shop.pass_time(2 * MINUTE)
    shop.platform.delete_function(ORDER)
    shop.ports.builds.missing.add(ORDER)
    shop.send_command("rollback", functions=[ORDER])
    shop.pass_time(2 * MINUTE)
    publish_command(shop, "approve", actor="anna")
    shop.pass_time(40 * MINUTE)
    assert step_statuses(shop, ORDER)["redeploy"] is StepStatus.FAILED

    publish_command(shop, "undo", actor="alice")
    shop.pass_time(2 * MINUTE)

    assert shop.newest_rollback.outcome.endswith("nothing is left to undo")


def names(shop: World) -> set[str]:
    """What is kept of the function."""
    kept_of_it = {**shop.ports.sources.objects, **shop.ports.values.objects}
    return {name for name in kept_of_it if ORDER in name.split("/")}


def test_what_an_undo_needs_is_kept_as_long_as_its_rollback() -> None:
    """Of a release that never settled there is no record; then it is let go."""
    shop = build_world_with_rebuild()
    ran_with = json_fingerprint((CONFIGURED.variables_hash, ""))
    needed = {one for one in names(shop) if json_fingerprint(BAD) in one or ran_with in one}
    assert len(needed) == 2
    assert read_deployments(shop)["v2"].status is DeploymentStatus.BAD
    assert shop.store.get(record_path("bookshop", "v2")).fields is None
    shop.advance_clock(20 * DAY)

    remove_unreferenced_sources(shop.ports, shop.policy)
    assert needed <= names(shop)
    assert undone(shop).status is RollbackStatus.SUCCEEDED
    assert read_live_source(shop) == source_content(BAD)

    shop.platform.deploy([ORDER])
    shop.announce("v3")
    shop.pass_time(10 * MINUTE)
    shop.advance_clock(2 * DAY)
    for rollback in shop.rollbacks():
        shop.store.remove(rollback_path(rollback.id))
    for deployments in read_deployments(shop).values():
        if deployments.let_through:
            shop.store.remove(record_path("bookshop", deployments.id))
    remove_unreferenced_sources(shop.ports, shop.policy)
    assert needed.isdisjoint(names(shop))
