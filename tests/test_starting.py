"""Starts that are made on the stand, over the fakes: when, of what, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared import handover, shortened, stand, starts, topics
from shared.documents import encode
from shared.errors import Ambiguous, Exists, Moved, Rejected, Throttled, Unavailable
from shared.execution import WriteQuota
from shared.plan import StepStatus
from shared.policy import Group
from shared.ports import Put
from shared.rollback import Status
from shared.system import GLOBAL, Controls, Freeze, Pause, System
from tests.deployed import hint, others, recorded
from tests.fakes.hooks import once, raising
from tests.outside import told
from tests.stands import DAY, MINUTE, NAME, SHOP, stand_of, sweep, target, tried, world_with_stand
from tests.ways_back import back, ends, roll_back
from tests.world import BOOKSHOP, FakePorts, World

HOUR = timedelta(hours=1)
OLD = "payorder-00001"


def alarms(world: World) -> list[str]:
    """What people were told of the target, or of the stand."""
    keys = (":restorable", ":stand-changed")
    return [str(one) for one in world.ports.sender.sent if any(key in one.key for key in keys)]


def aged(world: World, function: str = "payOrder") -> None:
    """The day after, in which nobody has asked for that function."""
    world.ports.counts.rates[function] = 0.0
    world.ports.clock.advance(DAY)


def test_the_first_proof_after_an_installation() -> None:
    """What nobody has asked for is made to start at once; the live service is not touched."""
    world = world_with_stand("payOrder")
    service = world.ports.world.inventory()["payOrder"].service

    sweep(world, 2)

    assert world.ports.stand.made == [OLD]
    assert tried(world)[OLD].started_at is not None
    assert starts.not_seen_to_start(target(world)) == {}
    assert str(starts.proven(target(world))) == (
        "8 of 8 revisions are known to start: 7 were seen to, 1 made to on the stand"
    )
    assert world.ports.world.inventory()["payOrder"].service == service
    assert [one for one in told(world) if one.startswith("start.")] == [
        "start.begun",
        "start.started",
    ]
    assert others(world) == []


def test_a_policy_without_a_stand() -> None:
    """Nothing is made to start, and nothing is kept of it."""
    world = world_with_stand("payOrder", policy=BOOKSHOP)

    sweep(world, 4)

    assert world.ports.stand.made == []
    assert not [path for path in world.ports.store.documents if path.startswith("stands/")]
    assert starts.not_seen_to_start(target(world)) == {"payOrder": None}


def test_each_day_anew() -> None:
    """A start is as good as a day; then it is made again, under another name."""
    world = world_with_stand("payOrder")
    sweep(world, 2)

    world.pass_time(HOUR)
    assert world.ports.stand.made == [OLD]
    world.ports.clock.advance(DAY - HOUR)
    world.pass_time(6 * MINUTE)

    assert world.ports.stand.made.count(OLD) == 2
    assert len(set(world.ports.stand.copies)) == len(world.ports.stand.copies)


def test_a_secret_that_is_gone_is_found_before_it_is_needed() -> None:
    """People are told at once that one cannot go back, with Google's words and no value in them."""
    world = world_with_stand()
    world.ports.stand.unstartable[OLD] = "Bearer abcdefgh1234567 was refused: secret destroyed"
    aged(world)
    sweep(world, 3)
    assert tried(world)[OLD].failed_at is not None
    assert alarms(world) == []  # what fails once may be the platform's fault

    world.pass_time(7 * MINUTE)

    proof = target(world).restorable
    assert proof is not None
    (fault,) = [one for one in proof.faults if "did not start" in one]
    assert fault.startswith(f"payOrder: revision {OLD} did not start (2026-03-03 12:0")
    assert [one for one in alarms(world) if "cannot be gone back to" in one and fault[:40] in one]
    assert "abcdefgh1234567" not in fault
    assert "abcdefgh1234567" not in str(world.ports.store.documents)


