"""What operators read of incidents that are open without a rollback."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.cli.in_process import WorldPrompt
from tests.support.rollbacks.approvals import build_failed_rollback
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)


@pytest.fixture
def observed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[World, WorldPrompt]:
    """A bad release that automation only observes, and corrupted data beside it."""
    world = World(promoted=False)
    world.deploy_bad()
    world.alert()
    world.pass_time(MINUTE)
    world.alert("0.corrupt", signal="database_corruption")
    world.pass_time(MINUTE)
    return world, WorldPrompt(monkeypatch, tmp_path, world)


def test_status_lists_every_open_incident(observed: tuple[World, WorldPrompt]) -> None:
    """The newest first, each with what may be said of it."""
    _, prompt = observed

    result = prompt.say("status").stdout

    first, second = "INC-20260302-001", "INC-20260302-002"
    assert result.index(f"incident {second}") < result.index(f"incident {first}")
    assert f"rollback accept {first}" in result
    assert "restored" not in result.replace("traffic is not restored yet", "")


def test_a_fix_may_be_deployed_for_what_is_only_observed(observed: tuple[World, WorldPrompt]) -> None:
    """Automation changes nothing: whoever deploys ends the trouble."""
    _, prompt = observed

    assert prompt.say("deploy-lock", "bookshop").exit_code == 0


def test_watching_what_is_only_observed_is_no_success(observed: tuple[World, WorldPrompt]) -> None:
    """Not acting is not success."""
    _, prompt = observed

    assert prompt.say("watch", "INC-20260302-001").exit_code == 1


def test_who_continued_an_incident_is_shown_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An order goes on with what waited for a person: `status` and `explain` say whose, and why."""
    world = build_failed_rollback()
    world.platform.set_failure_rate("payOrder", "payorder-00001", 0.9)
    world.pass_time(5 * MINUTE)
    world.send_command("rollback", "bob", functions=["searchBooks"], reason="search")
    world.pass_time(MINUTE)
    old, new = world.incidents()
    prompt = WorldPrompt(monkeypatch, tmp_path, world)

    for shown in (prompt.say("status").stdout, prompt.say("explain", old.id).stdout):
        assert f"UTC: continued by {new.id}, requested by bob: search\n" in shown


def test_an_explanation_shows_the_pause(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who has paused, since when and why, and the command that continues."""
    world = World()
    world.deploy_bad()
    world.send_command("rollback", "bob", reason="checkout broken")
    world.deliver_commands()
    world.send_command("pause", "anna", reason="I look")
    world.deliver_commands()

    said = WorldPrompt(monkeypatch, tmp_path, world).say("explain", world.incident.id).stdout

    assert " by anna: I look; to continue: rollback resume --system bookshop --reason WHY\n" in said


def test_an_explanation_begins_with_the_reason(observed: tuple[World, WorldPrompt]) -> None:
    """One sentence before everything else, the same one as in `status` and for programs."""
    _, prompt = observed

    why = json.loads(prompt.say("explain", "INC-20260302-001", "--json").stdout)["why"]

    assert why.startswith("Not rolled back: ")
    assert "mode:" not in why
    assert prompt.say("explain", "INC-20260302-001").stdout.startswith(f"{why}\n")
