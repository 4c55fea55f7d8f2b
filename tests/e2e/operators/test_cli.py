"""The `rollback` command beside the product, each over its own connections."""

import signal
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from subprocess import PIPE
from typing import NoReturn

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.support.context import INTERRUPTED_TEXT
from cli.support.exit_codes import INVALID_USAGE
from tests.e2e.support.cli import run, value
from tests.e2e.support.world import PATIENT, SCALE, World, until

ROOT = Path(__file__).parents[3]
MINDS_CTRL_C = ("env", "--default-signal=INT")


@pytest.fixture
def world(world: World) -> World:
    """With time for whoever waits at the prompt."""
    world.cloud.clock.rescale(PATIENT)
    return world


class CtrlC(StringIO):
    """A keyboard at which somebody presses Ctrl-C instead of an answer."""

    def readline(self, *_: object) -> NoReturn:
        raise KeyboardInterrupt


def test_ctrl_c_at_a_question_is_a_no(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, and nothing was said to anybody: there is nothing that goes on."""
    world.deploy_bad()
    monkeypatch.setattr(sys, "stdin", CtrlC())

    with pytest.raises(SystemExit) as left:
        app(["--without-sign-in", "run", "--reason", "checkout broken"])

    assert left.value.code == 1
    assert world.evidence.rollbacks() == []
    assert world.evidence.dead_letters() == []


def test_an_order_ends_a_rollback_with_supersede_alone(world: World) -> None:
    """A part joins, anything else is refused with the command, and what ends says so."""
    world.deploy_bad()
    world.command(command="rollback", system="bookshop", batch_size=1, delay_seconds=600)
    first = until("the rollback", world.rollback)
    until("its plan", lambda: (one := world.rollback()) and one.plan)

    joined = run("run", "--function", "createOrder", "--reason", "x", "--yes", "--no-follow")
    assert joined.exit_code == 0, joined.output
    assert f"1 of 1 function is already part of {first.incident}" in joined.output

    refused = run("run", "--scenario", "complete", "--reason", "x", "--yes", "--no-follow")
    assert refused.exit_code == 1
    assert f"{first.incident} would end" in refused.stderr
    assert "--supersede" in refused.stderr

    ended = run("run", "--function", "createOrder", "--supersede", "--reason", "x", "--yes", "--no-follow")
    assert ended.exit_code == 0, ended.output
    assert f"which continues {first.incident}" in ended.output
    until("the end of the first", lambda: world.evidence.rollbacks()[0].outcome.startswith("superseded by"))


def test_a_person_looks_rolls_back_and_has_it_explained(world: World) -> None:
    """From a bad release to its end without leaving the prompt."""
    world.deploy_bad()

    shown = run("run", "--reason", "checkout broken", "--dry-run")
    assert "back to v1: 8 functions" in shown.output
    assert "within the target" in shown.output
    assert world.rollback() is None

    declined = run("run", "--reason", "checkout broken", answers="n\n")
    assert declined.exit_code == 1
    assert "nothing was done" in declined.stderr
    assert world.rollback() is None

    done = run("run", "--reason", "checkout broken", "--yes", "--no-follow")
    assert done.exit_code == 0, done.output
    rollback = until("the rollback", world.rollback)
    until("its steps", world.is_carried_out)

    [system] = value("status")["systems"]
    assert system["incident"]["id"] == rollback.incident
    assert run("status").output.startswith("The Bookshop (bookshop), mode act")

    explained = value("explain", rollback.incident)
    assert explained["decisions"][rollback.id]["outcome"] == "rollback"
    assert "every gate" not in run("explain", rollback.incident).output
    assert "restorable" in run("explain", rollback.incident).output


def test_deployments_are_listed_and_a_baseline_is_one_word(world: World) -> None:
    done = run("deployments", "baseline", "--name", "v0")
    assert done.exit_code == 0, done.output

    until("the baseline", lambda: world.evidence.deployment("v0"))

    assert {one["id"]: one["status"] for one in value("deployments")} == {"v0": "STABLE", "v1": "STABLE"}
    assert "v0" in run("deployments").output


def test_a_switch_is_thrown_for_all_and_back(world: World) -> None:
    """The state is what the responders keep, not what the shell believes."""
    assert value("pause", "--all", "--reason", "we look ourselves")["accepted"]
    assert value("status")["paused"]["reason"] == "we look ourselves"
    assert value("status")["pause"] == "PAUSED"
    assert "everything: paused by" in run("status").output

    assert value("resume", "--all", "--reason", "understood")["accepted"]
    assert value("status")["paused"] is None


def test_every_channel_is_tried_by_one_word(world: World) -> None:
    """It says which of them have taken it; nothing else than a test can be said so."""
    assert set(value("notify", "--test").values()) == {"SENT"}
    said = run("notify", "--test", "--reason", "new address")
    assert (said.exit_code, "record: SENT" in said.output) == (0, True)

    assert run("notify").exit_code == INVALID_USAGE


def test_a_freeze_is_shown_and_what_it_leaves_to_a_person_did_not_go_well(world: World) -> None:
    """A preview says what would become of the order first; a program is told that nothing was."""
    world.deploy_bad()
    until_then = (world.cloud.clock.now() + timedelta(days=1)).isoformat()
    assert value("freeze", "--all", "--until", until_then, "--reason", "the sale")["accepted"]

    assert "frozen by" in run("status").output
    [window] = value("status")["freezes"]
    assert window["reason"] == "the sale"
    assert value("run", "--reason", "x", "--dry-run")["outcome"] == "hold"
    assert "the request waits until then" in run("run", "--reason", "x", "--dry-run").output

    assert value("unfreeze", "--all", "--reason", "it is over")["accepted"]
    unknown = run("run", "--target", "v11", "--reason", "x", "--yes")
    assert unknown.exit_code == 1
    assert "v11 is not known in bookshop; did you mean v1?" in unknown.output
    assert world.rollback() is None
    assert run("deployments", "mark-bad", "v1", "--reason", "loses uploads").exit_code == 0
    lost = run("run", "--auto-confirm")
    assert (lost.exit_code, "no stable deployment is known in bookshop" in lost.output) == (1, True)
    assert world.rollback() is None
    slow = ("--batch-size", "1", "--delay", "600s", "--no-follow")
    assert run("run", "--target", "v1", "--auto-confirm", *slow).exit_code == 0
    rollback = until("the rollback", world.rollback)
    assert rollback.order is not None
    assert rollback.order.auto_confirm
    assert run("cancel", rollback.incident, "--reason", "wrong target").exit_code == 0
    assert run("watch", rollback.incident).exit_code == 1
    assert run("hold", rollback.incident, "--reason", "case 12").exit_code == 0
    assert run("release", rollback.incident, "--reason", "case 12 is closed").exit_code == 0


@pytest.mark.usefixtures("world")
def test_a_command_of_whoever_has_not_signed_in_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the option it needs a token, and says how to get one."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    done = CliRunner().invoke(app, ["pause", "--all", "--reason", "we look ourselves"])

    assert done.exit_code == 1
    assert "nobody is signed in: rollback login" in done.stderr
    assert value("status")["paused"] is None


def test_ci_waits_while_a_deployment_would_meet_a_freeze(world: World) -> None:
    """`deploy-lock` answers by its exit code, says why, and waits where it is asked to."""
    free = run("deploy-lock", "bookshop")
    over = (world.cloud.clock.now() + timedelta(hours=2)).isoformat()
    world.command(command="freeze", system="bookshop", until=over, reason="the sale")
    until("the freeze", lambda: run("deploy-lock").exit_code)

    locked = run("deploy-lock", "bookshop")
    waited = run("deploy-lock", "bookshop", "--wait", "--within", "20s", "--json")

    assert (free.exit_code, free.stdout) == (0, "bookshop is free\n")
    assert (locked.exit_code, waited.exit_code) == (1, 1)
    assert "the sale" in locked.output
    assert "waiting: frozen by" in waited.stderr


def test_ci_waits_for_the_end_of_an_incident(world: World) -> None:
    """An open incident and its rollback lock the system; at their end it is free again."""
    world.deploy_bad()
    world.command(command="rollback", system="bookshop")
    until("the incident", world.rollback)

    locked = run("deploy-lock")

    assert locked.exit_code == 1
    assert "incident INC-" in locked.output


def stop_following(*arguments: str) -> tuple[int, str]:
    """The exit code, and what is told, when somebody presses Ctrl-C once they see something.

    Whoever runs the tests in the background ignores SIGINT, and so would what they start.
    """
    line = [*MINDS_CTRL_C, sys.executable, "-m", "cli", "--without-sign-in", *arguments]
    with subprocess.Popen(line, stdout=PIPE, stderr=PIPE, text=True, cwd=ROOT) as following:  # noqa: S603
        try:
            assert following.stdout
            assert any("Detected" in said for said in following.stdout)
            following.send_signal(signal.SIGINT)
            _, told = following.communicate(timeout=60)
        finally:
            following.kill()
    return following.returncode, told


@pytest.mark.slice
def test_who_stops_following_is_told_that_it_goes_on(world: World) -> None:
    """Ctrl-C leaves the shell alone with exit code 130; the rollback does not notice."""
    world.deploy_bad()
    world.cloud.clock.rescale(1)  # it is not over before a slow machine has pressed Ctrl-C

    ordered = stop_following("run", "--reason", "checkout broken", "--yes")
    rollback = until("the rollback", world.rollback)
    watched = stop_following("watch", rollback.incident)

    assert ordered == watched == (130, f"{INTERRUPTED_TEXT}\n")
    world.cloud.clock.rescale(SCALE)
    until("its steps", world.is_carried_out)


PRESSED = """
from grpc import _channel
from cli.app import app

def pressed(_):
    raise KeyboardInterrupt

_channel._run_channel_spin_thread = pressed
app(["--without-sign-in", "status"])
"""
"""Ctrl-C between the beginning of a streaming call and the thread that reads its events."""


def test_ctrl_c_just_as_a_call_begins_ends_it(world: World) -> None:
    """Exit code 130 at once: closing its channel would wait for that call without end."""
    line = [sys.executable, "-c", PRESSED]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60)  # noqa: S603

    assert (done.returncode, done.stderr) == (130, f"{INTERRUPTED_TEXT}\n")


WRONG = (
    ("deploy-lock --wait --within soon", 2, "no duration such as 30m"),
    ("run --reason x --group catalog", 2, "did you mean catalogue"),
    ("run --reason x --system bookshp", 2, "did you mean bookshop"),
    ("run", 2, "--reason"),
    ("run --target v1", 2, "--reason TEXT is missing"),
    ("run --reason x --delay soon", 2, "no duration such as 30m"),
    ("run --reason x --restore-point latest", 2, "scenario"),
    ("run --reason x --scenario database --select some", 2, "'some' is none of invalid, all"),
    ("drill --reason x --scenario featur", 2, "did you mean feature"),
    ("run --reason x --override", 2, "incident is missing"),
    ("drill --reason x --function listBook", 2, "did you mean listBooks"),
    ("run --reason x --batch-size 0 --group catalog", 2, "did you mean catalogue"),
    ("run --reason x --batch-size 0 --group catalog", 2, "batch_size: 0 is less than"),
    ("promote acts --reason x", 2, "did you mean act?"),
    ("explain INC-20260101-001", 1, "no incident INC-20260101-001"),
    ("watch INC-20260101-001", 1, "no incident INC-20260101-001"),
    ("pause --all --system bookshop --reason x", 2, "either --system or --all"),
    ("statu", 2, "No such command"),
)
"""A line, its exit code, and what is said on standard error."""


@pytest.mark.usefixtures("world")
def test_what_cannot_be_done_is_said() -> None:
    """With an exit code for programs and a sentence that helps on standard error."""
    done = {line: run(*line.split()) for line, _, _ in WRONG}

    assert {line: one.exit_code for line, one in done.items()} == {line: code for line, code, _ in WRONG}
    assert [line for line, _, said in WRONG if said not in done[line].stderr] == []


def test_without_settings_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)

    done = run("status")

    assert done.exit_code == 2
    assert "GOOGLE_CLOUD_PROJECT is not set" in done.stderr