def test_an_answer_of_many_words() -> None:
    """People read the first and the last of them."""
    world = world_with_stand()
    world.ports.stand.unstartable[OLD] = "no\n" * 9_000
    aged(world)
    sweep(world, 3)

    assert len(tried(world)[OLD].words) == shortened.CHARACTERS


def test_what_comes_up_again() -> None:
    """It is tried again within the hour; the fault ends, and people are told."""
    world = world_with_stand()
    world.ports.stand.unstartable[OLD] = "no"
    aged(world)
    world.pass_time(10 * MINUTE)
    assert "cannot be gone back to" in alarms(world)[-1]
    world.ports.stand.unstartable.clear()

    world.pass_time(HOUR + 5 * MINUTE)

    proof = target(world).restorable
    assert proof is not None
    assert not [one for one in proof.faults if "did not start" in one]
    assert "has all again that going back needs" in alarms(world)[-1]


def test_what_fails_once_and_then_comes_up() -> None:
    """An image that could not be pulled once: nobody is woken, nothing is built again for it."""
    world = world_with_stand()
    world.ports.stand.unstartable[OLD] = "image pull: timed out"
    aged(world)
    sweep(world, 3)
    proof = target(world).restorable
    assert proof is not None
    *_, said = starts.unknown(proof)
    assert said == f"start of {OLD}: failed once, and is made again: image pull: timed out"
    world.ports.stand.unstartable.clear()

    world.pass_time(10 * MINUTE)

    assert tried(world)[OLD].failed_at is None
    assert alarms(world) == []


def test_what_does_not_start_for_hours() -> None:
    """People are told once, however often it is tried, and whatever Google calls each copy."""
    world = world_with_stand()
    aged(world)

    for hour in range(6):
        world.ports.stand.unstartable[OLD] = f"copy {hour} is not ready"
        world.pass_time(HOUR)

    assert world.ports.stand.made.count(OLD) >= 6
    (alarm,) = alarms(world)
    assert "copy 0 is not ready" in alarm


def test_what_starts_for_a_newer_deployment() -> None:
    """It does for an older one too: nobody is led to build it again for what was long ago."""
    world = world_with_stand()
    world.ports.stand.unstartable[OLD] = "no"
    aged(world)
    world.pass_time(10 * MINUTE)
    world.ports.world.deploy(["getBook"])
    hint(world)
    world.pass_time(10 * MINUTE)
    (second,) = others(world)
    stable = replace(second, status="STABLE", due_at=None)
    world.ports.store.commit([Put(f"deployments/bookshop:{second.id}", encode(stable))])
    assert tried(world)[OLD].again_at is not None
    world.ports.stand.unstartable.clear()

    world.pass_time(2 * HOUR)
    world.ports.clock.advance(DAY)
    world.pass_time(10 * MINUTE)

    proof = target(world).restorable
    assert proof is not None
    assert starts.told(proof) == []


def test_many_that_do_not_start() -> None:
    """The first is told at once, the others every ten minutes: not one message each."""
    world = world_with_stand()
    for function in world.ports.world.inventory():
        world.ports.counts.rates[function] = 0.0
        world.ports.stand.unstartable[f"{function.lower()}-00001"] = "secret destroyed"
    world.ports.clock.advance(DAY)

    world.pass_time(40 * MINUTE)

    faults = starts.told(proof) if (proof := target(world).restorable) else []
    assert len(faults) == 8
    assert len(alarms(world)) == 2


def test_a_deployment_that_has_just_settled() -> None:
    """Its new revisions are started too; what the target shares with it is not started again."""
    world = world_with_stand("payOrder", "getBook")
    sweep(world, 6)
    made = world.ports.stand.made
    assert sorted(made) == ["getbook-00001", OLD]
    world.ports.world.deploy(["getBook"])
    hint(world)

    world.pass_time(10 * MINUTE)

    (second,) = others(world)
    assert world.ports.stand.made == [*made, "getbook-00002"]
    assert second.restorable is not None
    assert set(second.restorable.tried) == {"getbook-00002", OLD}
    assert starts.not_seen_to_start(second) == {}


