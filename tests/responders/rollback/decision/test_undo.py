from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from responders.scenarios.undo_plan import DOCUMENTS_FIRST_NOTE, UndoPlan, add_document_steps, plan_undo
from responders.scenarios.undo_targets import UndoTarget, collect_undo_targets
from shared.core.codec import encode
from shared.domain.deployments.build_recipe import Recipe
from shared.domain.deployments.inventory.inventory_parts import Configuration, SourceObject
from shared.domain.deployments.inventory.traffic import (
    LATEST_REVISION,
    Traffic,
    TrafficPosition,
    TrafficTarget,
    traffic_position,
)
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.incidents.recovery_times import find_recovered_at
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.rollback.plan import Step, StepStatus, freeze_plan
from shared.domain.rollback.rollback import Direction, RollbackStatus
from shared.engine.steps.documents import restore
from shared.engine.steps.functions import redeploy, serve_revision, shift_traffic
from tests.support.data.write_fence import POLICY, RULES
from tests.support.faults.fault_injection import shorten_watch
from tests.support.rollbacks.approvals import (
    build_failed_rollback,
    build_rollback_being_cancelled,
    publish_command,
)
from tests.support.rollbacks.pins import FOLLOWING, build_rolled_back_world, build_traffic_target, read_pins
from tests.support.runtime.world import UNPROBED, World

MINUTE = timedelta(minutes=1)
PINNED = (build_traffic_target("r-1"),)


def step(goal: Traffic, origin: Traffic, status: StepStatus = StepStatus.DONE, newest: str = "r-2") -> Step:
    return Step(
        name="shift order",
        kind=shift_traffic.KIND,
        target="order",
        goal=encode(shift_traffic.TrafficGoal("services/order", goal)),
        origin=encode(shift_traffic.TrafficOrigin(origin, newest)),
        status=status,
    )


def found(*steps: Step) -> UndoTarget | None:
    """What is wanted of one function after rollbacks of one step each."""
    return collect_undo_targets([[one] for one in steps]).get("order")


# Pure: what is to be put back


@pytest.mark.parametrize("is_fenced", [True, False])
def test_documents_and_functions_of_one_incident(is_fenced: bool) -> None:
    """Behind a fence documents are put back alone: putting a function back would start it."""
    policy = replace(POLICY, fence=RULES if is_fenced else None)
    shifts = [step(PINNED, FOLLOWING)]
    made = freeze_plan(ScenarioName.FUNCTIONS, "before", shifts, policy.fingerprint)
    documents = [Step("put back INC-1", restore.KIND, "documents")]
    found = add_document_steps(UndoPlan(made, [], ()), documents, policy, "before")

    assert found.plan is not None
    kinds = [one.kind for one in found.plan.steps]
    assert kinds == ([restore.KIND] if is_fenced else [shift_traffic.KIND, restore.KIND])
    assert found.refused == ((f"order: {DOCUMENTS_FIRST_NOTE}",) if is_fenced else ())
    assert found.plan.header.reported == found.refused


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ((), None),
        ((step(PINNED, FOLLOWING),), ((FOLLOWING), (PINNED,))),
        ((step(PINNED, FOLLOWING, StepStatus.STOPPED),), None),
        ((step(PINNED, FOLLOWING, StepStatus.SKIPPED),), None),
        ((step(PINNED, FOLLOWING, StepStatus.FAILED),), (FOLLOWING, (PINNED,))),
        ((step(PINNED, FOLLOWING, StepStatus.BEGUN),), (FOLLOWING, (PINNED,))),
        # a retry: what the first of them found counts
        (
            (step(PINNED, FOLLOWING), step((build_traffic_target("r-0"),), PINNED)),
            (FOLLOWING, ((build_traffic_target("r-0"),),)),
        ),
        (
            (step(PINNED, FOLLOWING), step((build_traffic_target("r-0"),), PINNED, StepStatus.FAILED)),
            (FOLLOWING, (PINNED, (build_traffic_target("r-0"),))),
        ),
        # undone, and rolled back once more
        ((step(PINNED, FOLLOWING), step(FOLLOWING, PINNED)), None),
        ((step(PINNED, FOLLOWING), step(FOLLOWING, PINNED), step(PINNED, FOLLOWING)), (FOLLOWING, (PINNED,))),
        # by its name the newest is not what was found
        (
            (step(PINNED, FOLLOWING), step((build_traffic_target("r-2"),), PINNED)),
            (FOLLOWING, ((build_traffic_target("r-2"),),)),
        ),
    ],
)
def test_what_rollbacks_have_found(
    steps: tuple[Step, ...], wanted: tuple[Traffic, tuple[Traffic, ...]] | None
) -> None:
    """The list that the first of them found, unless one of them has put just that back."""
    one = found(*steps)

    assert (one and (one.traffic, one.left)) == wanted


