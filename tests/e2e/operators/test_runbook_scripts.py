"""Every usage line of the runbook's three scripts, at a terminal of an operator in Jerusalem."""

import os
import pty
import re
import subprocess
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.act.run_questions import DEFAULT_REASON
from shared.core import topics
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from tests.e2e.conftest import WorldMaker
from tests.e2e.support.world import PATIENT, SCALE, World, database, until
from tests.support.cli import operator
from tests.support.cli.documented_commands import ROOT, SCRIPTS
from tests.support.runtime.world import POLICIES

pytestmark = pytest.mark.slice
UNTOLD = re.sub(r"\n    signal: \w+", "", (POLICIES / "cvplus.yaml").read_text())
CVPLUS = re.sub(r"(:\n    functions:\n      \[\n\s+\w+, \w+)[^\]]*\]", r"\1]", UNTOLD)
CVPLUS = CVPLUS.replace("every: 1h", "every: 12h") + "\nexecution: { watch: 1m }\n"
"""Few functions of each group, data that is checked once, and a short monitoring."""
TARGET = "deploy_20250821_120000"
MORNING = datetime(2025, 8, 21, 10, 30, tzinfo=UTC)
DAMAGED_AT = datetime(2025, 8, 21, 12, 20, tzinfo=UTC)
RELATIVE_DATE = '#!/bin/sh\nexec /usr/bin/date -d "$CLOUD_TIME $2" "$3"\n'
"""GNU date whose present is the cloud's."""

WHY, YES = ("Reason: ", "stuck"), ("[y/N]: ", "y")
GIVEN: dict[str, Any] = {"scenario": "functions", "target": "last-stable", "reason": "stuck"}
DATA: dict[str, Any] = {**GIVEN, "scenario": "database", "select": "invalid"}
BOTH = "2025-08-21 15:00 IDT (2025-08-21 12:00 UTC)"

PLAYED: dict[str, tuple[list[tuple[str, str]], dict[str, Any]]] = {
    "critical-rollback.sh --scenario=complete --auto-confirm": (
        [],
        {"scenario": "complete", "auto_confirm": True, "reason": DEFAULT_REASON},
    ),
    "functions-rollback.sh --target=last-stable --batch-size=20": ([WHY, YES], {**GIVEN, "batch_size": 20}),
    'database-rollback.sh --restore-point=$(date -d "1 hour ago" +%Y%m%d_%H%M)': (
        [WHY, YES],
        {**DATA, "restore_point": "2025-08-21T11:"},
    ),
    "critical-rollback.sh": (
        [("Scenario [complete]: ", ""), ("Target [last-stable]: ", TARGET), WHY, YES],
        {"scenario": "complete", "target": TARGET, "reason": "stuck", "auto_confirm": False},
    ),
    'critical-rollback.sh --auto-confirm --reason="System outage detected"': (
        [],
        {"scenario": "complete", "auto_confirm": True, "reason": "System outage detected"},
    ),
    f"critical-rollback.sh --target-deployment={TARGET}": (
        [WHY, YES],
        {"scenario": "complete", "target": TARGET, "reason": "stuck"},
    ),
    "functions-rollback.sh --target=last-stable": ([WHY, YES], GIVEN),
    'functions-rollback.sh --group="cv-processing" --target=last-stable': (
        [WHY, YES],
        {**GIVEN, "groups": ("processing",)},
    ),
    "functions-rollback.sh --batch-size=10 --delay=30s": (
        [WHY, YES],
        {**GIVEN, "batch_size": 10, "delay_seconds": 30.0},
    ),
    "database-rollback.sh --restore-point=latest": ([WHY, YES], {**DATA, "restore_point": "latest"}),
    'database-rollback.sh --restore-point="2025-08-21T12:00:00Z"': (
        [(BOTH, ""), ("", "stuck"), (f"{BOTH}? [y/N]: ", "y")],
        {**DATA, "restore_point": "2025-08-21T12:00:00Z"},
    ),
}
"""Each line, what is typed at which prompt, and the order that the responders record."""
[BY_GROUP] = [one for one in SCRIPTS if "--group" in one]