def test_a_deployment_that_bakes_and_does_not_start() -> None:
    """It is proven at once, and goes on to be judged when it is due."""
    world = world_with_stand("getBook")
    sweep(world, 4)
    world.ports.stand.unstartable["getbook-00002"] = "exit(1)"
    world.ports.world.deploy(["getBook"])
    hint(world)

    world.pass_time(10 * MINUTE)

    (second,) = others(world)
    assert second.restorable is not None
    assert [one for one in second.restorable.faults if "getbook-00002 did not start" in one]
    assert second.due_at is not None
    assert second.due_at > world.ports.clock.now() + 10 * MINUTE


def paused(world: World) -> None:
    now = world.ports.clock.now()
    world.ports.store.commit([Put(GLOBAL, encode(Controls(Pause("me", now, "why"))))])


def frozen(world: World) -> None:
    now = world.ports.clock.now()
    window = Freeze("me", now, "why", now - HOUR, now + HOUR)
    world.ports.store.commit(
        [Put("systems/bookshop", encode(System("bookshop", freezes=(window,))))]
    )


def paused_here(world: World) -> None:
    pause = Pause("me", world.ports.clock.now(), "why")
    world.ports.store.commit([Put("systems/bookshop", encode(System("bookshop", pause=pause)))])


def frozen_everywhere(world: World) -> None:
    now = world.ports.clock.now()
    window = Freeze("me", now, "why", now - HOUR, now + HOUR)
    world.ports.store.commit([Put(GLOBAL, encode(Controls(freezes=(window,))))])


def at_work(world: World) -> None:
    world.ports.store.commit([Put("systems/bookshop", encode(System("bookshop", slot="r1")))])


def rolling_out(world: World) -> None:
    one = replace(target(world), id="v9", status="ROLLING_OUT", settled_at=None, due_at=None)
    world.ports.store.commit([Put("deployments/bookshop:v9", encode(one))])


STOPS: list[Callable[[World], None]] = [
    *(paused, paused_here, frozen, frozen_everywhere, at_work),
    rolling_out,
]


@pytest.mark.parametrize("stop", STOPS)
def test_what_holds_a_start_up(stop: Callable[[World], None]) -> None:
    """Kill switch, freeze, a rollback at work, a deployment that rolls out."""
    world = world_with_stand()
    aged(world)
    stop(world)

    sweep(world, 8)

    assert world.ports.stand.made == []
    assert "start.begun" not in told(world)


@pytest.mark.parametrize("stop", STOPS[:-1])
def test_a_switch_that_is_set_at_the_last_moment(stop: Callable[[World], None]) -> None:
    """It is looked at once more after all that the start needs was read; later it is made."""
    world = world_with_stand()
    aged(world)
    world.ports.stand.hook = once("trials.template", "after", lambda: stop(world))

    sweep(world, 2)
    assert world.ports.stand.made == []
    world.ports.store.commit(
        [Put(GLOBAL, encode(Controls())), Put("systems/bookshop", encode(System("bookshop")))]
    )
    sweep(world, 6)

    assert OLD in world.ports.stand.made
    assert "start.dropped" in told(world)


def test_a_stand_that_somebody_has_changed() -> None:
    """It is left and told once; made anew, it is used again."""
    world = world_with_stand("payOrder")
    sweep(world, 2)
    world.ports.stand.change_by_hand(f"{NAME}-00007-abc")
    world.ports.clock.advance(DAY)

    world.pass_time(HOUR)

    assert world.ports.stand.newest == f"{NAME}-00007-abc"
    (said,) = [one for one in alarms(world) if NAME in one]
    assert f"{NAME}-00007-abc stands on {NAME} and is not ours" in said
    world.ports.stand.renew()
    world.pass_time(15 * MINUTE)
    assert OLD in world.ports.stand.made


