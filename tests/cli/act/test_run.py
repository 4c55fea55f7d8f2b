"""`rollback run` while another rollback is under way."""

from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from shared.domain.deployments.inventory.traffic import TrafficTarget
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.cli.in_process import WorldPrompt
from tests.support.fakes.runtime.hooks import run_once
from tests.support.notices.notices import read_notices
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)
RUN = ("run", "--system", "bookshop", "--reason", "search fails")


@pytest.fixture
def world() -> World:
    """Two of eight functions are on their way back, and the rollback is paused."""
    world = World()
    world.deploy_bad()

    def pause() -> None:
        world.send_command("pause")
        world.deliver_commands()

    world.platform.hook = run_once("platform.shift", "after", pause)
    world.alert()
    world.settle()
    assert world.rollback.status is RollbackStatus.RUNNING
    return world


@pytest.fixture
def prompt(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WorldPrompt:
    monkeypatch.setenv("COLUMNS", "300")
    return WorldPrompt(monkeypatch, tmp_path, world)


def answer(word: str, *words: str) -> Result:
    said = ["--without-sign-in", *RUN, *words]
    return CliRunner().invoke(app, said, input=f"{word}\n", catch_exceptions=False)


def test_yes_without_supersede_prints_the_full_command(world: World, prompt: WorldPrompt) -> None:
    """It says what would end and what would stay undone, and sends nothing."""
    result = prompt.say(*RUN, "--scenario", "feature", "--group", "checkout", "--target", "v0", "--yes")
    assert result.exit_code == 1, result.output

    result = prompt.say(*RUN, "--scenario", "complete", "--yes")

    assert result.exit_code == 1
    name = world.incident.id
    assert f"{name} would end: 2 of 8 functions restored" in result.output
    command = "rollback run --system bookshop --scenario complete --supersede --reason 'search fails' --yes"
    assert command in result.output
    assert len(world.incidents()) == 1


def test_the_question_shows_what_ends_and_what_stays_undone(world: World, prompt: WorldPrompt) -> None:
    """A no leaves it as it is."""
    world.send_command("resume")
    world.pass_time(8 * MINUTE)
    traffic = (TrafficTarget("searchbooks-00002", 100),)
    world.platform.change_by_hand("searchBooks", traffic)
    name = world.incident.id

    no = answer("n", "--scenario", "feature", "--function", "searchBooks", "--no-follow")
    assert no.exit_code == 1
    assert f"{name} would end: its rollback is monitored until" in no.output
    assert f"End {name} and roll back?" in no.output
    assert len(world.incidents()) == 1

    yes = answer("y", "--function", "searchBooks", "--no-follow")
    assert yes.exit_code == 0, yes.output
    assert f"opened {world.incidents()[1].id}, which continues {name}" in yes.output


def test_an_order_for_a_part_joins_and_says_so(world: World, prompt: WorldPrompt) -> None:
    """Nothing is asked about what does not end."""
    result = prompt.say(*RUN, "--function", "searchBooks", "--function", "getBook", "--yes", "--no-follow")

    assert result.exit_code == 0, result.output
    assert "2 of 2 functions are already part of INC-" in result.output
    assert len(world.incidents()) == 1


def test_supersede_shows_what_ends_even_where_the_order_would_join(world: World, prompt: WorldPrompt) -> None:
    """The six functions that neither brings back are named before anything ends."""
    world.send_command("resume")

    result = prompt.say(*RUN, "--function", "searchBooks", "--supersede", "--dry-run")

    assert result.exit_code == 0, result.output
    assert "5 of 8 functions would stay on the bad release: " in result.output
    assert "already part of" not in result.output


def test_a_run_with_nothing_to_do_sends_nothing(world: World, prompt: WorldPrompt) -> None:
    """What is monitored goes on."""
    world.send_command("resume")
    world.pass_time(8 * MINUTE)

    result = prompt.say(*RUN, "--function", "searchBooks", "--yes", "--supersede")

    assert result.exit_code == 0, result.output
    assert "nothing to do: everything asked for is at its target already" in result.output
    assert "would end" not in result.output
    assert world.rollback.status is RollbackStatus.WATCHING


def test_what_changes_nothing_adds_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The order names every function, and those that differed are restored: one answer, not two."""
    world = World()
    world.deploy_bad(["createOrder", "payOrder"])
    prompt, said = WorldPrompt(monkeypatch, tmp_path, world), list[str]()

    def order_meanwhile(verb: str, side: str) -> None:
        verifies = [one.status for one in world.rollbacks()] == [RollbackStatus.VERIFYING]
        if verifies and (verb, side) == ("metrics.requests", "before") and not said:
            said.append("")
            said.append(prompt.say(*RUN, "--dry-run").output)
            world.send_command("rollback", dry_run=True)
            world.deliver_commands()

    world.ports.counts.hook = order_meanwhile
    world.alert()
    world.pass_time(MINUTE)

    assert said[1:] == ["nothing to do: everything asked for is at its target already\n"]
    told = [str(one["text"]) for one in read_notices(world).values() if "Dry run by" in str(one["text"])]
    assert [one for one in told if "everything asked for is at its target already" in one]
    assert not [one for one in told if "is added to" in one]
