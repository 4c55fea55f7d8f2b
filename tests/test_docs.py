from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local import delivery
from local.clock import CloudClock
from local.cloud import Cloud
from shared import policy_file, topics
from shared.settings import LOCAL_CLOUD
from tests.world import POLICIES, World

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
CVPLUS = policy_file.load(POLICIES / "cvplus.yaml")


def commands() -> list[str]:
    """Every line of every shell block of the documentation."""
    blocks = [
        block
        for page in PAGES
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), flags=re.DOTALL)
    ]
    return [line for block in blocks for line in block.strip().splitlines()]


COMMANDS = commands()


def starting(*words: str) -> list[str]:
    return [line for line in COMMANDS if shlex.split(line)[: len(words)] == list(words)]


PUBLISHED = starting("gcloud", "pubsub", "topics", "publish")
REPLAYED = starting(".venv/bin/python", "-m", "cli", "replay")
CLI = [line for line in starting(".venv/bin/python", "-m", "cli") if line not in REPLAYED]
MADE = starting("make")
SERVED = starting(".venv/bin/python", "-m", "local")


def test_there_is_no_command_that_nothing_tries() -> None:
    """Every command of the documentation is tried by one of the tests below, or named here."""
    known = {*PUBLISHED, *CLI, *REPLAYED, *MADE, *SERVED}

    assert [line for line in COMMANDS if line not in known] == []
    assert PUBLISHED
    assert CLI


def prepared_for(message: dict[str, Any]) -> World:
    """A world in which what a command is about is there: its target, its incident, its question."""
    world = World(policy=CVPLUS)
    if "target" in message:
        world.announce(message["target"], stable=True)
    if "incident" in message:
        world.command(command="promote", system="cvplus", mode="ask")
        world.settle()
        world.deploy_bad()
        world.alert()
    world.settle()
    if message["command"] in ("retry", "accept"):
        world.command(command="reject", system="cvplus", incident=message["incident"])
    if message["command"] == "release":
        world.command(command="hold", system="cvplus", incident=message["incident"])
    world.settle()
    return world


@pytest.mark.parametrize("line", PUBLISHED)
def test_what_gcloud_would_publish_is_understood(line: str) -> None:
    """The payload of each gcloud line, fed to the entry point, is not refused."""
    *_, topic, option = shlex.split(line)
    message: dict[str, Any] = json.loads(option.removeprefix("--message="))
    world = prepared_for(message) if topic == topics.COMMANDS else World(policy=CVPLUS)

    world.publish(topic, message)
    world.settle()

    letters = [one for one in world.ports.bus.messages if one.topic == topics.DEAD_LETTERS]
    assert letters == []


@pytest.mark.parametrize("line", CLI)
def test_each_command_line_does_what_it_says(line: str) -> None:
    """Run as it stands, from the top of the repository."""
    _, *arguments = shlex.split(line)

    done = subprocess.run(  # noqa: S603 - a line of our own documentation
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("line", REPLAYED)
def test_each_way_to_replay_finds_the_dead_letters(line: str) -> None:
    """With nothing but the settings of the functions it reaches them, and ends well."""
    _, *arguments = shlex.split(line)
    cloud = Cloud.start([CVPLUS], seed=1, clock=CloudClock(scale=20.0), alerter=False, ticks=False)
    try:
        delivery.keep_letters(cloud)
        environment = {
            "GOOGLE_CLOUD_PROJECT": cloud.home,
            LOCAL_CLOUD: f"http://{cloud.addresses['control']}",
        }
        done = subprocess.run(  # noqa: S603 - a line of our own documentation
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        cloud.stop()

    assert done.returncode == 0, done.stdout + done.stderr


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


@pytest.mark.parametrize("line", SERVED)
def test_each_way_to_start_the_embedded_cloud_serves_and_ends(line: str) -> None:
    """It says where it listens, and ends on SIGTERM."""
    _, *arguments = shlex.split(line)
    served = subprocess.Popen(  # noqa: S603 - a line of our own documentation
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with served:
        said = json.loads(served.stdout.readline()) if served.stdout else {}
        served.terminate()

    assert {"firestore", "pubsub", "responders"} <= said.keys()
    assert served.returncode == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_leads_somewhere(page: Path) -> None:
    """No page points at what is not there."""
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    local = [link for link in links if not link.startswith("http")]

    assert [link for link in local if not (page.parent / link).exists()] == []
