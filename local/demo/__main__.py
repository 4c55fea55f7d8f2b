"""`python -m local.demo`: play one whole emergency and check every law; `SYSTEM` names a policy.

`SCENARIO` names the way back (functions, complete, auth, feature, database), or a day of `backups`.
`CHAOS=kill` kills the worker in the middle; `FAULTS` names what makes the way back of functions
hard. `HOUR` (0 to 23, UTC) is the hour of the day at which the demo starts; without it, it is now.
`PICTURE` names the SVG file to which the main lines are written as well.
"""

import argparse
import io
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import yaml
from rich.console import Console

from local.demo import story
from local.demo.act import Scene
from local.demo.acts import backup_day, repair
from local.demo.acts.headings import Heading
from local.demo.evidence import Evidence
from local.demo.screen import Screen
from local.demo.staging.faults import RollbackFault
from local.demo.staging.processes import DemoFailed, DemoStage
from local.installation.responder_processes import NotListening
from shared.core.errors import BadConfiguration, RollbackError
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.policy_files import loader

POLICIES = Path(__file__).parent.parent.parent / "policies"
RELEASE_SCENARIOS = ("functions", "complete", "auth", "feature")
BACKUP_SCENARIO = "backups"
REPAIR_SCENARIO = "database"
"""Documents are brought back, and no code."""
PROBE = "signing-in"
OPTION_VARIABLES = ("SYSTEM", "SCENARIO", "CHAOS", "FAULTS", "HOUR", "PICTURE")
"""Environment variables that stand for the options of their names."""
MISSED_TARGET = 3
"""The exit code where every invariant holds, and a target of the runbook was missed."""
INTERRUPTED = 130
"""What a shell calls the end by Ctrl-C."""
SHOWN_LOG_LINES = 20
PICTURE_WIDTH = 100
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""What a browser would fetch from elsewhere to show the picture."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the demo; return its exit code.

    0: every invariant holds and every target is kept. 1: an invariant is broken, or the demo
    failed. 3: only a target was missed. 130: interrupted.
    """
    options = _options(arguments)
    console = Console(highlight=False, emoji=False)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        policy = loader.load_policy(options.policy)
    except BadConfiguration as refused:
        console.print(*refused.faults, sep="\n", markup=False)
        return 1
    with TemporaryDirectory(prefix="rollback-demo-") as folder:
        log = Path(folder) / "log"
        try:
            if options.scenario == BACKUP_SCENARIO:
                policy, options.policy = _with_backups(policy, options.policy, Path(folder))
            if options.scenario == ScenarioName.AUTH and not any(one.sign_in for one in policy.probes):
                policy, options.policy = _with_sign_in_probe(policy, options.policy, Path(folder))
            return _run_demo(policy, options, console, log)
        except KeyboardInterrupt:
            console.print("interrupted: everything is stopped")
            return INTERRUPTED
        except (DemoFailed, NotListening, RollbackError) as failure:
            console.print(f"✗ {failure}", markup=False, style="bold red")
            _show_log(console, log)
            return 1


def _run_demo(policy: Policy, options: argparse.Namespace, console: Console, log: Path) -> int:
    started = time.monotonic()
    picture = Console(file=io.StringIO(), record=True, width=PICTURE_WIDTH, highlight=False)
    screen = Screen(console, picture)
    screen.act(Heading.START)
    with screen.waiting("functions-framework loads main.py seven times"):
        looks_back = options.scenario in (BACKUP_SCENARIO, REPAIR_SCENARIO)
        more = ["--point-in-time-recovery"] if looks_back else []
        if options.hour is not None:
            more += ["--origin", _today_at(options.hour).isoformat()]
        stage = DemoStage.start(policy, options.policy, options.scale, log, *more)
    try:
        seconds = time.monotonic() - started
        screen.say(f"listening after {seconds:.0f} s; time runs {options.scale:g} times as fast")
        if options.scenario == BACKUP_SCENARIO:
            holds = backup_day.BackupDayAct(stage, screen).play()
        elif options.scenario == REPAIR_SCENARIO:
            holds = _play_scene(stage, screen, options, lambda scene: repair.RepairAct(scene).play())
        else:
            holds = _play_scene(stage, screen, options, story.play)
    finally:
        stage.close()
    for line in screen.disordered:
        screen.say(f"this line is older than the one before it: {line}", style="red")
    holds = holds and not screen.disordered
    screen.act(
        f"{format_verdict(screen.missed, holds=holds)}; the demo took {time.monotonic() - started:.0f} s"
    )
    if options.picture:
        svg = picture.export_svg(title="make demo", unique_id="demo")
        options.picture.write_text(FONTS.sub("", svg))
    if not holds:
        _show_log(console, log)
    return find_exit_code(screen.missed, holds=holds)


def format_verdict(missed: Sequence[str], *, holds: bool) -> str:
    """Return the last sentence: whether every invariant holds, and which targets were missed."""
    verdict = Heading.VERDICT if holds else "not every invariant holds"
    return f"{verdict}; missed targets: {', '.join(missed)}" if missed else verdict


def find_exit_code(missed: Sequence[str], *, holds: bool) -> int:
    """Return the exit code of a demo that was played to its end."""
    if not holds:
        return 1
    return MISSED_TARGET if missed else 0


def _play_scene(
    stage: DemoStage, screen: Screen, options: argparse.Namespace, play: Callable[[Scene], bool]
) -> bool:
    """Play an emergency; return whether every invariant holds, from its detection to its end."""
    policy = stage.policy
    evidence = Evidence(stage.wiring, policy, policy.project, stage.addresses["pubsub"])
    try:
        scene = Scene(
            stage,
            evidence,
            screen,
            scenario=ScenarioName(options.scenario),
            kills=options.chaos == "kill",
            fault=RollbackFault(options.faults),
        )
        return play(scene)
    finally:
        evidence.close()


def _today_at(hour: int) -> datetime:
    """Return the beginning of an hour of this day."""
    return datetime.now(UTC).replace(hour=hour, minute=0, second=0, microsecond=0)


def _with_backups(policy: Policy, file: Path, folder: Path) -> tuple[Policy, Path]:
    """The policy with backups, and the file that says so."""
    said = yaml.safe_load(file.read_text())
    said["backups"] = {**said.get("backups", {}), **backup_day.build_backup_policy_fields(policy)}
    said["integrity"] = {**said.get("integrity", {}), "every": "1h"}  # most of the day is skipped
    return _write_policy(said, folder / file.name)


def _with_sign_in_probe(policy: Policy, file: Path, folder: Path) -> tuple[Policy, Path]:
    """The policy with a probe that signs in, by which signing in is verified, and its file."""
    said = yaml.safe_load(file.read_text())
    account = {
        "email": f"probe@{policy.project}.com",
        "password_secret": "rollback-probe-password",
        "api_key_secret": "rollback-probe-key",
    }
    said["probes"] = [*said.get("probes", []), {"name": PROBE, "sign_in": account}]
    said.setdefault("verification", {})["test-account"] = {"probes": [PROBE]}
    return _write_policy(said, folder / file.name)


def _write_policy(said: dict[str, Any], file: Path) -> tuple[Policy, Path]:
    file.write_text(yaml.safe_dump(said, sort_keys=False))
    return loader.load_policy(file), file


def _show_log(console: Console, log: Path) -> None:
    """The last that cloud and responders wrote on standard error, once they were begun."""
    if not log.exists():
        return
    for line in log.read_text(errors="replace").splitlines()[-SHOWN_LOG_LINES:]:
        console.print(line, markup=False, style="dim")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    systems = sorted(file.stem for file in POLICIES.glob("*.yaml"))
    parser.add_argument("--system", choices=systems, default="cvplus", help="the policy of the demo")
    parser.add_argument("--policy", type=Path, help="the file of another policy")
    parser.add_argument(
        "--scenario",
        choices=(*RELEASE_SCENARIOS, REPAIR_SCENARIO, BACKUP_SCENARIO),
        default=RELEASE_SCENARIOS[0],
        help="the scenario; backups: a day of exports and restore tests, without a rollback",
    )
    parser.add_argument("--scale", type=float, default=10.0, help="cloud seconds per second")
    parser.add_argument(
        "--chaos",
        choices=["", "kill"],
        default="",
        help="kill: kill -9 ends the worker in the middle of the rollback",
    )
    parser.add_argument(
        "--faults",
        choices=[fault.value for fault in RollbackFault],
        default="",
        help="quota: Cloud Run refuses some writes, with a time to retry after; "
        "images-gone: some functions must be built again; one-broken: one cannot be restored",
    )
    parser.add_argument(
        "--hour", type=int, choices=range(24), help="hour of the day (UTC) at which the demo starts"
    )
    parser.add_argument("--picture", type=Path, help="an SVG file of the main lines")
    stated = [f"--{name.lower()}={os.environ[name]}" for name in OPTION_VARIABLES if os.environ.get(name)]
    options = parser.parse_args([*stated, *(sys.argv[1:] if arguments is None else arguments)])
    options.policy = options.policy or POLICIES / f"{options.system}.yaml"
    return options


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
