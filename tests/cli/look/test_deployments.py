"""What operators read of deployments."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.cli.in_process import WorldPrompt
from tests.support.rollbacks.pins import build_rolled_back_world

MINUTE = timedelta(minutes=1)


def test_a_release_behind_pins_is_shown_as_not_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No time from which it is live is shown, and every revision that waits is listed."""
    world = build_rolled_back_world()
    world.ports.world.deploy(["getBook"])
    world.announce("r3")
    world.pass_time(6 * MINUTE)
    prompt = WorldPrompt(monkeypatch, tmp_path, world)

    [row] = [one for one in prompt.say("deployments").stdout.splitlines() if one.startswith("r3")]
    shown = prompt.say("deployments", "show", "r3").stdout

    assert row.split()[1:4] == ["not", "served", "LIVE"]
    assert "live from    not served yet\n" in shown
    assert "not served   getBook: getbook-00003\n" in shown
