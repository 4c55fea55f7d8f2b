import json
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.app import app
from local.cloud import Cloud
from local.core.clock import CloudClock
from local.installation import push_subscriptions
from local.installation.provisioning import audit_bucket
from local.services.storage.conditions import Preconditions
from responders.console.actions import ACTION_DESCRIPTIONS
from shared.core.store import Put, Query
from shared.domain.deployments.images import retention_command
from shared.wiring.settings import LOCAL_CLOUD_VARIABLE
from tests.e2e.support.world import responders
from tests.support.cli import operator
from tests.support.cli.documented_commands import (
    ASKED,
    ASKED_OF_GITHUB,
    AUDITED,
    CLI,
    COMMANDS,
    CVPLUS,
    EXPORTED,
    FIREBASE,
    IDENTIFIED,
    IDENTITY,
    LIVE,
    MADE,
    ON_THE_PATH,
    PAGES,
    PEOPLE,
    PUBLISHED,
    REPLAYED,
    ROOT,
    SCRIPTS,
    SERVED,
    SET_UP,
    SIGNING_IN,
    TERRAFORM,
)
from tests.support.notices.audit_history import ANCHORED, DOCUMENTS, LIVED, NOW
from tests.support.runtime.world import POLICIES


def test_there_is_no_command_that_nothing_tries() -> None:
    """Every command of the documentation is tried by one of the tests below, or named here."""
    known = {*IDENTIFIED, *PUBLISHED, *CLI, *REPLAYED, *AUDITED, *MADE, *SERVED}
    known |= {*LIVE, *ASKED, *TERRAFORM, *SET_UP, *PEOPLE, *EXPORTED, *ASKED_OF_GITHUB}
    known |= {*SIGNING_IN, *SCRIPTS, *FIREBASE, ON_THE_PATH}
    identified = {line for line in IDENTIFIED if line in IDENTITY}

    assert [line for line in COMMANDS if line not in known] == []
    of_a_page = {*PUBLISHED, *PEOPLE, *SIGNING_IN}
    assert {*IDENTIFIED} - identified - of_a_page == set()
    assert PUBLISHED
    assert CLI


