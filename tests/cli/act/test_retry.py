"""`rollback retry` at the prompt: what a person reads before a rollback is ordered again."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from cli.app import app
from cli.support import command_sending
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.cli.in_process import WorldPrompt
from tests.support.rollbacks.approvals import build_failed_rollback
from tests.support.rollbacks.pins import MINUTE, build_rolled_back_world
from tests.support.runtime.world import BOOKSHOP, World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """r4 fails while r3, the fix of r2, has not baked; a person has rejected the way back to r1."""
    gates = replace(BOOKSHOP.gates, cool_down=5 * MINUTE)
    changes = replace(BOOKSHOP.deployments, human_first=5 * MINUTE)
    world = build_rolled_back_world(replace(BOOKSHOP, gates=gates, deployments=changes))
    world.platform.deploy()
    world.pass_time(6 * MINUTE)
    world.send_command("unpin")
    world.pass_time(22 * MINUTE)
    world.deploy_bad()
    world.alert("0.r4")
    world.settle()
    world.send_command("reject", incident=world.newest_incident.id)
    world.pass_time(MINUTE)
    assert world.newest_rollback.status is RollbackStatus.NOT_TAKEN
    # In one thread the whole rollback passes before its answer can be read.
    monkeypatch.setattr(command_sending, "ANSWER_TIMEOUT_SECONDS", 3600.0)
    WorldPrompt(monkeypatch, tmp_path, world)
    return world


@pytest.mark.parametrize("typed", ["", "n\n", "y\n"])
def test_a_retry_shows_its_plan_and_what_it_passes_over_and_asks(world: World, typed: str) -> None:
    """Nothing is sent without a yes, nor where nobody can be asked."""
    incident, before = world.newest_incident.id, world.live
    line = ["--without-sign-in", "retry", incident, "--reason", "go back"]

    done = CliRunner().invoke(app, line, input=typed, catch_exceptions=False)

    shown, _, _ = done.output.partition("Roll back again?")
    assert "back to v1: 8 functions" in shown
    assert "getBook getbook-00004 getbook-00001" in " ".join(shown.split())
    assert " is passed over: 15 of 30 minutes baked" in shown
    assert " after detection, within the target of 10 min" in shown
    if typed == "y\n":
        assert (done.exit_code, world.newest_rollback.status) == (0, RollbackStatus.SUCCEEDED), done.output
        assert world.live["getBook"] == {"getbook-00001": 100}
    else:
        assert (done.exit_code, world.live) == (1, before)
        assert world.newest_rollback.status is RollbackStatus.NOT_TAKEN


def test_a_dry_run_of_a_retry_changes_nothing(world: World) -> None:
    """For programs it is one document."""
    incident = world.newest_incident.id
    line = ["--without-sign-in", "retry", incident, "--reason", "go back", "--dry-run", "--json"]

    document = json.loads(CliRunner().invoke(app, line, catch_exceptions=False).stdout)

    assert (document["outcome"], document["target"], len(document["functions"])) == ("rollback", "v1", 8)
    assert [one for one in document["reported"] if "is passed over" in one]
    assert world.newest_rollback.status is RollbackStatus.NOT_TAKEN


def test_a_retry_of_an_undo_warns_of_what_it_restores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is shown as the undo is."""
    world = build_failed_rollback()
    about = {"system": "bookshop", "incident": world.newest_incident.id}
    for verb in ("pause", "undo", "cancel", "resume"):
        world.command(command=verb, **(about if verb in ("undo", "cancel") else {"system": "bookshop"}))
        world.pass_time(MINUTE)
    assert world.newest_rollback.status is RollbackStatus.CANCELLED
    prompt = WorldPrompt(monkeypatch, tmp_path, world)

    shown = prompt.say("retry", about["incident"], "--reason", "all the same", "--dry-run").output

    assert "warning: this restores what the rollback removed: " in shown


def test_a_retry_that_is_not_possible_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With what is possible."""
    world = build_rolled_back_world()
    prompt = WorldPrompt(monkeypatch, tmp_path, world)

    done = prompt.say("retry", world.newest_incident.id, "--reason", "again", "--yes")

    assert (done.exit_code, len(world.rollbacks())) == (1, 1)
    assert done.output.startswith("refused: retry is not possible: ")
