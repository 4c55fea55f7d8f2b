"""`rollback promote` at the prompt: what a person reads before the mode changes."""

from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import app
from shared.core.errors import Unavailable
from shared.domain.policy.scenario_names import Mode
from shared.state.reader import StateReader
from tests.support.cli.in_process import WorldPrompt
from tests.support.fakes.runtime.hooks import no_hook
from tests.support.runtime.world import World

LINE = ("--without-sign-in", "promote", "ask", "--reason", "a bad week")


@pytest.mark.parametrize("typed", ["y\n", "n\n"])
def test_the_figures_are_shown_before_a_promotion(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, typed: str
) -> None:
    """What automation would have done by itself, then the question; no leaves the mode."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(timedelta(minutes=10))
    WorldPrompt(monkeypatch, tmp_path, world)

    done = CliRunner().invoke(app, LINE, input=typed, catch_exceptions=False)

    shown, _, _ = done.output.partition("Set the mode of bookshop to ask?")
    assert "backtest of the stored decisions (30 days), in mode act:\n" in shown
    assert "  automatic rollbacks unmarked: 1\n" in shown
    mode = StateReader(world.store).system("bookshop").mode
    assert (done.exit_code, mode) == ((0, Mode.ASK) if typed == "y\n" else (1, Mode.ACT))


def test_a_promotion_needs_no_history(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line tells that it cannot be read; the mode can be set all the same."""
    world = World()
    prompt = WorldPrompt(monkeypatch, tmp_path, world)

    def no_answer_once(verb: str, side: str) -> None:
        if verb == "store.query":
            world.store.hook = no_hook
            raise Unavailable("no answer")

    world.store.hook = no_answer_once

    done = prompt.say(*LINE[1:], "--yes")

    assert done.exit_code == 0, done.output
    assert "the past decisions cannot be read: no answer\n" in done.output
    assert StateReader(world.store).system("bookshop").mode is Mode.ASK


def test_a_mode_that_does_not_exist_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing is read or asked for a command that the responders would refuse."""
    done = WorldPrompt(monkeypatch, tmp_path, World()).say("promote", "acts", "--reason", "x")

    assert (done.exit_code, "backtest" in done.output) == (2, False)
    assert "mode" in done.output