@pytest.mark.parametrize(
    ("asked", "stands"),
    [
        (FOLLOWING, TrafficPosition.AT_GOAL),
        (
            (build_traffic_target("r-2"),),
            TrafficPosition.ELSEWHERE,
        ),  # the same requests, and no deployment would be served
        ((build_traffic_target("r-1"),), TrafficPosition.AT_ORIGIN),
    ],
)
def test_verbatim_is_the_very_list(asked: Traffic, stands: TrafficPosition) -> None:
    """LATEST stays LATEST: a name that leads the same requests to the same place is not it."""
    world = World(policy=shorten_watch())
    live = world.platform.inventory()["getBook"].service
    service = replace(
        live, traffic=asked, serving=(build_traffic_target("r-2"),), latest_created="r-2", latest_ready="r-2"
    )

    assert traffic_position(service, FOLLOWING, PINNED, "r-2", verbatim=True) is stands


def recipe(source: str) -> Recipe:
    return Recipe(SourceObject("copies", source), {"name": "order"}, Configuration())


OLD, BAD = recipe("old"), recipe("bad")


def build(made: Recipe = OLD, before: Recipe | None = BAD, status: StepStatus = StepStatus.DONE) -> Step:
    return Step(
        name="redeploy order",
        kind=redeploy.KIND,
        target="order",
        goal=encode(redeploy.RedeployGoal("order", made)),
        origin=encode(redeploy.RedeployOrigin("mark")),
        kept=encode(redeploy.ReplacedDeployment(before)),
        status=status,
    )


def route(goal: Traffic = (), status: StepStatus = StepStatus.DONE) -> Step:
    """Requests to a build; with a list, to what was there before it."""
    return Step(
        name="serve order",
        kind=serve_revision.KIND,
        target="order",
        goal=encode(serve_revision.ServeRevisionGoal("order", "services/order", traffic=goal)),
        origin=encode(serve_revision.ServeRevisionOrigin(FOLLOWING)),
        status=status,
    )


DONE, FAILED = StepStatus.DONE, StepStatus.FAILED


