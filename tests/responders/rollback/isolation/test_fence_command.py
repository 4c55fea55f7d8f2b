"""A fence: nothing writes for a while, and then every function is exactly what it was."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.core import topics
from shared.core.errors import Unavailable
from shared.domain.data.isolation.write_fence import FenceStatus
from shared.domain.deployments.inventory.traffic import Scaling
from shared.domain.policy.data_rules import FenceRules
from shared.domain.presentation.status_page import Mood, view
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.signals.health import ProbeAnswer
from tests.support.data.write_fence import (
    BEFORE,
    MINUTE,
    POLICY,
    RULES,
    WRITERS,
    fence_of,
    lift,
    others,
    public,
    raise_it,
    scalings,
    told,
    windows,
    world,
)
from tests.support.fakes.runtime.hooks import no_hook
from tests.support.notices.system_events import refusals


def test_it_stands_once_the_application_is_refused_a_write() -> None:
    """Its writers have no instances, nobody else is touched, and the public reads why."""
    shop = world()
    raise_it(shop)

    fence = fence_of(shop)
    assert fence.status is FenceStatus.STANDING
    assert {name: one.manual for name, one in scalings(shop).items()} == dict.fromkeys(WRITERS, 0)
    assert others(shop) == {Scaling()}
    assert told(shop) == ["fence.raising", "fence.stands"]
    assert "order-status" in shop.ports.prober.asked
    now = shop.ports.clock.now()
    seen = view(POLICY, public(shop), now - timedelta(days=1), now)
    assert seen.mood is Mood.TROUBLED
    assert seen.active[0].title == "Maintenance"
    assert "stopped for a short while" in seen.active[0].lines[0].words
    assert windows(shop) == 1


def test_lifted_it_leaves_everything_as_it_was() -> None:
    """To the last number, whatever kind of scaling that was."""
    shop = world()
    raise_it(shop)
    shop.pass_time(10 * MINUTE)
    assert fence_of(shop).status is FenceStatus.STANDING
    lift(shop)
    shop.pass_time(MINUTE)

    assert scalings(shop) == BEFORE
    assert (fence_of(shop).status, fence_of(shop).left) == (FenceStatus.DOWN, ())
    assert told(shop) == ["fence.raising", "fence.stands", "fence.falls", "fence.down"]
    assert public(shop)[0].ended_at is not None
    assert windows(shop) == 0
    assert shop.ports.prober.ask(next(p for p in POLICY.probes if p.name == RULES.canary)).passed


def test_it_falls_by_itself() -> None:
    """At its time, which the policy bounds, with nobody there."""
    shop = world()
    raise_it(shop, expires="2h")
    shop.start_instances()
    shop.pass_time(29 * MINUTE)
    assert fence_of(shop).status is FenceStatus.STANDING
    shop.pass_time(3 * MINUTE)

    assert scalings(shop) == BEFORE
    assert fence_of(shop).why == "its time is over"
    assert fence_of(shop).status is FenceStatus.DOWN


def test_a_shorter_time_is_kept() -> None:
    """As it was asked for."""
    shop = world()
    raise_it(shop, expires="12m")
    shop.pass_time(14 * MINUTE)

    assert fence_of(shop).status is FenceStatus.DOWN


def test_a_canary_that_still_writes_is_no_fence() -> None:
    """It falls when it does not stand in time."""
    shop = world()
    shop.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
    raise_it(shop)
    assert fence_of(shop).status is FenceStatus.RAISING
    shop.pass_time(12 * MINUTE)

    assert scalings(shop) == BEFORE
    assert "still writes" in fence_of(shop).why
    assert "fence.stands" not in told(shop)
    assert fence_of(shop).status is FenceStatus.DOWN


@pytest.mark.parametrize(
    "answer", [Unavailable("no network"), ProbeAnswer(False, None, "no answer in time")]
)
def test_what_gives_no_answer_is_no_refusal(answer: Unavailable | ProbeAnswer) -> None:
    """Unknown is not refused."""
    shop = world()
    shop.ports.prober.answers[RULES.canary] = answer
    raise_it(shop)
    shop.pass_time(2 * MINUTE)

    assert fence_of(shop).status is FenceStatus.RAISING


def test_a_canary_that_writes_again_lets_it_fall() -> None:
    """Whatever lets it do so: nothing more is written behind a fence that keeps nobody out."""
    shop = world()
    raise_it(shop)
    shop.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
    shop.pass_time(MINUTE)

    assert fence_of(shop).status is FenceStatus.FALLING
    assert "order-status writes again" in fence_of(shop).why


@pytest.mark.parametrize("how", ["started", "scaled"])
def test_whoever_starts_a_writer_has_it(how: str) -> None:
    """The fence falls, and what somebody has changed is left."""
    shop = world()
    raise_it(shop)
    theirs = BEFORE["payOrder"] if how == "started" else Scaling(5, 6)
    shop.ports.world.scale_by_hand("payOrder", theirs)
    shop.pass_time(8 * MINUTE)

    assert fence_of(shop).status is FenceStatus.DOWN
    assert "payOrder" in fence_of(shop).why
    assert scalings(shop) == {**BEFORE, "payOrder": theirs}
    assert fence_of(shop).left == (("payOrder",) if how == "scaled" else ())


@pytest.mark.parametrize("switch", ["pause", "freeze"])
def test_a_switch_lets_it_be_raised_no_further(switch: str) -> None:
    """It falls, which no switch holds up: it is an outage of our own."""
    shop = world()
    shop.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
    raise_it(shop)
    said = {"until": "2036-11-28T20:00:00Z"} if switch == "freeze" else {}
    shop.command(command=switch, system="bookshop", **said)
    shop.settle()
    shop.pass_time(8 * MINUTE)

    assert fence_of(shop).why == "a person has stopped automation"
    assert scalings(shop) == BEFORE


def test_automation_does_not_answer_what_the_fence_brings_about() -> None:
    """A release before it explains nothing of it; after it, alerts are answered again."""
    shop = world()
    shop.deploy_bad(["createOrder"])
    before = shop.live
    raise_it(shop)
    shop.alert()
    shop.pass_time(10 * MINUTE)
    assert shop.live == before
    assert all(one.plan is None for one in shop.rollbacks())
    answers = [gate for one in shop.rollbacks() for gate in one.gates if gate["gate"] == "freeze"]
    assert "a fence" in answers[-1]["reason"]
    assert scalings(shop)["createOrder"].manual == 0


def test_what_it_brings_about_is_no_regression_of_a_rollback_that_is_watched() -> None:
    """Nobody can see meanwhile whether what came back is well."""
    shop = world()
    shop.deploy_bad(["getBook"])
    shop.alert()
    while not shop.rollbacks() or shop.rollbacks()[-1].status is not RollbackStatus.WATCHING:
        shop.pass_time(MINUTE / 2)
    raise_it(shop)
    assert fence_of(shop).status is FenceStatus.STANDING
    for probe in POLICY.probes:
        shop.ports.prober.answers[probe.name] = ProbeAnswer(False, 503)
    shop.pass_time(12 * MINUTE)

    assert shop.rollbacks()[-1].status is RollbackStatus.SUCCEEDED
    assert "nobody can see whether it is well" in shop.rollbacks()[-1].outcome


def test_people_may_order_behind_it() -> None:
    """What they order is not held up by the fence's own window."""
    shop = world()
    shop.deploy_bad(["getBook"])
    raise_it(shop)
    shop.command(command="rollback", system="bookshop", functions=["getBook"], auto_confirm=True)
    shop.pass_time(5 * MINUTE)

    assert [one.status for one in shop.rollbacks()] == ["SUCCEEDED"]
    assert fence_of(shop).status is FenceStatus.STANDING


