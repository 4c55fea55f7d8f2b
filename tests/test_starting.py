"""Starts that are made on the stand, over the fakes: when, of what, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared import handover, shortened, stand, starts, topics
from shared.documents import encode
from shared.policy import Group
from shared.ports import Put
from shared.severity import Severity
from shared.system import GLOBAL, Controls, Freeze, Pause, System
from tests.deployed import hint, others, recorded
from tests.fakes.hooks import once
from tests.outside import told
from tests.stands import (
    DAY,
    HOUR,
    MINUTE,
    OLD,
    SHOP,
    aged,
    alarms,
    encoded,
    sweep,
    target,
    tried,
    world_with_stand,
)
from tests.world import BOOKSHOP, World


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
    told_of = [one.notice for one in world.ports.sender.sent if ":restorable" in one.key]
    assert {one["severity"] for one in told_of} == {Severity.HIGH}  # it is the target
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


def test_which_systems_are_looked_at() -> None:
    """Those that have a stand; of each other kind every one."""
    policies = {"shop": SHOP, "bookshop": BOOKSHOP}

    assert handover.concerned(handover.START, policies) == ["shop"]
    assert handover.concerned(handover.DEPLOYMENT, policies) == ["shop", "bookshop"]


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
        topics.WORK, encoded(handover.Due(handover.START, "bookshop", world.ports.clock.now()))
    )
    world.pass_time(5 * MINUTE)

    assert len(world.ports.stand.made) == count
    assert tried(world) == {}


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
