"""What every verb of `rollback` has in common."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.app import app
from cli.support import exit_codes
from cli.support.context import open_operations
from cli.support.exit_codes import INTERRUPTED, INVALID_USAGE, NO_ANSWER, REFUSED
from local.cloud import Cloud
from local.core.clock import CloudClock
from local.installation import push_subscriptions
from local.installation.provisioning import audit_bucket
from shared.core.store import Create, Put
from shared.policy_files import loader
from shared.wiring.settings import EMULATOR_VARIABLES, LOCAL_CLOUD_VARIABLE
from tests.support.cli.in_process import WorldPrompt
from tests.support.runtime.world import POLICIES, World

ROOT = Path(__file__).parent.parent.parent
EXIT_CODES = (0, REFUSED, INVALID_USAGE, NO_ANSWER, INTERRUPTED)


def verbs(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every verb that does something, by what is typed."""
    below = getattr(command, "commands", {})
    if not below or getattr(command, "invoke_without_command", False):
        yield name, command
    for word, one in below.items():
        yield from verbs(one, f"{name} {word}".strip())


VERBS = dict(verbs(typer.main.get_command(app)))


def test_every_verb_prints_json_for_programs() -> None:
    """`--json` may be said to each of them."""
    options = {name: {word for one in verb.params for word in one.opts} for name, verb in VERBS.items()}

    assert len(VERBS) > 30
    assert [name for name, known in options.items() if "--json" not in known] == []


def test_the_exit_codes_are_documented_where_they_are_looked_for() -> None:
    """All of them in the help of the whole, in the module that owns them, and on the page."""
    said = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    page = (ROOT / "docs" / "commands.md").read_text()

    for code in EXIT_CODES:
        assert re.search(rf"\b{code} [a-zC]", said), code
        assert re.search(rf"^{code} ", exit_codes.__doc__ or "", re.M), code
        assert f"| {code} |" in page, code


COMPLETED = (
    ("rollback sta", "status"),
    ("rollback deployments mark-b", "mark-bad mark-barrier"),
    ("rollback run --batch", "--batch-size"),
    ("rollback run --group cv-pro", "cv-processing"),
    ("rollback run --system boo", "bookshop"),
    ("rollback drill --function processC", "processCV"),
)
"""What is typed, and what the tab key makes of its last word."""


@pytest.mark.parametrize(("typed", "offered"), COMPLETED)
def test_a_shell_completes_verbs_options_and_names(
    typed: str, offered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As bash asks for it; names of systems, groups and functions are those of the policies."""
    monkeypatch.setenv("ROLLBACK_POLICIES", str(POLICIES))
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    asked = {"_ROLLBACK_COMPLETE": "complete_bash", **words}

    done = CliRunner().invoke(app, [], prog_name="rollback", env=asked)

    assert sorted(done.output.split()) == offered.split()


def test_policies_that_cannot_be_read_complete_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The line that is being typed stays as it is."""
    monkeypatch.setenv("ROLLBACK_POLICIES", str(tmp_path / "none"))
    words = {"COMP_WORDS": "rollback run --group x", "COMP_CWORD": "3"}

    done = CliRunner().invoke(
        app, [], prog_name="rollback", env={"_ROLLBACK_COMPLETE": "complete_bash", **words}
    )

    assert (done.exit_code, done.output.strip()) == (0, "")


def test_it_is_called_by_the_name_that_every_text_uses(tmp_path: Path) -> None:
    """`scripts/rollback` runs from anywhere, also through a link; bash can complete it."""
    (tmp_path / "rollback").symlink_to(ROOT / "scripts" / "rollback")

    done = subprocess.run(  # noqa: S603 - our own
        [str(tmp_path / "rollback"), "--show-completion", "bash"],
        cwd=tmp_path,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",  # or it looks at who started us
        },
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert "complete -o default -F _rollback_completion rollback" in done.stdout


EMPTY = (
    ("deployments --system bookshop", "none is recorded yet; `rollback deployments baseline`"),
    ("deploy-lock bookshop", "bookshop is free"),
    ("audit show --system bookshop", "no event is stored of bookshop"),
    ("audit verify --all", "no audit log is stored or anchored"),
    ("replay", "no refused message is stored"),
    ("replay --reason x", "no refused message matches"),
)
"""A look, and what it says where nothing has happened yet."""


@pytest.mark.parametrize(
    "line",
    [
        "status",
        "deploy-lock bookshop",
        "pins",
        "deployments",
        "run --reason broken --dry-run",
        "explain INC-20260302-001",
        "audit show --system bookshop",
    ],
)
def test_a_project_without_any_state_is_named(
    line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exit code 2: "no incident" or "free" of a wrong project is no answer."""
    prompt = WorldPrompt(monkeypatch, tmp_path, world := World())
    world.store._stored.clear()

    done = prompt.say(*line.split())

    assert done.exit_code == 2
    assert done.output.startswith("no state of bookshop was ever written in the project ")


@pytest.mark.parametrize("path", ["pages/bookshop", "probes/bookshop"])
def test_a_project_with_a_page_or_probes_is_no_wrong_project(
    path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both are written before the first command and the first inventory."""
    prompt = WorldPrompt(monkeypatch, tmp_path, world := World())
    world.store._stored.clear()
    world.store.commit([Put(path, {"system": "bookshop"})])

    done = prompt.say("status")

    assert (done.exit_code, "no incident is known" in done.output) == (0, True)


def test_where_nothing_has_happened_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """With exit code 0: nothing is wrong with a project that is new."""
    policies = [*loader.load_policies(POLICIES).values()]
    cloud = Cloud.start(policies, seed=1, clock=CloudClock(scale=20.0), alerter=False, ticks=False)
    try:
        push_subscriptions.create_dead_letter_subscription(cloud)
        for name in ("K_SERVICE", *EMULATOR_VARIABLES):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", cloud.home)
        monkeypatch.setenv("ROLLBACK_POLICIES", str(POLICIES))
        monkeypatch.setenv("ROLLBACK_AUDIT_BUCKET", audit_bucket(cloud.home))
        monkeypatch.setenv(LOCAL_CLOUD_VARIABLE, f"http://{cloud.addresses['control']}")
        with open_operations() as ours:
            ours.wiring.store.commit([Create("pages/bookshop", {"system": "bookshop"})])
        done = {line: CliRunner().invoke(app, line.split()) for line, _ in EMPTY}
    finally:
        cloud.stop()

    assert {line: one.exit_code for line, one in done.items()} == dict.fromkeys(done, 0)
    assert [line for line, said in EMPTY if said not in done[line].stdout] == []


@pytest.mark.parametrize("line", ["status", "replay", "audit verify --all", "doctor"])
def test_whoever_has_not_signed_in_to_google_is_told_how(
    line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In one sentence, whichever product is asked first; exit code 2."""
    for name in ("K_SERVICE", LOCAL_CLOUD_VARIABLE, *EMULATOR_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "bookshop-prod")
    monkeypatch.setenv("ROLLBACK_POLICIES", str(POLICIES))
    monkeypatch.setenv("ROLLBACK_AUDIT_BUCKET", "bookshop-prod-rollback-audit")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))

    done = CliRunner().invoke(app, line.split())

    assert done.exit_code == INVALID_USAGE
    assert "gcloud auth application-default login" in done.stderr
    assert len(done.stderr.splitlines()) == 1