@pytest.mark.parametrize("page", ["README.md", "docs/operate.md"])
def test_a_page_that_calls_rollback_puts_it_on_the_path(page: str) -> None:
    """Before its first line that calls it; then a shell at the top of the repository finds it."""
    lines = [line for line in (ROOT / page).read_text().splitlines() if line in COMMANDS]
    first = next(line for line in lines if line.startswith("rollback "))

    done = subprocess.run(  # noqa: S603 - lines of our own documentation
        ["/bin/sh", "-c", f"{ON_THE_PATH}; rollback --help"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert lines.index(ON_THE_PATH) < lines.index(first)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", CLI)
def test_each_command_line_does_what_it_says(line: str) -> None:
    """Run as it stands, from the top of the repository."""
    _, *arguments = shlex.split(line)

    done = subprocess.run(  # noqa: S603 - a line of our own documentation
        [ROOT / "scripts" / "rollback", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("line", FIREBASE)
def test_each_line_of_firebase_is_the_one_that_doctor_prints(line: str) -> None:
    """With a project and a region, or with the words that stand for them.

    What the embedded cloud makes of it: tests/local/services/test_artifact_registry.py.
    """
    options = dict(zip(shlex.split(line)[2::2], shlex.split(line)[3::2], strict=True))
    repository = f"{options['--location']}-docker.pkg.dev/{options['--project']}/gcf-artifacts"

    assert line == retention_command(repository)


@pytest.mark.parametrize("line", REPLAYED)
def test_each_way_to_replay_finds_the_dead_letters(line: str) -> None:
    """With nothing but the settings of the functions it reaches them, and ends well."""
    _, *arguments = shlex.split(line)
    cloud = Cloud.start([CVPLUS], seed=1, clock=CloudClock(scale=20.0), alerter=False, ticks=False)
    try:
        push_subscriptions.create_dead_letter_subscription(cloud)
        environment = {
            "GOOGLE_CLOUD_PROJECT": cloud.home,
            LOCAL_CLOUD_VARIABLE: f"http://{cloud.addresses['control']}",
        }
        done = subprocess.run(  # noqa: S603 - a line of our own documentation
            [ROOT / "scripts" / "rollback", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        cloud.stop()

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_look_at_the_audit_trail_ends_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a trail that was lived through; an export is signed, answered and on record."""
    cloud = Cloud.start([LIVED.policy], seed=1, clock=CloudClock(NOW), alerter=False, ticks=False)
    with ExitStack() as closing:
        closing.callback(cloud.stop)
        wiring, _ = responders(monkeypatch, tmp_path, cloud, closing, POLICIES)
        wiring.store.commit([Put(path, fields) for path, fields in DOCUMENTS.items()])
        for name, content in ANCHORED.items():
            cloud.buckets.put(audit_bucket(cloud.home), name, content, "", {}, Preconditions())
        operator.sign_in_at_prompt(cloud)
        monkeypatch.chdir(tmp_path)
        for line in AUDITED:
            done = operator.run_cli_line(*shlex.split(line)[1:])
            assert done.exit_code == 0, (line, done.output)
        exports = wiring.store.query(Query("commands", where=(("command", "==", "export"),)))

    assert "quarterly review" in (tmp_path / "trail.csv").read_text().splitlines()[-1]
    assert len(exports) == sum("export" in line for line in AUDITED)


SENTENCES = sorted(
    {line for page in PAGES for line in re.findall(r"`rollback ([a-z][^`]*)`", page.read_text())}
)
"""What is said at the prompt within a sentence or a table."""


@pytest.mark.parametrize("line", SENTENCES)
def test_each_line_within_a_sentence_is_one_of_the_command_line(line: str) -> None:
    """Its verb is there, and takes what stands behind it."""
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)
    assert words[0] in command.commands
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]

    if words:
        command.make_context(line, words)


@pytest.mark.parametrize("line", MADE)
def test_each_make_target_exists(line: str) -> None:
    """Make knows what it is asked for (what demo and test do is shown by running them)."""
    done = subprocess.run(  # noqa: S603 - a line of our own documentation
        ["make", "--dry-run", *shlex.split(line)[1:]],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.slice
@pytest.mark.parametrize("line", SERVED)
def test_each_way_to_start_the_embedded_cloud_serves_and_ends(line: str) -> None:
    """It says where it listens, is what a prompt looks at that names it, and ends on SIGTERM."""
    _, *arguments = shlex.split(line)
    served = subprocess.Popen(  # noqa: S603 - a line of our own documentation
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with served:
        said = json.loads(served.stdout.readline()) if served.stdout else {}
        page = (ROOT / "docs" / "embedded-cloud.md").read_text()
        named = re.search(r"`GOOGLE_CLOUD_PROJECT=(\S+)` and\s`(\w+)=http://` with its `(\w+)`", page)
        assert named
        shell = {"GOOGLE_CLOUD_PROJECT": named[1], named[2]: f"http://{said[named[3]]}"}
        looked = subprocess.run(
            [sys.executable, "-m", "cli", "status", "--system", "bookshop"],
            cwd=ROOT,
            env=shell,
            capture_output=True,
            text=True,
            timeout=60,
        )
        served.terminate()

    assert {"firestore", "pubsub", "responders"} <= said.keys()
    known, unknown = "no incident is known", "was ever written in the project"  # too early
    assert known in looked.stdout or unknown in looked.stderr, looked.stderr
    assert served.returncode == 0


def test_two_pages_say_the_same_of_gcloud_and_pins() -> None:
    """A line that lifts a pin in the one ends it in the other, and nobody verifies it in either."""
    operate, pins = ((ROOT / "docs" / name).read_text() for name in ("operate.md", "pins.md"))
    paragraphs = [one.replace("\n", " ") for one in operate.split("\n\n")]
    told = [one for one in paragraphs if "lifts a pin" in one]
    ends = {
        line: row.split("|")[3].strip()
        for row in pins.splitlines()
        if row.startswith("| `gcloud")
        for line in re.findall(r"`(gcloud [^`]+)`", row.split("|")[1])
    }

    lines = [line for one in told for line in re.findall(r"`(gcloud [^`]+)`", one)]
    assert {ends[line] for line in lines} == {"ends: moved by hand"}
    assert all(
        "nobody verifies it" in one and "](pins.md#what-other-tools-do-to-a-pin)" in one for one in told
    )
    assert "Nothing verifies or monitors the change: use `rollback unpin`" in pins


def test_the_front_page_names_what_the_console_offers() -> None:
    """Each command of it and no other: it does not have every verb of the shell."""
    page = (ROOT / "README.md").read_text()
    named = re.search(r"The console offers (.*?)\. Every other", page, re.DOTALL)

    assert named
    assert set(re.findall(r"`([a-z-]+)`", named[1])) == set(ACTION_DESCRIPTIONS)


def test_what_no_rollback_restores_is_named() -> None:
    """Runbook: "API Keys & Secrets: Backup rotation maintained"; "Static Assets: CDN-cached"."""
    page = (ROOT / "docs" / "deciding.md").read_text()
    said = page[page.index("Two things are not covered.") :].partition("\n\n")[0]

    assert "API key" in said
    assert "cache of a CDN" in said


def test_each_unverified_claim_is_confined_to_one_file() -> None:
    """The adapter that a row names is one, and is there; a name behind it stands in it."""
    page = (ROOT / "docs" / "unverified.md").read_text()
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")][1:]
    named = [re.fullmatch(r"`([\w./-]+)`(?: \((.*)\))?", row[2]) for row in rows]

    assert [row for row, found in zip(rows, named, strict=True) if found is None] == []
    for found in filter(None, named):
        content = (ROOT / found[1]).read_text()
        assert [name for name in re.findall(r"`(\w+)`", found[2] or "") if name not in content] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_somewhere(page: Path) -> None:
    """No page points at what is not there."""
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    local = [link for link in links if not link.startswith("http")]

    assert [link for link in local if not (page.parent / link).exists()] == []
