"""Starts on a stand that others change, that Google refuses, or of which there is no answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from shared import handover, stand, starts, topics
from shared.errors import Ambiguous, Exists, Moved, Rejected, Throttled, Unavailable
from shared.execution import WriteQuota
from tests.deployed import hint
from tests.fakes.hooks import once, raising
from tests.outside import told
from tests.stands import (
    DAY,
    HOUR,
    MINUTE,
    NAME,
    OLD,
    aged,
    alarms,
    encoded,
    stand_of,
    sweep,
    target,
    tried,
    world_with_stand,
)
from tests.world import World


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
        world.publish(topics.WORK, encoded(due))
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
        topics.WORK, encoded(handover.Due(handover.START, "bookshop", world.ports.clock.now()))
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
