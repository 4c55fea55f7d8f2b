"""A fence: nothing writes for a while, and then every function is exactly what it was."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared import fence as fences
from shared import incident, topics
from shared.audience import Channel, ChannelKind
from shared.documents import decode
from shared.errors import Moved, Rejected, Throttled, Unavailable
from shared.fence import Fence, Status
from shared.health import ProbeAnswer
from shared.incident import PublicState
from shared.integrity_rules import FenceRules
from shared.platform import Platform
from shared.ports import Query
from shared.rollback import Status as RollbackStatus
from shared.severity import Severity
from shared.status_page import Mood, view
from shared.system import System, frozen
from shared.traffic import Scaling, Service
from tests import outside
from tests.crash import quick
from tests.fakes.hooks import Hook, no_hook
from tests.outside import refusals
from tests.world import World

MINUTE = timedelta(minutes=1)
RULES = FenceRules(
    invariants=("an order is paid once",), writers=("checkout",), canary="order-status"
)
POLICY = replace(quick(), fence=RULES)
WRITERS = ("createOrder", "orderStatus", "payOrder")
BEFORE = {
    "createOrder": Scaling(1, 20),
    "orderStatus": Scaling(),
    "payOrder": Scaling(0, 0, 3),
}
"""What their instances were: each of another kind."""


def world(rules: FenceRules | None = RULES, hook: Hook = no_hook) -> World:
    made = World(hook, replace(POLICY, fence=rules))
    for name, scaling in BEFORE.items():
        made.ports.world.services()[name].scaling = scaling
    return made


def scalings(shop: World) -> dict[str, Scaling]:
    return {name: shop.ports.world.services()[name].scaling for name in WRITERS}


def others(shop: World) -> set[Scaling]:
    services = shop.ports.world.services()
    return {one.scaling for name, one in services.items() if name not in WRITERS}


def fence_of(shop: World) -> Fence:
    return decode(Fence, shop.ports.store.get(fences.path("bookshop")).fields)


def raise_it(shop: World, **said: Any) -> None:
    shop.command(command="fence", system="bookshop", **said)
    shop.settle()


def lift(shop: World) -> None:
    shop.command(command="lift-fence", system="bookshop")
    shop.settle()


def told(shop: World) -> list[str]:
    return outside.told(shop, "fence.")


def notified(shop: World) -> list[str]:
    return outside.notified(shop, "fence.")


def public(shop: World) -> list[PublicState]:
    found = shop.ports.store.query(Query(incident.public_history("bookshop")))
    return [decode(PublicState, one.fields) for one in found]


def windows(shop: World) -> int:
    return len(decode(System, shop.ports.store.get("systems/bookshop").fields).freezes)


def test_it_stands_once_the_application_is_refused_a_write() -> None:
    """Its writers have no instances, nobody else is touched, and the public reads why."""
    shop = world()
    raise_it(shop)

    fence = fence_of(shop)
    assert fence.status is Status.STANDING
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
    assert fence_of(shop).status is Status.STANDING
    lift(shop)
    shop.pass_time(MINUTE)

    assert scalings(shop) == BEFORE
    assert (fence_of(shop).status, fence_of(shop).left) == (Status.DOWN, ())
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
    assert fence_of(shop).status is Status.STANDING
    shop.pass_time(3 * MINUTE)

    assert scalings(shop) == BEFORE
    assert fence_of(shop).why == "its time is over"
    assert fence_of(shop).status is Status.DOWN


def test_a_shorter_time_is_kept() -> None:
    """As it was asked for."""
    shop = world()
    raise_it(shop, expires="12m")
    shop.pass_time(14 * MINUTE)

    assert fence_of(shop).status is Status.DOWN


def test_a_canary_that_still_writes_is_no_fence() -> None:
    """It falls when it does not stand in time."""
    shop = world()
    shop.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
    raise_it(shop)
    assert fence_of(shop).status is Status.RAISING
    shop.pass_time(12 * MINUTE)

    assert scalings(shop) == BEFORE
    assert "still writes" in fence_of(shop).why
    assert "fence.stands" not in told(shop)
    assert fence_of(shop).status is Status.DOWN


@pytest.mark.parametrize(
    "answer", [Unavailable("no network"), ProbeAnswer(False, None, "no answer in time")]
)
def test_what_gives_no_answer_is_no_refusal(answer: Unavailable | ProbeAnswer) -> None:
    """Unknown is not refused."""
    shop = world()
    shop.ports.prober.answers[RULES.canary] = answer
    raise_it(shop)
    shop.pass_time(2 * MINUTE)

    assert fence_of(shop).status is Status.RAISING


@pytest.mark.parametrize("how", ["started", "scaled"])
def test_whoever_starts_a_writer_has_it(how: str) -> None:
    """The fence falls, and what somebody has changed is left."""
    shop = world()
    raise_it(shop)
    theirs = BEFORE["payOrder"] if how == "started" else Scaling(5, 6)
    shop.ports.world.scale_by_hand("payOrder", theirs)
    shop.pass_time(8 * MINUTE)

    assert fence_of(shop).status is Status.DOWN
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


@pytest.mark.parametrize("failure", [Throttled("429"), Unavailable("no answer"), Moved("etag")])
def test_what_the_platform_refuses_is_asked_again(failure: Exception) -> None:
    """Up and down."""
    refused: list[str] = []

    def hook(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "before") and len(refused) % 3 < 2:
            refused.append(verb)
            raise failure
        if (verb, side) == ("platform.shift", "before"):
            refused.append(verb)

    shop = world()
    shop.ports.world.hook = hook
    raise_it(shop)
    shop.pass_time(2 * MINUTE)
    assert fence_of(shop).status is Status.STANDING
    lift(shop)
    shop.pass_time(8 * MINUTE)

    assert fence_of(shop).status is Status.DOWN
    assert scalings(shop) == BEFORE


def test_a_fence_that_does_not_fall_is_told_loudly() -> None:
    """Once, on every channel of the team, with what the instances were; tried until it falls."""
    shop = world()
    low = Channel("low", ChannelKind.RECORDING, severities=(Severity.LOW,))
    shop.policy = replace(shop.policy, channels=(*shop.policy.channels, low))
    shop.start_instances()
    raise_it(shop)
    broken = True

    def hook(verb: str, side: str) -> None:
        if broken and (verb, side) == ("platform.shift", "before"):
            raise Rejected("PERMISSION_DENIED: run.services.update")

    shop.ports.world.hook = hook
    lift(shop)
    shop.pass_time(20 * MINUTE)

    assert fence_of(shop).status is Status.FALLING
    [loud] = [one for one in notified(shop) if "DOES NOT FALL" in one]
    assert "run.services.update" in loud
    assert "createOrder: its instances were 1 to 20" in loud
    heard = [one.fields for one in shop.ports.store.query(Query("notices")) if one.fields]
    events = [str(one["event"]) for one in heard if one["channel"] == "low"]
    assert [one for one in events if one.startswith("fence.")] == ["fence.stuck"]
    broken = False
    shop.pass_time(2 * MINUTE)
    assert fence_of(shop).status is Status.DOWN
    assert scalings(shop) == BEFORE


def test_a_fence_that_does_not_fall_keeps_no_worker_busy() -> None:
    """Once people were told, it is looked at as often as the clock hands it on, and no more."""
    shop = world()
    raise_it(shop)
    sent: list[str] = []

    def refuses(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "before"):
            sent.append(verb)
            raise Rejected("PERMISSION_DENIED: run.services.update")

    shop.ports.world.hook = refuses
    lift(shop)
    shop.pass_time(10 * MINUTE)
    assert told(shop)[-1] == "fence.stuck"
    sent.clear()
    shop.pass_time(10 * MINUTE)

    assert 10 <= len(sent) / len(WRITERS) <= 20


def test_a_writer_that_does_not_start_is_told_loudly() -> None:
    """The platform has taken what was asked for, and nothing comes of it."""
    shop = world()
    raise_it(shop)
    shop.ports.world.operation_latency = timedelta(days=1)
    lift(shop)
    shop.pass_time(20 * MINUTE)

    assert fence_of(shop).status is Status.FALLING
    [loud] = [one for one in notified(shop) if "DOES NOT FALL" in one]
    assert "instances start" in loud


def test_a_writer_that_may_not_be_looked_at_is_not_gone() -> None:
    """Its instances are still ours to bring back; until then automation is held, and it is told."""
    shop = world()
    raise_it(shop)
    lift(shop)

    def forbidden(verb: str, side: str) -> None:
        if (verb, side) == ("platform.service", "before"):
            raise Rejected("PERMISSION_DENIED: run.services.get")

    shop.ports.world.hook = forbidden
    shop.pass_time(45 * MINUTE)
    assert fence_of(shop).status is Status.FALLING
    assert told(shop)[-1] == "fence.stuck"
    system = decode(System, shop.ports.store.get("systems/bookshop").fields)
    assert frozen(system.freezes, shop.ports.clock.now()) is not None

    shop.ports.world.hook = no_hook
    shop.pass_time(2 * MINUTE)
    assert (fence_of(shop).status, fence_of(shop).left) == (Status.DOWN, ())
    assert scalings(shop) == BEFORE


@pytest.mark.parametrize("has_policy", [True, False])
def test_one_writer_that_may_not_be_looked_at_holds_up_no_other(has_policy: bool) -> None:
    """The others have their instances back; that one is asked for again, and people are told."""
    shop = world()
    raise_it(shop)
    services = shop.ports.services
    look = services.service

    def forbidden(name: str) -> Service:
        if name.endswith("payorder"):
            raise Rejected("PERMISSION_DENIED: run.services.get")
        return look(name)

    services.service = forbidden  # type: ignore[method-assign]
    if not has_policy:
        without_policy(shop)
    else:
        lift(shop)
    shop.pass_time(15 * MINUTE)

    assert fence_of(shop).status is Status.FALLING
    assert "run.services.get" in fence_of(shop).waiting
    assert {**scalings(shop), "payOrder": None} == {**BEFORE, "payOrder": None}
    assert scalings(shop)["payOrder"] != BEFORE["payOrder"]
    services.service = look  # type: ignore[method-assign]
    shop.pass_time(2 * MINUTE)
    assert fence_of(shop).status is Status.DOWN
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
    assert fence_of(shop).status is Status.STANDING
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
    assert fence_of(shop).status is Status.STANDING


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
    assert fence_of(shop).status is Status.STANDING


def test_a_rollback_that_brings_functions_back_comes_first() -> None:
    """Both would change the same services."""
    shop = world()
    shop.deploy_bad()
    shop.alert()
    while not any(one.status == "RUNNING" for one in shop.rollbacks()):
        published = shop.waiting()[0]
        shop.ports.bus.messages.remove(published)
        if published.topic == topics.WORK:
            shop.ports.world.hook = _stop_after(shop)
        try:
            shop.deliver(published)
        except _Stopped:
            break
    shop.ports.world.hook = no_hook
    shop.command(command="fence", system="bookshop")
    [said] = [one for one in shop.waiting() if one.topic == topics.COMMANDS]
    shop.ports.bus.messages.remove(said)
    shop.deliver(said)

    assert "is bringing functions back" in refusals(shop)[0]


class _Stopped(BaseException):
    """The worker is dead."""


def _stop_after(shop: World) -> Hook:
    def hook(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "after"):
            raise _Stopped

    return hook


def test_a_writer_that_cannot_be_stopped_is_no_fence() -> None:
    """One of the first generation has no service: nothing is stopped at all."""
    shop = world()
    shop.ports.world.delete_function("payOrder")
    raise_it(shop)
    shop.pass_time(MINUTE)

    assert "payOrder cannot be stopped" in fence_of(shop).why
    assert fence_of(shop).status is Status.DOWN
    services = shop.ports.world.services()
    assert {one.scaling.manual for one in services.values()} == {None}
    assert public(shop) == []


def test_a_request_that_lands_after_the_fence_was_lifted() -> None:
    """A worker stands still with it in hand: it is found, and taken back."""
    shop = world()
    stalled: list[str] = []

    def stall(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "before") and not stalled:
            stalled.append(verb)
            instances = shop.responders
            shop.start_instances()
            lift(shop)
            shop.pass_time(2 * MINUTE)
            shop.responders = instances

    shop.ports.world.hook = stall
    raise_it(shop)
    assert stalled
    assert scalings(shop) != BEFORE
    shop.pass_time(8 * MINUTE)

    assert fence_of(shop).status is Status.DOWN
    assert scalings(shop) == BEFORE


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


def test_the_policy_names_other_writers_now() -> None:
    """What it stops is not what is declared: it falls, and everything is as it was."""
    shop = world()
    raise_it(shop)
    shop.policy = replace(POLICY, fence=replace(RULES, writers=("checkout", "catalogue")))
    shop.start_instances()
    shop.pass_time(8 * MINUTE)

    assert fence_of(shop).why == "the policy declares other writers now"
    assert fence_of(shop).status is Status.DOWN
    assert scalings(shop) == BEFORE


def without_policy(shop: World) -> None:
    """The policy file is gone; another system's is there."""
    shop.policy = replace(POLICY, system="library", project="library", fence=None)
    shop.start_instances()
    known = shop.ports.platform

    def platform(system: str) -> Platform:
        if system != "library":
            raise KeyError(system)
        return known(system)

    shop.ports.platform = platform  # type: ignore[method-assign]  # as the wiring answers