@pytest.mark.parametrize(
    ("rollbacks", "wanted"),
    [
        ([[build()]], ((), (OLD,), BAD)),
        ([[build(), route()]], (FOLLOWING, (OLD,), BAD)),
        ([[build(status=FAILED), route(status=StepStatus.SKIPPED)]], (FOLLOWING, (OLD,), BAD)),
        ([[build(status=StepStatus.UNNEEDED), route(status=StepStatus.UNNEEDED)]], None),
        ([[step(PINNED, FOLLOWING, FAILED), build(), route()]], (FOLLOWING, (OLD,), BAD)),
        # shifted first, and built again by a retry
        ([[step(PINNED, FOLLOWING)], [build(), route()]], (FOLLOWING, (OLD,), BAD)),
        # undone: in all, in part, and once more
        ([[build(), route()], [build(BAD), route(FOLLOWING)]], None),
        ([[build()], [build(BAD)]], None),
        ([[build(), route()], [build(BAD), route(FOLLOWING, FAILED)]], (FOLLOWING, (BAD,), BAD)),
        (
            [[build(), route()], [build(BAD, status=FAILED), route(FOLLOWING, FAILED)]],
            (FOLLOWING, (OLD, BAD), BAD),
        ),
        (
            [[build(), route()], [step(FOLLOWING, PINNED), build(BAD, status=FAILED)]],
            (FOLLOWING, (OLD, BAD), BAD),
        ),
        ([[build(), route()], [build(BAD, status=FAILED)], [build(BAD), route(FOLLOWING)]], None),
        # its requests were never led elsewhere, so that the build alone undoes it
        ([[build(status=FAILED), route(status=StepStatus.SKIPPED)], [build(BAD)]], None),
        (
            [[step(PINNED, FOLLOWING)], [build(), route(status=StepStatus.SKIPPED)], [build(BAD)]],
            (FOLLOWING, (BAD,), BAD),
        ),
    ],
)
def test_what_was_built_again_is_wanted_as_it_was_built(
    rollbacks: list[list[Step]], wanted: tuple[Traffic, tuple[Recipe, ...], Recipe | None] | None
) -> None:
    """What the first of them found is wanted, until both its traffic and its build are back."""
    one = collect_undo_targets(rollbacks).get("order")

    assert (one and (one.traffic, one.builds, one.before)) == wanted


# The world


def test_an_undo_puts_back_the_very_lists_that_were_found() -> None:
    """Tags, shares and what follows the newest are as before the rollback; nothing is pinned."""
    world = World(policy=shorten_watch())
    before = (TrafficTarget(LATEST_REVISION, 100), TrafficTarget("getbook-00001", 0, "fh-1"))
    world.platform.change_by_hand("getBook", before)
    world.deploy_bad()
    world.alert()
    world.pass_time(12 * MINUTE)
    assert world.live["getBook"] == {"getbook-00001": 100}

    assert publish_command(world, "undo", actor="alice") == ""
    world.pass_time(3 * MINUTE)

    services = world.platform.services()
    assert services["getBook"].traffic == before
    assert {one.traffic for name, one in services.items() if name != "getBook"} == {FOLLOWING}
    assert read_pins(world) == {}
    last = world.newest_rollback
    assert (last.status, last.outcome) == (
        RollbackStatus.SUCCEEDED,
        f"undone: {len(services)} functions as before",
    )
    assert last.order is not None
    assert last.order.actor == "alice"


def test_an_undone_incident_waits_for_a_person_and_automation_leaves_it_alone() -> None:
    """What a person has put back is not taken back by an alert; they accept when they are done."""
    world = build_rolled_back_world()
    publish_command(world, "undo", actor="alice")
    world.pass_time(3 * MINUTE)
    bad = world.live

    world.alert("0.second")
    world.pass_time(20 * MINUTE)

    assert world.live == bad
    assert world.newest_incident.status is IncidentStatus.ESCALATED
    assert publish_command(world, "accept", actor="alice") == ""
    assert world.incidents()[-1].status is IncidentStatus.RECOVERY_NOT_OBSERVED


@pytest.mark.parametrize("make", [build_failed_rollback, build_rollback_being_cancelled])
def test_a_rollback_that_did_not_get_far_is_undone_as_far_as_it_got(make: Callable[[], World]) -> None:
    """What it has moved goes back, and what it has not is left as it is."""
    world = make()
    world.pass_time(MINUTE)
    first = world.newest_rollback
    moved = {
        one.target
        for one in world.steps(first.id).values()
        if one.kind == shift_traffic.KIND and one.status is StepStatus.DONE
    }

    assert publish_command(world, "undo", actor="alice") == ""
    world.pass_time(3 * MINUTE)

    assert {one.target for one in world.steps(world.newest_rollback.id).values()} == moved
    assert {one.traffic for one in world.platform.services().values()} == {FOLLOWING}