def test_a_stand_that_is_reachable_from_outside() -> None:
    """No code of the application is put there; told once, and over once it is internal again."""
    world = world_with_stand("payOrder", is_there=False)
    world.ports.stand.internal = False
    world.ports.stand.is_there = True

    world.pass_time(2 * HOUR)

    assert world.ports.stand.made == []
    (said,) = [one for one in alarms(world) if NAME in one]
    assert f"{NAME} is reachable from outside" in said
    world.ports.stand.internal = True
    world.pass_time(15 * MINUTE)
    assert OLD in world.ports.stand.made
    world.ports.stand.internal = False
    world.ports.clock.advance(DAY)
    world.pass_time(15 * MINUTE)
    assert len([one for one in alarms(world) if "is reachable from outside" in one]) == 2


def test_a_request_that_never_gets_an_answer() -> None:
    """Of the second nothing is known, with why, and the others have their turn."""
    world = world_with_stand("payOrder", "getBook", is_there=False)

    def lost(_verb: str, side: str) -> None:
        if (_verb, side) == ("trials.begin", "before") and "getbook" in str(stand_of(world).trial):
            raise Ambiguous("INTERNAL")

    world.ports.stand.hook = lost
    world.ports.stand.is_there = True

    world.pass_time(HOUR + 20 * MINUTE)

    assert OLD in world.ports.stand.made
    assert tried(world)["getbook-00001"].unknown == "asked for twice, and no copy came of it"


def test_requests_without_an_answer_on_two_days() -> None:
    """Each is the first: with a start between them it is not known that nothing comes of it."""
    world = world_with_stand()
    for _day in range(2):
        aged(world)
        world.ports.stand.hook = raising("trials.begin", Ambiguous("INTERNAL"))
        sweep(world, 1)
        world.ports.stand.hook = lambda _verb, _side: None
        world.pass_time(4 * MINUTE)

    assert told(world).count("start.dropped") == 2
    assert "start.unknown" not in told(world)


def test_a_look_that_google_refuses() -> None:
    """What came of the copy is not known, and why; the message is not brought again and again."""
    world = world_with_stand()
    aged(world)
    world.ports.stand.hook = raising("trials.outcome", Rejected("PERMISSION_DENIED: no get"))

    world.pass_time(4 * MINUTE)

    assert tried(world)[OLD].unknown == "PERMISSION_DENIED: no get"
    assert stand_of(world).trial is None


def test_all_that_google_refuses_at_once() -> None:
    """What came of the copy, and the stand for the next: each is told, none holds the other up."""
    world = world_with_stand("getBook")
    aged(world)
    sweep(world, 1)
    assert stand_of(world).trial is not None
    refused = Rejected("PERMISSION_DENIED")

    def hook(verb: str, side: str) -> None:
        if verb in ("trials.outcome", "trials.found") and side == "before":
            raise refused

    world.ports.stand.hook = hook
    world.pass_time(4 * MINUTE)

    assert stand_of(world).trial is None
    assert {name for name, one in tried(world).items() if one.unknown} == {OLD, "getbook-00001"}


def test_somebody_changes_the_stand_while_a_start_is_asked_for() -> None:
    """Whose is the etag wins: theirs stays, and the trial is none."""
    world = world_with_stand()
    aged(world)
    theirs = f"{NAME}-00007-abc"
    world.ports.stand.hook = once(
        "trials.template", "after", lambda: world.ports.stand.change_by_hand(theirs)
    )

    world.pass_time(20 * MINUTE)

    assert world.ports.stand.newest == theirs
    assert world.ports.stand.made == []
    assert not tried(world)
    assert "start.dropped" in told(world)


def refused_by_google(world: World) -> None:
    world.ports.stand.refused[OLD] = "PERMISSION_DENIED: iam.serviceAccounts.actAs"