class Terminal:
    """A line in a shell of its own, at a terminal."""

    def __init__(self, line: str, **variables: str) -> None:
        ours, theirs = pty.openpty()
        self._ours, self.shown, self._answered = ours, "", 0
        environment = {**os.environ, "COLUMNS": "300", "TERM": "dumb", **variables}
        self._process = subprocess.Popen(  # noqa: S603 - a line of our own documentation
            ["sh", "-c", line],  # noqa: S607
            cwd=ROOT,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # nobody has the other side any more
            while said := os.read(self._ours, 4096):
                self.shown += said.decode(errors="replace")

    def answer(self, asked: str, answer: str) -> None:
        """Type an answer once the prompt stands there."""
        until(f"{asked} in {self.shown}", lambda: asked in self.shown[self._answered :])
        self._answered = self.shown.index(asked, self._answered) + len(asked)
        os.write(self._ours, f"{answer}\n".encode())

    def wait(self) -> int:
        """The exit code."""
        code = self._process.wait(60)
        self._reader.join(10)
        os.close(self._ours)
        return code


@pytest.fixture
def world(new_world: WorldMaker) -> World:
    """Two stable deployments, a bad release, and a damaged document; nothing is checked again."""
    world = new_world(MORNING, CVPLUS, point_in_time_recovery=True)
    said = {"version": 1, "system": "cvplus", "deployment": TARGET, "stable": True}
    world.publish(topics.DEPLOYMENTS, said)
    until("the target", lambda: world.evidence.deployment(TARGET))
    with database(world, "(default)") as client:
        profile = client.document("users/ada")
        profile.set({"email": "ada@example.com"})
        until("the check", lambda: world.wiring.store.get("integrity/cvplus").fields)
        world.deploy_bad()
        world.advance_to(DAMAGED_AT)
        profile.set({"email": 7})
    world.advance_to(DAMAGED_AT + timedelta(minutes=10))
    return world


def newest(world: World) -> Rollback:
    return world.evidence.rollbacks()[-1]


def play(world: World, line: str, folder: Path) -> tuple[Terminal, Rollback]:
    """Type the line and its answers; the order that came of it."""
    known = len(world.evidence.rollbacks())
    world.cloud.clock.rescale(PATIENT)
    operator.sign_in_at_prompt(world.cloud)
    shim = {"PATH": f"{folder}:{os.environ['PATH']}", "TZ": "Asia/Jerusalem"}
    terminal = Terminal(line, CLOUD_TIME=f"{world.cloud.clock.now():%Y-%m-%d %H:%M} UTC", **shim)
    for asked, answer in PLAYED[line.removeprefix("./scripts/emergency/")][0]:
        terminal.answer(asked, answer)
    until(f"the order of {line}", lambda: len(world.evidence.rollbacks()) > known)
    return terminal, newest(world)


def test_each_line_of_the_runbook_is_understood(world: World, tmp_path: Path) -> None:
    """The order is recorded as the line says it, under a pause; two are carried out."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "date").write_text(RELATIVE_DATE)
    (folder / "date").chmod(0o755)
    assert {one.removeprefix("./scripts/emergency/") for one in SCRIPTS} == PLAYED.keys()
    world.command(command="pause", system="cvplus")
    until("the pause", lambda: (one := world.evidence.system()) and one.pause)
    for line in SCRIPTS:
        terminal, rollback = play(world, line, folder)
        world.cloud.clock.rescale(SCALE)
        world.end_incident(rollback.incident)
        assert newest(world).status is RollbackStatus.CANCELLED

        order = rollback.order
        assert order is not None
        for name, value in PLAYED[line.removeprefix("./scripts/emergency/")][1].items():
            said = getattr(order, name)
            assert said.startswith(value) if name == "restore_point" else said == value, (line, name, said)
        assert order.actor == operator.ADA.email
        assert terminal.wait() == 1, terminal.shown  # it was cancelled
        if "date" in line:
            assert re.search(r"2025-08-21 14:\d\d IDT \(2025-08-21 11:\d\d UTC\)", terminal.shown)

    world.command(command="resume", system="cvplus")
    for line, groups in ((BY_GROUP, {"processing"}), (SCRIPTS[0], world.policy.groups.keys())):
        terminal, _ = play(world, line, folder)
        world.cloud.clock.rescale(SCALE)
        assert terminal.wait() == 0, terminal.shown
        assert newest(world).status is RollbackStatus.SUCCEEDED
        back = {name for name, serving in world.live.items() if serving == world.stable[name]}
        assert back == {name for name, group in world.policy.functions.items() if group in groups}