def test_an_undo_that_would_serve_what_was_deployed_since_does_nothing_and_says_so() -> None:
    """LATEST is another revision now: that is an unpin, and no undo."""
    world = build_rolled_back_world()
    world.platform.deploy(["getBook"])
    held = world.live

    assert publish_command(world, "undo", actor="alice") == ""
    world.pass_time(MINUTE)

    last = world.newest_rollback
    assert last.plan is not None
    warning, refused = last.plan.reported
    assert warning.startswith("warning: this restores what the rollback removed: ")
    assert refused.startswith("getBook: getbook-00003 was deployed later")
    assert world.live["getBook"] == held["getBook"]
    assert set(read_pins(world)) == {"getBook"}


def test_an_undo_of_a_world_that_has_moved_altogether_is_not_taken() -> None:
    """With nothing to put back it ends with each reason; nothing fails, so the incident ends."""
    world = build_rolled_back_world()
    world.platform.deploy()

    publish_command(world, "undo", actor="alice")
    world.pass_time(MINUTE)

    last = world.newest_rollback
    assert last.status is RollbackStatus.NOT_TAKEN
    assert "getBook: getbook-00003 was deployed later" in last.outcome
    newest = world.newest_incident
    assert [one.status for one in newest.timeline[-2:]] == [IncidentStatus.RECOVERED, IncidentStatus.RESOLVED]


def test_an_undo_is_refused_with_its_reason() -> None:
    """Nothing was moved; it goes on; it was undone already; another incident is newer."""
    world = World(policy=shorten_watch())
    world.carry_out("promote", mode="ask")
    world.deploy_bad()
    world.alert()
    world.settle()
    assert "is waiting for approval: cancel it, or wait for its end" in publish_command(world, "undo")
    publish_command(world, "reject")
    world.settle()
    assert "has nothing to undo" in publish_command(world, "undo")
    world.send_command("rollback", actor="alice")
    world.pass_time(12 * MINUTE)
    first = world.incidents()[0].id
    refused = publish_command(world, "undo", incident=first)
    assert "the newer rollback INC-20260302-002 (Succeeded) is about the same" in refused
    publish_command(world, "undo")
    world.pass_time(3 * MINUTE)

    assert "has nothing to undo" in publish_command(world, "undo")
    assert "possible commands: accept" in publish_command(world, "retry")


def test_a_gone_revision_or_an_unready_one_is_not_put_back() -> None:
    """The plan says of each function why it is left."""
    world = build_rolled_back_world()
    inventory = world.platform.inventory()
    one = inventory["getBook"]
    left = (one.service.traffic,)

    def against(traffic: Traffic, newest: str = "") -> str:
        wanted = {"getBook": UndoTarget("getBook", traffic, left, newest)}
        plan = plan_undo(world.policy, inventory, wanted, "anywhere")
        assert (plan.plan is None) == bool(plan.refused)
        return "; ".join(plan.refused)

    assert against((build_traffic_target("getbook-00002"),)) == ""
    assert against((build_traffic_target("getbook-00009"),)) == "getBook: its revision getbook-00009 is gone"
    assert against(FOLLOWING, "getbook-00002") == ""
    assert "getbook-00002 was deployed later" in against(FOLLOWING, "getbook-00001")
    unready = tuple(replace(revision, ready=False) for revision in one.revisions)
    inventory["getBook"] = replace(one, revisions=unready)
    assert (
        against((build_traffic_target("getbook-00002"),))
        == "getBook: its revision getbook-00002 is not ready"
    )
    lost = tuple(replace(revision, ready=False, lost_image=True) for revision in one.revisions)
    inventory["getBook"] = replace(one, revisions=lost)
    named = against((build_traffic_target("getbook-00002"),))
    assert named == "getBook: its revision getbook-00002 has no image any more"
    newest = "getBook: its newest revision getbook-00002 has no image any more: deploy it again"
    assert against(FOLLOWING, "getbook-00002") == newest
    del inventory["getBook"]
    assert against(FOLLOWING) == "getBook: it is gone"


# Stopped between its decision and its first step


