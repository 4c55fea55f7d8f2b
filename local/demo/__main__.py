"""`python -m local.demo`: play one whole emergency and check every law; `SYSTEM` names a policy.

`CHAOS=kill` kills the worker in the middle.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

from rich.console import Console

from local.demo import story
from local.demo.evidence import Evidence
from local.demo.scene import Scene
from local.demo.screen import Screen
from local.demo.stage import Broken, Stage
from shared import policy_file
from shared.errors import BadConfiguration, RollbackError
from shared.policy import Policy

POLICIES = Path(__file__).parent.parent.parent / "policies"
INTERRUPTED = 130
"""What a shell calls the end by Ctrl-C."""
LAST_LINES = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 every law holds, 1 one does not or the play broke off, 130 interrupted."""
    options = _options(arguments)
    console = Console(highlight=False, emoji=False)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        policy = policy_file.load(options.policy)
    except BadConfiguration as refused:
        console.print(*refused.faults, sep="\n", markup=False)
        return 1
    with TemporaryDirectory(prefix="rollback-demo-") as folder:
        log = Path(folder) / "log"
        try:
            return _play(policy, options, console, log)
        except KeyboardInterrupt:
            console.print("interrupted: everything is stopped")
            return INTERRUPTED
        except (Broken, RollbackError) as failure:
            console.print(f"✗ {failure}", markup=False, style="bold red")
            _show_log(console, log)
            return 1


def _play(policy: Policy, options: argparse.Namespace, console: Console, log: Path) -> int:
    started = time.monotonic()
    screen = Screen(console)
    screen.act("Starting the embedded cloud and six responders")
    with screen.waiting("functions-framework loads main.py six times"):
        stage = Stage.start(policy, options.policy, options.scale, log)
    try:
        seconds = time.monotonic() - started
        screen.say(f"listening after {seconds:.0f} s; time runs {options.scale:g} times as fast")
        evidence = Evidence(stage.wiring, policy, policy.project, stage.addresses["pubsub"])
        try:
            holds = story.play(Scene(stage, evidence, screen, kills=options.chaos == "kill"))
        finally:
            evidence.close()
    finally:
        stage.close()
    verdict = "every law holds" if holds else "not every law holds"
    screen.act(f"{verdict}; the demo took {time.monotonic() - started:.0f} s")
    if not holds:
        _show_log(console, log)
    return 0 if holds else 1


def _show_log(console: Console, log: Path) -> None:
    """The last that cloud and responders wrote on standard error."""
    for line in log.read_text(errors="replace").splitlines()[-LAST_LINES:]:
        console.print(line, markup=False, style="dim")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    default = POLICIES / f"{os.environ.get('SYSTEM') or 'cvplus'}.yaml"
    parser.add_argument("--policy", type=Path, default=default, help="the system to play")
    parser.add_argument("--scale", type=float, default=10.0, help="cloud seconds per second")
    parser.add_argument(
        "--chaos",
        choices=["", "kill"],
        default=os.environ.get("CHAOS", ""),
        help="kill: the worker dies by kill -9 in the middle",
    )
    return parser.parse_args(arguments)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