@pytest.mark.parametrize(
    ("rules", "said", "reason"),
    [
        (None, {}, "declares no invariants"),
        (RULES, {"expires": "2026-03-02T11:00:00Z"}, "is over"),
        (RULES, {"expires": "soon"}, "is not a time"),
    ],
)
def test_what_is_refused(rules: FenceRules | None, said: dict[str, str], reason: str) -> None:
    """Nothing is stopped."""
    shop = world(rules)
    raise_it(shop, **said)

    assert reason in refusals(shop)[0]
    assert scalings(shop) == BEFORE


def test_one_at_a_time() -> None:
    """A second one is refused, and so is lifting what does not stand."""
    shop = world()
    lift(shop)
    raise_it(shop)
    raise_it(shop)

    assert refusals(shop)[0] == "bookshop has no fence"
    assert "is STANDING since" in refusals(shop)[1]
    lift(shop)
    lift(shop)
    shop.pass_time(8 * MINUTE)
    raise_it(shop)
    assert fence_of(shop).status is FenceStatus.STANDING


def test_a_rollback_that_brings_functions_back_comes_first() -> None:
    """Both would change the same services."""
    shop = world()
    shop.deploy_bad()
    shop.alert()
    while not any(one.status == "RUNNING" for one in shop.rollbacks()):
        published = shop.waiting()[0]
        shop.ports.bus.messages.remove(published)
        if published.topic == topics.WORK:
            shop.ports.world.hook = _die_after_a_shift
        try:
            shop.deliver(published)
        except _Stopped:
            break
    shop.ports.world.hook = no_hook
    shop.command(command="fence", system="bookshop")
    shop.deliver_commands()

    assert "is bringing functions back" in refusals(shop)[0]


class _Stopped(BaseException):
    """The worker is dead."""


def _die_after_a_shift(verb: str, side: str) -> None:
    if (verb, side) == ("platform.shift", "after"):
        raise _Stopped


def test_a_writer_that_cannot_be_stopped_is_no_fence() -> None:
    """One of the first generation has no service: nothing is stopped at all."""
    shop = world()
    shop.ports.world.delete_function("payOrder")
    raise_it(shop)
    shop.pass_time(MINUTE)

    assert "payOrder cannot be stopped" in fence_of(shop).why
    assert fence_of(shop).status is FenceStatus.DOWN
    services = shop.ports.world.services()
    assert {one.scaling.manual for one in services.values()} == {None}
    assert public(shop) == []


def test_unfreeze_leaves_its_window() -> None:
    """It goes with the fence, or automation would answer what the fence brings about."""
    shop = world()
    raise_it(shop)
    shop.command(command="unfreeze", system="bookshop")
    shop.settle()

    assert windows(shop) == 1
    lift(shop)
    shop.pass_time(8 * MINUTE)
    assert windows(shop) == 0
