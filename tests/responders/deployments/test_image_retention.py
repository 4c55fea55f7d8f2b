"""Runbook: "Last 30 deployments maintained with instant access", and what ends it."""

from datetime import timedelta
from pathlib import Path

import pytest

from shared.core.errors import Rejected
from shared.domain.deployments.inventory.inventory_parts import SecretUse, SecretVersion, build_configuration
from shared.domain.deployments.inventory.traffic import LATEST_REVISION, TrafficTarget
from shared.domain.policy.severity import Severity
from shared.domain.rollback.plan import StepStatus
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.cli.in_process import WorldPrompt
from tests.support.fakes.runtime.hooks import raise_error
from tests.support.notices.system_events import system_event_names
from tests.support.rollbacks.deployments import MINUTE, SHOP
from tests.support.rollbacks.rebuild_shop import (
    ORDER,
    build_shop_with_source_copies,
    functions_on_copies,
    healthy_functions,
    roll_back,
    step_statuses,
)
from tests.support.rollbacks.stored_images import IMAGE, record_with_image
from tests.support.runtime.world import World

DAY = timedelta(days=1)


def read_warnings(world: World) -> list[tuple[Severity, str, tuple[str, ...]]]:
    """Each warning about images, with its severity and the commands to paste."""
    return [
        (one.notice["severity"], one.notice["text"], tuple(one.notice["commands"]))
        for one in world.sent_notices
        if ":images-" in one.key
    ]


KEEP = "firebase functions:artifacts:setpolicy --location europe-west1 --days 60 --project bookshop-prod"


def test_people_are_notified_before_images_are_deleted() -> None:
    """Once, seven days before, with the command that keeps them; the proof says until when."""
    world = build_shop_with_source_copies()
    deployment = record_with_image(world, days=60)
    until = world.now + 60 * DAY
    assert deployment.restorable is not None
    assert deployment.restorable.images_until is not None
    assert abs(deployment.restorable.images_until - until) < MINUTE
    assert read_warnings(world) == []

    world.advance_clock(53 * DAY)
    world.pass_time(2 * MINUTE)
    world.advance_clock(DAY)
    world.pass_time(2 * MINUTE)

    said = f"images stored until {until:%Y-%m-%d %H:%M} UTC, then functions are rebuilt, about 90 s each"
    assert system_event_names(world).count("deployment.images-expire") == 1
    assert read_warnings(world) == [(Severity.LOW, f"bookshop: v2: {said}\n{KEEP}", (KEEP,))]


def test_the_end_of_what_cannot_be_built_again_is_urgent() -> None:
    """It is notified like what cannot be restored, at once where a policy of one day is set."""
    world = World()
    world.ports.values.hook = raise_error("values.keep", Rejected("403: no"))
    configured = build_configuration({"MODE": "fast"}, iter(()))
    world.platform.plain[configured.variables_hash] = {"MODE": "fast"}
    world.advance_clock(MINUTE)
    world.platform.deploy([ORDER], configuration=configured)
    world.advance_clock(MINUTE)
    record_with_image(world, days=1, newest=True)

    [(severity, text, commands)] = read_warnings(world)
    assert (severity, commands) == (Severity.HIGH, (KEEP,))
    assert "UTC, then it cannot be restored completely" in text


def test_a_target_without_images_is_planned_as_a_build_with_its_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its image is looked for where it lay, though nothing live is there; no shift is tried."""
    shop = build_shop_with_source_copies()
    shop.platform.move_image(ORDER, IMAGE)
    shop.platform.deploy(failure_rate=0.8)
    shop.advance_clock(10 * MINUTE)
    shop.announce("bad")
    shop.settle()

    words = ("run", "--scenario", "functions", "--reason", "a test", "--dry-run")
    shown = WorldPrompt(monkeypatch, tmp_path, shop).say(*words).stdout

    assert "orderStatus   orderstatus-00002   built again from our copy" in shown
    assert "last shift in about 2 min 4 s" in shown
    rollback = roll_back(shop, minutes=40)
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert functions_on_copies(shop) == {ORDER}
    assert healthy_functions(shop) == set(shop.live)
    assert step_statuses(shop, ORDER) == {"redeploy": StepStatus.DONE, "serve": StepStatus.DONE}


def test_a_revision_that_serves_needs_no_image() -> None:
    """Cloud Run has a copy of its own: it is shifted to, not built again."""
    shop = build_shop_with_source_copies()
    first = shop.live[ORDER]
    shop.platform.move_image(ORDER, IMAGE)
    shop.platform.deploy(failure_rate=0.8)
    shares = (TrafficTarget(next(iter(first)), 10), TrafficTarget(LATEST_REVISION, 90))
    shop.platform.change_by_hand(ORDER, shares)
    shop.advance_clock(10 * MINUTE)
    shop.announce("bad")
    shop.settle()

    rollback = roll_back(shop, minutes=40)

    assert rollback.status is RollbackStatus.SUCCEEDED
    assert functions_on_copies(shop) == set()
    assert shop.live[ORDER] == first


def test_a_secret_that_is_disabled_is_notified_before_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each deployment that used the version cannot be restored, the older ones too."""
    world = World(policy=SHOP)
    now = world.now
    world.ports.beside.kept = {"PAY": {one: SecretVersion("ENABLED", now) for one in ("3", "4")}}
    uses = (SecretUse("KEY", "PAY", "3"), SecretUse("LOGIN", "PAY", "latest"))
    for name, used in (("v2", uses), ("v3", uses[1:])):
        world.advance_clock(MINUTE)
        world.platform.deploy(["getBook"], configuration=build_configuration({}, iter(used)))
        world.advance_clock(MINUTE)
        world.announce(name, stable=True)
        world.settle()
    prompt = WorldPrompt(monkeypatch, tmp_path, world)
    shown = prompt.say("deployments", "show", "v2").stdout
    assert [line.split() for line in shown.splitlines() if line.startswith("secret")] == [
        ["secret", "PAY/3"],
        ["secret", "PAY/4"],
    ]

    world.ports.beside.kept["PAY"]["3"] = SecretVersion("DISABLED", now)
    world.pass_time(7 * MINUTE)

    told = [str(one.notice["text"]) for one in world.sent_notices if ":restorable-" in one.key]
    assert told == ["bookshop: v2 cannot be restored\ngetBook: secret PAY/3 is DISABLED"]
    shown = prompt.say("deployments", "show", "v2").stdout
    assert "restorable   no: 1 fault\n" in shown
    assert "getBook: secret PAY/3 is DISABLED" in shown
    assert world.rollbacks() == []