def refused_by_a_rule(world: World) -> None:
    rule = Moved("FAILED_PRECONDITION: Constraint constraints/run.allowedIngress violated")
    world.ports.stand.hook = raising("trials.begin", rule)


def no_stand(world: World) -> None:
    world.ports.stand.is_there = False


@pytest.mark.parametrize(
    ("refuse", "words"),
    [
        (refused_by_google, "PERMISSION_DENIED"),
        (refused_by_a_rule, "constraints/run.allowedIngress"),
        (no_stand, "there is no stand"),
    ],
)
def test_a_refusal_is_no_fault(refuse: Callable[[World], None], words: str) -> None:
    """Whether it starts is not known then, and why; nobody is woken, and others have their turn."""
    world = world_with_stand("payOrder", is_there=refuse is not no_stand)
    refuse(world)
    aged(world, "getBook")

    world.pass_time(25 * MINUTE)

    proof = target(world).restorable
    assert proof is not None
    assert proof.faults == ()
    assert words in " ".join(starts.unknown(proof))
    assert alarms(world) == []
    assert sum(one == "start.unknown" for one in told(world)) < 20
    if refuse is refused_by_google:
        assert "getbook-00001" in world.ports.stand.made


def test_a_quota_that_is_spent() -> None:
    """The start waits, and leaves what comes free to whoever carries out a rollback."""
    world = world_with_stand()
    aged(world)
    world.ports.world.limit_writes(WriteQuota(burst=1, per_second=0.0001))
    world.ports.world.spend()

    sweep(world, 10)
    assert world.ports.stand.made == []
    assert not tried(world)
    world.ports.world.limit_writes(None)
    world.pass_time(10 * MINUTE)

    assert OLD in world.ports.stand.made


def test_no_answer_about_the_stand() -> None:
    """Nothing is known: asked again, and the next answer counts."""
    world = world_with_stand()
    aged(world)
    world.ports.stand.hook = raising("trials.found", Unavailable("no answer"))
    world.publish(topics.CLOCK, b"{}")
    with pytest.raises(AssertionError, match="still"):
        world.settle(20)
    world.ports.stand.hook = lambda _verb, _side: None

    world.pass_time(3 * MINUTE)

    assert OLD in world.ports.stand.made


def test_a_copy_that_never_ends() -> None:
    """After ten minutes it has told nothing, and the next has its turn."""
    world = world_with_stand("payOrder")
    endless = {
        name: replace(one, due_at=one.due_at + DAY)
        for name, one in world.ports.stand.copies.items()
    }
    world.ports.stand.copies.update(endless)

    world.pass_time(12 * MINUTE)

    assert tried(world)[OLD].unknown == "neither up nor failed within 10 minutes"
    assert stand_of(world).trial is None


def test_a_revision_that_is_gone() -> None:
    """It cannot be copied: the proof says that it is gone, and the stand that it could not see."""
    world = world_with_stand("payOrder", is_there=False)
    world.ports.world.deploy(["payOrder"])
    hint(world)
    world.ports.world.delete_revision("payOrder", OLD)
    world.ports.stand.is_there = True

    world.pass_time(HOUR + 15 * MINUTE)

    assert "there is no revision" in tried(world)[OLD].unknown
    assert OLD not in world.ports.stand.made


def test_two_workers_at_once() -> None:
    """One of them loses, and does nothing."""
    world = world_with_stand()
    aged(world)
    due = handover.Due(handover.START, "bookshop", world.ports.clock.now())

    def other() -> None:
        world.publish(topics.WORK, encode_due(due))
        world.deliver_newest()

    world.ports.stand.hook = once("trials.found", "after", other)
    sweep(world, 1)

    assert len(world.ports.stand.made) == 1
    assert "start.dropped" not in told(world)


