from datetime import timedelta

import pytest
from msgspec.structs import replace

from responders.scenarios.capacity import required_scaling
from shared.core.store import Query
from shared.domain.deployments.inventory.inventory_parts import build_configuration
from shared.domain.deployments.inventory.traffic import Scaling
from shared.domain.policy.system_policy import Group, Policy
from shared.domain.rollback.plan import StepStatus
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.fakes.runtime.hooks import run_once
from tests.support.faults.fault_injection import shorten_watch
from tests.support.rollbacks.approvals import publish_command
from tests.support.rollbacks.pins import FOLLOWING
from tests.support.runtime.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
BY_HAND = Scaling(0, 0, 0)


def warm(instances: int) -> Policy:
    """The bookshop, with a catalogue that is to be kept warm."""
    group = replace(BOOKSHOP.groups["catalogue"], keep_warm=instances)
    return replace(shorten_watch(), groups={**BOOKSHOP.groups, "catalogue": group})


def reported(world: World) -> list[str]:
    """What the newest plan says beside its steps."""
    plan = world.newest_rollback.plan
    return list(plan.reported) if plan is not None else []


def rolled_back(policy: Policy, function: str = "getBook") -> World:
    """One function is led back by a person's order."""
    world = World(policy=policy)
    return ordered(world, function)


def ordered(world: World, function: str = "getBook") -> World:
    world.deploy_bad([function])
    world.send_command("rollback", functions=[function])
    world.pass_time(12 * MINUTE)
    return world


@pytest.mark.parametrize(
    ("now", "then", "keep_warm", "own", "wanted"),
    [
        (Scaling(), Scaling(), 0, 0, Scaling()),
        (Scaling(), None, 0, 0, Scaling()),  # it was not recorded
        (Scaling(), Scaling(2, 10), 0, 0, Scaling(2)),  # no limit is more than ten
        (Scaling(0, 5), Scaling(2, 10), 0, 0, Scaling(2, 10)),
        (Scaling(0, 5), Scaling(2), 0, 0, Scaling(2)),
        (Scaling(4, 20), Scaling(2, 10), 0, 0, Scaling(4, 20)),  # nothing is taken away
        (Scaling(0, 1), None, 2, 0, Scaling(2, 2)),
        (Scaling(0, 1), None, 2, 1, Scaling(2, 2)),
        (Scaling(0, 1), None, 2, 2, Scaling(0, 1)),  # the revision keeps them itself
        (Scaling(2, 9), None, 2, 0, Scaling(2, 9)),
        (BY_HAND, Scaling(2, 10), 2, 0, BY_HAND),  # somebody may have stopped it
        (Scaling(), Scaling(0, 0, 7), 0, 0, Scaling()),
    ],
)
def test_the_instances_that_a_service_is_to_have(
    now: Scaling, then: Scaling | None, keep_warm: int, own: int, wanted: Scaling
) -> None:
    """What it has, what it had, and what the policy wants warm; by hand stays by hand."""
    assert required_scaling(now, then, keep_warm, own) == wanted


def test_a_function_does_not_come_back_cold_where_the_policy_wants_it_warm() -> None:
    """Its service keeps instances from the request on that moves the traffic; the plan says so."""
    world = rolled_back(warm(2))

    assert world.live["getBook"] == {"getbook-00001": 100}
    assert world.platform.services()["getBook"].scaling == Scaling(2)
    assert reported(world) == [
        "getBook: the instances of its service become 2 or more with the shift "
        "(0 or more now, 2 are kept warm)"
    ]
    assert world.platform.applied_shifts == ["getbook"]


def test_an_undo_gives_the_instances_back_as_they_were() -> None:
    """List and instances as they were found, in one request."""
    world = rolled_back(warm(2))

    assert publish_command(world, "undo") == ""
    world.pass_time(3 * MINUTE)

    service = world.platform.services()["getBook"]
    assert (service.traffic, service.scaling) == (FOLLOWING, Scaling())


