"""A fence that falls: whatever holds it up, it is told, and in the end all is as it was."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core.codec import decode
from shared.core.errors import Moved, Rejected, Throttled, Unavailable
from shared.core.store import Query
from shared.domain.data.isolation.write_fence import FenceStatus
from shared.domain.deployments.inventory.traffic import Service
from shared.domain.policy.channels import Channel, ChannelKind
from shared.domain.policy.severity import Severity
from shared.domain.signals.health import ProbeAnswer
from shared.domain.system_record import System, active_freeze
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
    notified_events,
    raise_fence,
    read_fence,
    read_public_states,
    remove_policy,
    writer_scalings,
)
from tests.support.fakes.runtime.hooks import no_hook, raise_error
from tests.support.notices.system_events import refusal_reasons
from tests.support.runtime.world import World


def refuse_scaling(shop: World) -> list[str]:
    """The platform lets nobody scale a writer from now on; each attempt is taken down."""
    sent: list[str] = []

    def refuses(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "before"):
            sent.append(verb)
            raise Rejected("PERMISSION_DENIED: run.services.update")

    shop.platform.hook = refuses
    return sent


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

    shop = build_shop_with_fence()
    shop.platform.hook = hook
    raise_fence(shop)
    shop.pass_time(2 * MINUTE)
    assert read_fence(shop).status is FenceStatus.STANDING
    lift_fence(shop)
    shop.pass_time(8 * MINUTE)

    assert read_fence(shop).status is FenceStatus.DOWN
    assert writer_scalings(shop) == BEFORE


def test_a_fence_that_does_not_fall_is_told_loudly() -> None:
    """Once, on every channel of the team, with what the instances were; tried until it falls."""
    shop = build_shop_with_fence()
    low = Channel("low", ChannelKind.RECORDING, severities=(Severity.LOW,))
    shop.policy = replace(shop.policy, channels=(*shop.policy.channels, low))
    shop.start_instances()
    raise_fence(shop)
    refuse_scaling(shop)
    lift_fence(shop)
    shop.pass_time(20 * MINUTE)

    assert read_fence(shop).status is FenceStatus.FALLING
    [loud] = [one for one in notified_events(shop) if "DOES NOT FALL" in one]
    assert "run.services.update" in loud
    assert "createOrder: its instances were 1 to 20" in loud
    heard = [one.fields for one in shop.store.query(Query("notices")) if one.fields]
    events = [str(one["event"]) for one in heard if one["channel"] == "low"]
    assert [one for one in events if one.startswith("fence.")] == ["fence.stuck"]
    shop.platform.hook = no_hook
    shop.pass_time(2 * MINUTE)
    assert read_fence(shop).status is FenceStatus.DOWN
    assert writer_scalings(shop) == BEFORE


def test_a_fence_that_does_not_fall_keeps_no_worker_busy() -> None:
    """Once people were told, it is looked at as often as the clock hands it on, and no more."""
    shop = build_shop_with_fence()
    raise_fence(shop)
    sent = refuse_scaling(shop)
    lift_fence(shop)
    shop.pass_time(10 * MINUTE)
    assert fence_event_names(shop)[-1] == "fence.stuck"
    sent.clear()
    shop.pass_time(10 * MINUTE)

    assert 10 <= len(sent) / len(WRITERS) <= 20


def test_a_writer_that_does_not_start_is_told_loudly() -> None:
    """The platform has taken what was asked for, and nothing comes of it."""
    shop = build_shop_with_fence()
    raise_fence(shop)
    shop.platform.operation_latency = timedelta(days=1)
    lift_fence(shop)
    shop.pass_time(20 * MINUTE)

    assert read_fence(shop).status is FenceStatus.FALLING
    [loud] = [one for one in notified_events(shop) if "DOES NOT FALL" in one]
    assert "instances are starting" in loud


def test_a_writer_that_may_not_be_looked_at_is_not_gone() -> None:
    """Its instances are still ours to bring back; until then automation is held, and it is told."""
    shop = build_shop_with_fence()
    raise_fence(shop)
    lift_fence(shop)
    shop.platform.hook = raise_error("platform.service", Rejected("PERMISSION_DENIED: run.services.get"))
    shop.pass_time(45 * MINUTE)
    assert read_fence(shop).status is FenceStatus.FALLING
    assert fence_event_names(shop)[-1] == "fence.stuck"
    system = decode(System, shop.store.get("systems/bookshop").fields)
    assert active_freeze(system.freezes, shop.now) is not None

    shop.platform.hook = no_hook
    shop.pass_time(2 * MINUTE)
    assert (read_fence(shop).status, read_fence(shop).left) == (FenceStatus.DOWN, ())
    assert writer_scalings(shop) == BEFORE


@pytest.mark.parametrize("has_policy", [True, False])
def test_one_writer_that_may_not_be_looked_at_holds_up_no_other(has_policy: bool) -> None:
    """The others have their instances back; that one is asked for again, and people are told."""
    shop = build_shop_with_fence()
    raise_fence(shop)
    services = shop.ports.services
    look = services.service

    def forbidden(name: str) -> Service:
        if name.endswith("payorder"):
            raise Rejected("PERMISSION_DENIED: run.services.get")
        return look(name)

    services.service = forbidden  # type: ignore[method-assign]
    if not has_policy:
        remove_policy(shop)
    else:
        lift_fence(shop)
    shop.pass_time(15 * MINUTE)

    assert read_fence(shop).status is FenceStatus.FALLING
    assert "run.services.get" in read_fence(shop).waiting
    assert {**writer_scalings(shop), "payOrder": None} == {**BEFORE, "payOrder": None}
    assert writer_scalings(shop)["payOrder"] != BEFORE["payOrder"]
    services.service = look  # type: ignore[method-assign]
    shop.pass_time(2 * MINUTE)
    assert read_fence(shop).status is FenceStatus.DOWN
    assert writer_scalings(shop) == BEFORE


def test_a_request_that_lands_after_the_fence_was_lifted() -> None:
    """A worker stands still with it in hand: it is found, and taken back."""
    shop = build_shop_with_fence()
    stalled: list[str] = []

    def stall(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "before") and not stalled:
            stalled.append(verb)
            instances = shop.responders
            shop.start_instances()
            lift_fence(shop)
            shop.pass_time(2 * MINUTE)
            shop.responders = instances

    shop.platform.hook = stall
    raise_fence(shop)
    assert stalled
    assert writer_scalings(shop) != BEFORE
    shop.pass_time(8 * MINUTE)

    assert read_fence(shop).status is FenceStatus.DOWN
    assert writer_scalings(shop) == BEFORE


def test_the_policy_names_other_writers_now() -> None:
    """What it stops is not what is declared: it falls, and everything is as it was."""
    shop = build_shop_with_fence()
    raise_fence(shop)
    shop.policy = replace(POLICY, fence=replace(RULES, writers=("checkout", "catalogue")))
    shop.start_instances()
    shop.pass_time(8 * MINUTE)

    assert read_fence(shop).why == "the policy declares other writers now"
    assert read_fence(shop).status is FenceStatus.DOWN
    assert writer_scalings(shop) == BEFORE


@pytest.mark.parametrize("canary", ["writes", "is refused"])
def test_it_falls_without_its_policy(canary: str) -> None:
    """By what it has on record; the people of whoever has a policy are told."""
    shop = build_shop_with_fence()
    if canary == "writes":
        shop.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
    raise_fence(shop)
    assert writer_scalings(shop) != BEFORE
    remove_policy(shop)
    shop.pass_time(8 * MINUTE)
    shop.policy = POLICY

    assert read_fence(shop).status is FenceStatus.DOWN
    assert read_fence(shop).why == "bookshop has no policy any more"
    assert (writer_scalings(shop), count_freeze_windows(shop)) == (BEFORE, 0)
    assert fence_event_names(shop)[-2:] == ["fence.falls", "fence.down"]
    heard = [one.notice["text"] for one in shop.sent_notices if ":fence.down:" in one.key]
    assert heard
    assert "bookshop: the fence is down" in heard[0]
    assert read_public_states(shop)[0].ended_at is not None
    assert refusal_reasons(shop) == []


def test_it_goes_on_falling_without_its_policy() -> None:
    """It was lifted, and the file removed before it was down."""
    shop = build_shop_with_fence()
    raise_fence(shop)
    shop.send_command("lift-fence")
    shop.deliver_commands()
    assert read_fence(shop).status is FenceStatus.FALLING
    remove_policy(shop)
    shop.pass_time(8 * MINUTE)

    assert read_fence(shop).status is FenceStatus.DOWN
    assert writer_scalings(shop) == BEFORE


def test_a_fence_that_may_not_be_let_fall_without_its_policy() -> None:
    """Its project has taken the rights back: people read which service had which instances."""
    shop = build_shop_with_fence()
    raise_fence(shop)
    refuse_scaling(shop)
    remove_policy(shop)
    shop.pass_time(8 * MINUTE)

    assert read_fence(shop).status is FenceStatus.FALLING
    [loud] = {one.notice["text"] for one in shop.sent_notices if "fence.stuck" in one.key}
    assert "PERMISSION_DENIED" in loud
    service = read_fence(shop).writers[0].service
    assert f"createOrder: its instances were 1 to 20 ({service})" in loud
    assert service.startswith("projects/")