def test_a_message_that_comes_before_its_time() -> None:
    """A redelivery finds nothing due, and looks at nothing."""
    world = world_with_stand()
    aged(world)
    sweep(world, 1)
    before = stand_of(world)
    assert before.trial is not None
    world.ports.stand.hook = raising("trials.outcome", AssertionError("nothing is due"))

    world.publish(
        topics.WORK, encode_due(handover.Due(handover.START, "bookshop", world.ports.clock.now()))
    )
    world.settle()

    assert stand_of(world) == before


def test_a_copy_that_lands_late() -> None:
    """Nobody gives it up as long as it may land: it is made once."""
    world = world_with_stand()
    aged(world)
    ports = world.ports
    ports.stand.hook = raising("trials.begin", Ambiguous("DEADLINE_EXCEEDED"))
    sweep(world, 1)
    ports.stand.hook = lambda _verb, _side: None
    trial = stand_of(world).trial
    assert trial is not None
    ports.clock.advance(MINUTE / 2)
    sweep(world, 1)
    ports.stand.begin(trial, ports.stand.template(trial))

    world.pass_time(2 * MINUTE)

    assert tried(world)[OLD].started_at == trial.at
    assert ports.stand.made.count(OLD) == 1
    assert "start.dropped" not in told(world)


def test_an_answer_that_says_that_the_copy_is_there() -> None:
    """It is ours, from a request whose answer was lost on the way: what comes of it counts."""
    world = world_with_stand()
    aged(world)
    world.ports.stand.hook = raising("trials.begin", Exists("ALREADY_EXISTS"), "after")
    sweep(world, 1)
    world.ports.stand.hook = lambda _verb, _side: None

    world.pass_time(2 * MINUTE)

    assert tried(world)[OLD].started_at is not None
    assert "start.dropped" not in told(world)


def test_which_systems_are_looked_at() -> None:
    """Those that have a stand; of each other kind every one."""
    policies = {"shop": SHOP, "bookshop": BOOKSHOP}

    assert handover.concerned(handover.START, policies) == ["shop"]
    assert handover.concerned(handover.DEPLOYMENT, policies) == ["shop", "bookshop"]


def encode_due(due: handover.Due) -> bytes:
    return (
        f'{{"kind": "{due.kind}", "id": "{due.id}", "due_at": "{due.due_at.isoformat()}"}}'.encode()
    )


def test_a_message_for_a_system_without_a_stand() -> None:
    """Without the key nothing more is started, and what trials told is forgotten."""
    world = world_with_stand("payOrder")
    sweep(world, 2)
    assert set(tried(world)) == {OLD}
    count = len(world.ports.stand.made)
    world.policy = BOOKSHOP
    world.start_instances()
    world.ports.clock.advance(DAY)

    world.publish(
        topics.WORK, encode_due(handover.Due(handover.START, "bookshop", world.ports.clock.now()))
    )
    world.pass_time(5 * MINUTE)

    assert len(world.ports.stand.made) == count
    assert tried(world) == {}


def with_failed_start(*, keeps_sources: bool) -> World:
    """The target's revision of one function is called ready, and did not start on the stand."""
    ports = FakePorts(SHOP)
    if not keeps_sources:
        ports.sources = None  # type: ignore[assignment]
    world = World(policy=SHOP, ports=ports)
    world.pass_time(2 * MINUTE)
    world.ports.world.lose_image("payOrder", told=False)
    aged(world)
    world.pass_time(10 * MINUTE)
    assert tried(world)[OLD].again_at is not None
    return world


def test_a_function_that_did_not_start_goes_back_by_a_rebuild() -> None:
    """As one whose image is gone: no request is led to what does not start."""
    world = with_failed_start(keeps_sources=True)
    world.deploy_bad()

    rollback = roll_back(world)

    assert rollback.status in (Status.WATCHING, Status.SUCCEEDED)
    assert ends(world, "payOrder") == {"redeploy": StepStatus.DONE, "serve": StepStatus.DONE}
    assert rollback.plan is not None
    (why,) = [line for line in rollback.plan.reported if "did not start" in line]
    assert why.startswith(f"payOrder: revision {OLD} did not start (2026-03-03")
    assert back(world) == set(world.live)
    assert world.broken_laws() == []