@pytest.mark.parametrize("canary", ["writes", "is refused"])
def test_it_falls_without_its_policy(canary: str) -> None:
    """By what it has on record; the people of whoever has a policy are told."""
    shop = world()
    if canary == "writes":
        shop.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
    raise_it(shop)
    assert scalings(shop) != BEFORE
    without_policy(shop)
    shop.pass_time(8 * MINUTE)
    shop.policy = POLICY

    assert fence_of(shop).status is Status.DOWN
    assert fence_of(shop).why == "bookshop has no policy any more"
    assert (scalings(shop), windows(shop)) == (BEFORE, 0)
    assert told(shop)[-2:] == ["fence.falls", "fence.down"]
    heard = [one.notice["text"] for one in shop.ports.sender.sent if ":fence.down:" in one.key]
    assert heard
    assert "bookshop: the fence is down" in heard[0]
    assert public(shop)[0].ended_at is not None
    assert refusals(shop) == []


def test_it_goes_on_falling_without_its_policy() -> None:
    """It was lifted, and the file removed before it was down."""
    shop = world()
    raise_it(shop)
    shop.command(command="lift-fence", system="bookshop")
    [said] = [one for one in shop.waiting() if one.topic == topics.COMMANDS]
    shop.ports.bus.messages.remove(said)
    shop.deliver(said)
    assert fence_of(shop).status is Status.FALLING
    without_policy(shop)
    shop.pass_time(8 * MINUTE)

    assert fence_of(shop).status is Status.DOWN
    assert scalings(shop) == BEFORE


def test_a_fence_that_may_not_be_let_fall_without_its_policy() -> None:
    """Its project has taken the rights back: people read which service had which instances."""
    shop = world()
    raise_it(shop)

    def forbidden(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "before"):
            raise Rejected("PERMISSION_DENIED: run.services.update")

    shop.ports.world.hook = forbidden
    without_policy(shop)
    shop.pass_time(8 * MINUTE)

    assert fence_of(shop).status is Status.FALLING
    [loud] = {one.notice["text"] for one in shop.ports.sender.sent if "fence.stuck" in one.key}
    assert "PERMISSION_DENIED" in loud
    service = fence_of(shop).writers[0].service
    assert f"createOrder: its instances were 1 to 20 ({service})" in loud
    assert service.startswith("projects/")