def interrupt_undo(act: Callable[[World, str], None], *, has_begun: bool = False) -> World:
    """Decide an undo after half of a rollback has helped; call `act` right after that commit.

    `has_begun`: the intent of its first step has landed, too.
    """
    world = World(policy=UNPROBED)
    world.deploy_bad()
    world.alert()
    world.pass_time(6 * MINUTE)
    name = world.incident.id
    world.carry_out("cancel", incident=name)
    assert world.incident.status is IncidentStatus.RECOVERED
    done: list[bool] = []

    def interrupt(verb: str, side: str) -> None:
        if (verb, side) != ("store.commit", "after") or done:
            return
        rollback = world.newest_rollback
        is_decided = (rollback.way, rollback.status) == (Direction.UNDO, RollbackStatus.RUNNING)
        if is_decided and (rollback.started_at is not None) is has_begun:
            done.append(True)
            act(world, name)

    world.store.hook = interrupt
    world.send_command("undo", incident=name)
    return world


def cancel(world: World, incident: str) -> None:
    world.send_command("cancel", incident=incident)
    world.deliver_newest()


def supersede(world: World, incident: str) -> None:
    """Somebody moves a function; then an operator orders it back, and ends the undo by that."""
    world.platform.change_by_hand("searchBooks", (TrafficTarget("searchbooks-00002", 100),))
    world.send_command("rollback", "bob", supersede=True)
    world.deliver_commands()
    for message in world.waiting():
        if b'"kind":"command"' in message.data:
            world.ports.bus.messages.remove(message)
            world.deliver(message)


def test_a_recovery_stays_observed_when_an_undo_is_cancelled_before_its_first_step() -> None:
    """Nothing was changed: what works is not called broken, and its time stays."""
    world = interrupt_undo(cancel)
    before = find_recovered_at(world.incident, world.rollbacks())
    world.settle()
    [incident], rollbacks = world.incidents(), world.rollbacks()

    assert (rollbacks[-1].status, rollbacks[-1].started_at) == (RollbackStatus.CANCELLED, None)
    assert incident.status is IncidentStatus.RECOVERED
    assert before is not None
    assert find_recovered_at(incident, rollbacks) == before


def test_an_order_that_supersedes_an_undo_before_its_first_step_continues_no_failure() -> None:
    """The functions of the superseded incident work: the new incident records no failure."""
    world = interrupt_undo(supersede)
    world.pass_time(MINUTE)
    old, new = world.incidents()

    assert old.timeline[-1].is_well
    assert not new.has_failed


def test_an_undo_that_has_begun_leaves_no_observed_recovery() -> None:
    """Somebody moves all that it was to move: what serves now was never observed to work."""

    def act(world: World, incident: str) -> None:
        for name in world.policy.functions:
            half = [TrafficTarget(f"{name.lower()}-0000{number}", 50) for number in (1, 2)]
            world.platform.change_by_hand(name, tuple(half))
        supersede(world, incident)

    world = interrupt_undo(act, has_begun=True)
    world.settle()
    timeline = world.incidents()[0].timeline
    [begun] = [number for number, one in enumerate(timeline) if one.status is IncidentStatus.UNDOING]

    assert world.rollbacks()[1].status is RollbackStatus.CANCELLED
    assert not timeline[begun + 1].is_well


def test_an_undo_breaks_what_works_with_its_first_step() -> None:
    """From the commit of its first intent on, its functions are not known to work."""
    seen: list[tuple[IncidentStatus, bool, frozenset[str]]] = []

    def look(verb: str, side: str) -> None:
        incident = world.incident
        if (verb, side) == ("platform.shift", "before"):
            seen.append((incident.status, incident.timeline[-1].works, frozenset(incident.working)))

    world = interrupt_undo(lambda *_: None)
    worked = {*world.incident.working}
    world.platform.hook = look
    world.settle()

    scope = world.newest_rollback.scope
    assert worked & scope
    assert seen
    assert all(one[:2] == (IncidentStatus.UNDOING, False) and not one[2] & scope for one in seen)
