"""What operators read of deployments."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.cli.in_process import WorldPrompt
from tests.support.rollbacks.pins import build_rolled_back_world
from tests.support.rollbacks.rebuild_shop import PLACE, SHOP, build_shop_with_source_copies
from tests.support.rollbacks.stored_images import record_with_image

MINUTE = timedelta(minutes=1)


def test_a_release_behind_pins_is_shown_as_not_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No time from which it is live is shown, and every revision that waits is listed."""
    world = build_rolled_back_world()
    world.platform.deploy(["getBook"])
    world.announce("r3")
    world.pass_time(6 * MINUTE)
    prompt = WorldPrompt(monkeypatch, tmp_path, world)

    [row] = [one for one in prompt.say("deployments").stdout.splitlines() if one.startswith("r3")]
    shown = prompt.say("deployments", "show", "r3").stdout

    assert row.split()[1:4] == ["not", "served", "LIVE"]
    assert "live from    not served yet\n" in shown
    assert "not served   getBook: getbook-00003\n" in shown


def test_until_when_images_are_stored_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the row of each deployment, and what follows then beside all else of it."""
    world = build_shop_with_source_copies()
    world.platform.move_image(SHOP, f"{PLACE}/shop@sha256:1")
    record_with_image(world, days=60)
    prompt = WorldPrompt(monkeypatch, tmp_path, world)

    [row] = [one for one in prompt.say("deployments").stdout.splitlines() if one.startswith("v2")]
    shown = prompt.say("deployments", "show", "v2").stdout

    assert "not all checked; 1 function to rebuild; images until 2026-05-01 12:0" in row
    assert "images       1 function to rebuild, about 90 s each: images deleted\n" in shown
    assert "UTC, then functions are rebuilt, about 90 s each\n" in shown