def test_an_undo_leaves_the_instances_that_somebody_has_set_since() -> None:
    """The traffic goes back; who changed the instances is told that they stay."""
    world = rolled_back(warm(2))
    world.platform.scale_by_hand("getBook", Scaling(9))

    assert publish_command(world, "undo") == ""
    world.pass_time(3 * MINUTE)

    service = world.platform.services()["getBook"]
    assert (service.traffic, service.scaling) == (FOLLOWING, Scaling(9))
    assert reported(world)[1:] == ["getBook: its instances were changed later, and stay 9 or more"]


def test_instances_that_were_taken_away_since_come_back() -> None:
    """What was recorded with the stable deployment is what a service has again."""
    world = World(policy=shorten_watch())
    world.platform.scale_by_hand("getBook", Scaling(3, 50))
    world.platform.deploy(["getBook"])
    world.announce("v2", stable=True)
    world.pass_time(5 * MINUTE)
    world.carry_out("mark-stable", deployment="v2")
    world.platform.scale_by_hand("getBook", Scaling(0, 1))

    ordered(world)

    assert world.platform.services()["getBook"].scaling == Scaling(3, 50)
    assert reported(world) == [
        "getBook: the instances of its service become 3 to 50 with the shift (0 to 1 now)"
    ]


def test_more_than_there_was_stays_and_is_said() -> None:
    """Nothing is taken away in an incident; that it is not what it was is known all the same."""
    world = World(policy=shorten_watch())
    world.platform.scale_by_hand("getBook", Scaling(4))

    ordered(world)

    assert world.platform.services()["getBook"].scaling == Scaling(4)
    assert reported(world) == ["getBook: the instances of its service stay 4 or more (0 or more then)"]


def test_what_is_scaled_by_hand_stays_so_and_is_warned_about() -> None:
    """Whoever has stopped a function does not see it started by a rollback."""
    world = World(policy=warm(2))
    world.platform.scale_by_hand("getBook", BY_HAND)

    ordered(world)

    assert world.platform.services()["getBook"].scaling == BY_HAND
    assert reported(world) == ["getBook: its instances are 0, set manually, and are not changed"]


def test_less_that_comes_back_with_a_revision_is_warned_about() -> None:
    """What lives in the revision cannot be set again: the plan says what is less."""
    world = World(policy=shorten_watch())
    more = build_configuration(
        {}, iter(()), account="any", min_instances=2, max_instances=200, concurrency=500
    )
    world.platform.deploy(["getBook"], configuration=more, failure_rate=0.8)
    world.advance_clock(10 * MINUTE)
    world.carry_out("rollback", functions=["getBook"])

    assert reported(world) == [
        "getBook: its old revision has 80 concurrent requests per instance (500 now), "
        "0 minimum instances (2 now), 100 maximum instances (200 now)"
    ]


def test_instances_that_somebody_sets_meanwhile_are_not_overwritten() -> None:
    """Between plan and effect a person was there: the function is theirs."""
    world = World(policy=warm(2))
    world.deploy_bad(["getBook"])
    world.platform.hook = run_once(
        "platform.dry_run", "before", lambda: world.platform.scale_by_hand("getBook", Scaling(7))
    )
    world.send_command("rollback", functions=["getBook"])
    world.pass_time(12 * MINUTE)

    last = world.newest_rollback
    step = world.steps(last.id)["shift getBook"]
    assert (last.status, step.status) == (RollbackStatus.FAILED, StepStatus.STOPPED)
    assert step.note == "found other instances: 7 or more"
    assert world.platform.services()["getBook"].scaling == Scaling(7)


def test_other_instances_are_no_deployment() -> None:
    """Nothing else serves because of them, and nobody is suspected."""
    world = World(policy=shorten_watch())
    known = Query("deployments")
    before = world.store.query(known)
    world.platform.scale_by_hand("getBook", Scaling(7))

    world.pass_time(10 * MINUTE)

    assert len(world.store.query(known)) == len(before)


def test_a_group_keeps_nothing_warm_unless_it_says_so() -> None:
    """Absent is none: warm instances cost."""
    assert Group(("any",)).keep_warm == 0
