"""A fence: nothing writes for a while, and then every function is exactly what it was."""

from datetime import timedelta

import pytest

from shared.core import topics
from shared.core.errors import Unavailable
from shared.domain.data.isolation.write_fence import FenceStatus
from shared.domain.deployments.inventory.traffic import Scaling
from shared.domain.policy.data_rules import FenceRules
from shared.domain.presentation.status_page import ComponentStatus, build_status_page
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.signals.health import ProbeAnswer
from tests.support.data.write_fence import (
    BEFORE,
    MINUTE,
    POLICY,
    RULES,
    WRITERS,
    build_shop_with_fence,
    count_freeze_windows,
    fence_event_names,
    lift_fence,
    other_scalings,
    raise_fence,
    read_fence,
    read_public_states,
    writer_scalings,
)
from tests.support.fakes.runtime.hooks import no_hook
from tests.support.notices.system_events import refusal_reasons


def test_it_stands_once_the_application_is_refused_a_write() -> None:
    """Its writers have no instances, nobody else is touched, and the public reads why."""
    shop = build_shop_with_fence()
    raise_fence(shop)

    fence = read_fence(shop)
    assert fence.status is FenceStatus.STANDING
    assert {name: one.manual for name, one in writer_scalings(shop).items()} == dict.fromkeys(WRITERS, 0)
    assert other_scalings(shop) == {Scaling()}
    assert fence_event_names(shop) == ["fence.raising", "fence.stands"]
    assert "order-status" in shop.ports.prober.asked
    now = shop.now
    seen = build_status_page(POLICY, read_public_states(shop), now - timedelta(days=1), now)
    assert seen.mood is ComponentStatus.TROUBLED
    assert seen.active[0].title == "Maintenance"
    assert "stopped some functions for a short time" in seen.active[0].lines[0].words
    assert count_freeze_windows(shop) == 1


def test_lifted_it_leaves_everything_as_it_was() -> None:
    """To the last number, whatever kind of scaling that was."""
    shop = build_shop_with_fence()
    raise_fence(shop)
    shop.pass_time(10 * MINUTE)
    assert read_fence(shop).status is FenceStatus.STANDING
    lift_fence(shop)
    shop.pass_time(MINUTE)

    assert writer_scalings(shop) == BEFORE
    assert (read_fence(shop).status, read_fence(shop).left) == (FenceStatus.DOWN, ())
    assert fence_event_names(shop) == ["fence.raising", "fence.stands", "fence.falls", "fence.down"]
    assert read_public_states(shop)[0].ended_at is not None
    assert count_freeze_windows(shop) == 0
    assert shop.ports.prober.ask(next(p for p in POLICY.probes if p.name == RULES.canary)).passed


def test_it_falls_by_itself() -> None:
    """At its time, which the policy bounds, with nobody there."""
    shop = build_shop_with_fence()
    raise_fence(shop, expires="2h")
    shop.start_instances()
    shop.pass_time(29 * MINUTE)
    assert read_fence(shop).status is FenceStatus.STANDING
    shop.pass_time(3 * MINUTE)

    assert writer_scalings(shop) == BEFORE
    assert read_fence(shop).why == "its time limit has passed"
    assert read_fence(shop).status is FenceStatus.DOWN


def test_a_shorter_time_is_kept() -> None:
    """As it was asked for."""
    shop = build_shop_with_fence()
    raise_fence(shop, expires="12m")
    shop.pass_time(14 * MINUTE)

    assert read_fence(shop).status is FenceStatus.DOWN


def test_a_canary_that_still_writes_is_no_fence() -> None:
    """It falls when it does not stand in time."""
    shop = build_shop_with_fence()
    shop.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
    raise_fence(shop)
    assert read_fence(shop).status is FenceStatus.RAISING
    shop.pass_time(12 * MINUTE)

    assert writer_scalings(shop) == BEFORE
    assert "still writes" in read_fence(shop).why
    assert "fence.stands" not in fence_event_names(shop)
    assert read_fence(shop).status is FenceStatus.DOWN


@pytest.mark.parametrize("answer", [Unavailable("no network"), ProbeAnswer(False, None, "no answer in time")])
def test_what_gives_no_answer_is_no_refusal(answer: Unavailable | ProbeAnswer) -> None:
    """Unknown is not refused."""
    shop = build_shop_with_fence()
    shop.ports.prober.answers[RULES.canary] = answer
    raise_fence(shop)
    shop.pass_time(2 * MINUTE)

    assert read_fence(shop).status is FenceStatus.RAISING


def test_a_canary_that_writes_again_lets_it_fall() -> None:
    """Whatever lets it do so: nothing more is written behind a fence that keeps nobody out."""
    shop = build_shop_with_fence()
    raise_fence(shop)
    shop.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
    shop.pass_time(MINUTE)

    assert read_fence(shop).status is FenceStatus.FALLING
    assert "order-status writes again" in read_fence(shop).why


@pytest.mark.parametrize("how", ["started", "scaled"])
def test_whoever_starts_a_writer_has_it(how: str) -> None:
    """The fence falls, and what somebody has changed is left."""
    shop = build_shop_with_fence()
    raise_fence(shop)
    theirs = BEFORE["payOrder"] if how == "started" else Scaling(5, 6)
    shop.platform.scale_by_hand("payOrder", theirs)
    shop.pass_time(8 * MINUTE)

    assert read_fence(shop).status is FenceStatus.DOWN
    assert "payOrder" in read_fence(shop).why
    assert writer_scalings(shop) == {**BEFORE, "payOrder": theirs}
    assert read_fence(shop).left == (("payOrder",) if how == "scaled" else ())