def test_a_function_that_did_not_start_and_cannot_be_built_again() -> None:
    """As a revision that is not ready: people decide, and are told which it is and why."""
    world = with_failed_start(keeps_sources=False)
    world.deploy_bad()

    rollback = roll_back(world)

    (reason,) = [one["reason"] for one in rollback.gates if one["gate"] == "restorable"]
    assert reason == "1 functions have lost their revision: payOrder (did not start)"
    assert rollback.status is Status.NOT_TAKEN


def with_false_failure() -> World:
    """A copy does not come up, though the revision would; it cannot be built again."""
    ports = FakePorts(SHOP)
    ports.sources = None  # type: ignore[assignment]
    world = World(policy=SHOP, ports=ports)
    world.pass_time(2 * MINUTE)
    ports.stand.unstartable[OLD] = "K_SERVICE is not payorder"
    aged(world)
    world.pass_time(10 * MINUTE)
    world.deploy_bad()
    return world


def test_a_policy_that_names_no_stand_any_more() -> None:
    """What trials told stands in nobody's way from then on, not only from the next proof on."""
    world = with_false_failure()
    world.policy = BOOKSHOP
    world.start_instances()

    assert roll_back(world).status in (Status.WATCHING, Status.SUCCEEDED)
    assert back(world) == set(world.live)
    assert world.broken_laws() == []


def test_a_person_who_knows_that_it_starts() -> None:
    """Break-glass goes back to what did not come up on the stand, where all else is there."""
    world = with_false_failure()
    assert roll_back(world).status is Status.NOT_TAKEN
    about = {"incident": world.incidents()[-1].id, "system": "bookshop", "reason": "it starts"}

    world.command(command="rollback", override=True, **about)
    world.pass_time(20 * MINUTE)

    rollback = world.rollbacks()[-1]
    assert rollback.status in (Status.WATCHING, Status.SUCCEEDED)
    assert rollback.plan is not None
    assert [line for line in rollback.plan.reported if f"{OLD} did not start" in line]
    assert back(world) == set(world.live)
    assert world.broken_laws() == []


def test_151_functions_within_two_hours() -> None:
    """Each once, one at a time, at most two a minute."""
    names = tuple(f"function{number:03d}" for number in range(151))
    policy = replace(SHOP, groups={"all": Group(names)}, probes=())
    world = world_with_stand(*names, policy=policy)
    began = world.ports.clock.now()

    while len(world.ports.stand.made) < len(names):
        sweep(world)
    sweep(world, 2)

    took = world.ports.clock.now() - began
    assert took <= timedelta(hours=2)
    assert len(set(world.ports.stand.made)) == 151
    assert starts.proven(target(world)) == starts.Proven(151, seen=0, made=151)
    per_minute = len(names) / (took / MINUTE)
    assert per_minute <= 2.1
    assert stand.next_due([recorded(world)["v1"]], began) is not None


@pytest.mark.parametrize("error", [Throttled("later"), Moved("no")])
def test_a_refusal_of_a_trial_that_somebody_else_has_ended(error: Exception) -> None:
    """Whoever comes late changes nothing."""
    after: list[stand.Stand] = []
    world = world_with_stand()
    aged(world)

    def others_go_on() -> None:
        world.ports.stand.hook = lambda _verb, _side: None
        world.ports.clock.advance(2 * MINUTE)
        world.start_instances()
        sweep(world, 3)
        after.append(stand_of(world))
        raise error

    world.ports.stand.hook = once("trials.begin", "before", others_go_on)
    sweep(world, 1)

    assert world.ports.stand.made.count(OLD) == 1
    assert tried(world)[OLD].unknown == ""
    assert stand_of(world) == after[0]