@pytest.mark.parametrize("switch", ["pause", "freeze"])
def test_a_switch_lets_it_be_raised_no_further(switch: str) -> None:
    """It falls, which no switch holds up: it is an outage of our own."""
    shop = build_shop_with_fence()
    shop.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
    raise_fence(shop)
    said = {"until": "2036-11-28T20:00:00Z"} if switch == "freeze" else {}
    shop.carry_out(switch, **said)
    shop.pass_time(8 * MINUTE)

    assert read_fence(shop).why == "a person has stopped automation"
    assert writer_scalings(shop) == BEFORE


def test_automation_does_not_answer_what_the_fence_brings_about() -> None:
    """A release before it explains nothing of it; after it, alerts are answered again."""
    shop = build_shop_with_fence()
    shop.deploy_bad(["createOrder"])
    before = shop.live
    raise_fence(shop)
    shop.alert()
    shop.pass_time(10 * MINUTE)
    assert shop.live == before
    assert all(one.plan is None for one in shop.rollbacks())
    answers = [gate for one in shop.rollbacks() for gate in one.gates if gate["gate"] == "freeze"]
    assert "a fence" in answers[-1]["reason"]
    assert writer_scalings(shop)["createOrder"].manual == 0


def test_what_it_brings_about_is_no_regression_of_a_rollback_that_is_watched() -> None:
    """Nobody can see meanwhile whether what came back is well."""
    shop = build_shop_with_fence()
    shop.deploy_bad(["getBook"])
    shop.alert()
    while not shop.rollbacks() or shop.newest_rollback.status is not RollbackStatus.WATCHING:
        shop.pass_time(MINUTE / 2)
    raise_fence(shop)
    assert read_fence(shop).status is FenceStatus.STANDING
    for probe in POLICY.probes:
        shop.ports.prober.answers[probe.name] = ProbeAnswer(False, 503)
    shop.pass_time(12 * MINUTE)

    assert shop.rollbacks()[-1].status is RollbackStatus.SUCCEEDED
    assert "nobody can see whether it is well" in shop.newest_rollback.outcome


def test_people_may_order_behind_it() -> None:
    """What they order is not held up by the fence's own window."""
    shop = build_shop_with_fence()
    shop.deploy_bad(["getBook"])
    raise_fence(shop)
    shop.send_command("rollback", functions=["getBook"], auto_confirm=True)
    shop.pass_time(5 * MINUTE)

    assert [one.status for one in shop.rollbacks()] == ["SUCCEEDED"]
    assert read_fence(shop).status is FenceStatus.STANDING


@pytest.mark.parametrize(
    ("rules", "said", "reason"),
    [
        (None, {}, "declares no invariants"),
        (RULES, {"expires": "2026-03-02T11:00:00Z"}, "is in the past"),
        (RULES, {"expires": "soon"}, "is not a time"),
    ],
)
def test_what_is_refused(rules: FenceRules | None, said: dict[str, str], reason: str) -> None:
    """Nothing is stopped."""
    shop = build_shop_with_fence(rules)
    raise_fence(shop, **said)

    assert reason in refusal_reasons(shop)[0]
    assert writer_scalings(shop) == BEFORE


def test_one_at_a_time() -> None:
    """A second one is refused, and so is lifting what does not stand."""
    shop = build_shop_with_fence()
    lift_fence(shop)
    raise_fence(shop)
    raise_fence(shop)

    assert refusal_reasons(shop)[0] == "bookshop has no fence"
    assert "is STANDING since" in refusal_reasons(shop)[1]
    lift_fence(shop)
    lift_fence(shop)
    shop.pass_time(8 * MINUTE)
    raise_fence(shop)
    assert read_fence(shop).status is FenceStatus.STANDING


def test_a_rollback_that_brings_functions_back_comes_first() -> None:
    """Both would change the same services."""
    shop = build_shop_with_fence()
    shop.deploy_bad()
    shop.alert()
    while not any(one.status == "RUNNING" for one in shop.rollbacks()):
        published = shop.waiting()[0]
        shop.ports.bus.messages.remove(published)
        if published.topic == topics.WORK:
            shop.platform.hook = _die_after_a_shift
        try:
            shop.deliver(published)
        except _Stopped:
            break
    shop.platform.hook = no_hook
    shop.send_command("fence")
    shop.deliver_commands()

    assert "is restoring functions" in refusal_reasons(shop)[0]


class _Stopped(BaseException):
    """The worker is dead."""


def _die_after_a_shift(verb: str, side: str) -> None:
    if (verb, side) == ("platform.shift", "after"):
        raise _Stopped


def test_a_writer_that_cannot_be_stopped_is_no_fence() -> None:
    """One of the first generation has no service: nothing is stopped at all."""
    shop = build_shop_with_fence()
    shop.platform.delete_function("payOrder")
    raise_fence(shop)
    shop.pass_time(MINUTE)

    assert "payOrder cannot be stopped" in read_fence(shop).why
    assert read_fence(shop).status is FenceStatus.DOWN
    services = shop.platform.services()
    assert {one.scaling.manual for one in services.values()} == {None}
    assert read_public_states(shop) == []


def test_unfreeze_leaves_its_window() -> None:
    """It goes with the fence, or automation would answer what the fence brings about."""
    shop = build_shop_with_fence()
    raise_fence(shop)
    shop.carry_out("unfreeze")

    assert count_freeze_windows(shop) == 1
    lift_fence(shop)
    shop.pass_time(8 * MINUTE)
    assert count_freeze_windows(shop) == 0
