from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from local import delivery
from local.clock import CloudClock
from local.cloud import Cloud, audit_bucket
from local.identity import Account
from local.identity.detour import detour
from local.identity.users import code
from shared import policy_file, topics
from shared.gcp.identity import GoogleIdentity
from shared.policy import SIGNALS
from shared.ports import Put, Query
from shared.settings import LOCAL_CLOUD, Settings
from shared.wiring import Wiring
from tests.terraform.conftest import configuration
from tests.test_verification import ANCHORED, DOCUMENTS, LIVED, NOW
from tests.world import POLICIES, World

ROOT = Path(__file__).parent.parent
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "terraform" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
)
README = (ROOT / "README.md").read_text()
COMMANDED = ("promote", "run", "approve", "cancel", "retry", "pause", "resume")
OPERATE = (ROOT / "docs" / "operate.md").read_text()
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
MODULE = "\n".join(file.read_text() for file in sorted((ROOT / "terraform").glob("*.tf")))


def starting(*words: str) -> list[str]:
    return [line for line in COMMANDS if shlex.split(line)[: len(words)] == list(words)]


def is_identified(line: str) -> bool:
    """Does the line sign in, or say something with a token?"""
    return "$(" in line or any(f"-m cli {verb}" in line for verb in ("login", "logout", "token"))


IDENTIFIED = [line for line in COMMANDS if is_identified(line)]
SIGNED = re.compile(r"""--message="\$\(\.venv/bin/python -m cli sign '(.*)'\)"$""")
"""A message that the command line signs first."""
PUBLISHED = [
    line
    for line in starting("gcloud", "pubsub", "topics", "publish")
    if line not in IDENTIFIED or SIGNED.search(line)
]
LIVE = [
    line
    for line in starting(".venv/bin/python", "-m", "cli")
    if line in OPERATE and line not in IDENTIFIED
]
"""What is said to responders that are there: tests/e2e/test_operate.py says it, in order."""
ASKED = [
    line
    for line in starting(".venv/bin/python", "-m", "cli")
    if line in README and shlex.split(line)[3] in COMMANDED
]
"""What is asked of responders that are there: tests/e2e/test_readme.py asks it."""
REPLAYED = starting(".venv/bin/python", "-m", "cli", "replay")
AUDITED = starting(".venv/bin/python", "-m", "cli", "audit")
CLI = [
    line
    for line in starting(".venv/bin/python", "-m", "cli")
    if line not in (*LIVE, *ASKED, *REPLAYED, *AUDITED, *IDENTIFIED)
]
MADE = starting("make")
TERRAFORM = starting("terraform")
SET_UP = [line for line in starting("gcloud") if line not in (*PUBLISHED, *IDENTIFIED)]
"""What gcloud is asked for beside messages and tokens."""
SERVED = starting(".venv/bin/python", "-m", "local")


def test_there_is_no_command_that_nothing_tries() -> None:
    """Every command of the documentation is tried by one of the tests below, or named here."""
    known = {*IDENTIFIED, *PUBLISHED, *CLI, *REPLAYED, *AUDITED, *MADE, *SERVED}
    known |= {*LIVE, *ASKED, *TERRAFORM, *SET_UP}

    assert [line for line in COMMANDS if line not in known] == []
    assert PUBLISHED
    assert CLI


def prepared_for(message: dict[str, Any]) -> World:
    """A world in which what a command is about is there: its target, its incident, its question."""
    world = World(policy=CVPLUS)
    if "target" in message:
        world.announce(message["target"], stable=True)
    if "deployment" in message:
        world.announce(message["deployment"])
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
    """The payload of each gcloud line, fed to the entry point, is not refused.

    What is to be signed first is said where nobody asks who says it: signing is tried below.
    """
    topic = line.split()[4]
    if topic in (topics.COMMANDS, topics.OVERRIDE):
        signed = SIGNED.search(line)
        message = signed[1] if signed else shlex.split(line)[-1].removeprefix("--message=")
        world, topic = prepared_for(json.loads(message)), topics.OVERRIDE
    else:
        message = shlex.split(line)[-1].removeprefix("--message=")
        world = World(policy=CVPLUS)

    world.publish(topic, json.loads(message))
    world.settle()

    letters = [one for one in world.ports.bus.messages if one.topic == topics.DEAD_LETTERS]
    assert [one.attributes["reason"] for one in letters] == []


GCLOUD = """#!{python}
import json, os, sys, urllib.request
options = dict(word.split("=", 1) for word in sys.argv if word.startswith("--") and "=" in word)
if sys.argv[1:3] == ["auth", "print-identity-token"]:
    email = options["--impersonate-service-account"]
    asked = urllib.request.Request(
        f"{{os.environ['ROLLBACK_LOCAL_CLOUD']}}/v1/projects/-/serviceAccounts/{{email}}:generateIdToken",
        json.dumps({{"audience": options["--audiences"], "includeEmail": True}}).encode(),
        {{"Host": "iamcredentials.googleapis.com"}},
    )
    print(json.load(urllib.request.urlopen(asked))["token"])
else:
    assert sys.argv[1:4] == ["pubsub", "topics", "publish"], sys.argv
    with open("published", "a") as published:
        print(json.dumps([sys.argv[4], options["--message"]]), file=published)
"""
"""What stands in for gcloud: tokens are the embedded cloud's, messages are written down."""
ADA = Account("ada@example.com", "pw", role="admin", totp_secret="JBSWY3DPEHPK3PXP")


class Desk:
    """A person's shell at the top of the repository, beside an embedded cloud."""

    def __init__(self, folder: Path, control: str) -> None:
        self.folder = folder
        for name in (".venv", "policies"):
            (folder / name).symlink_to(ROOT / name)
        (folder / "gcloud").write_text(GCLOUD.format(python=sys.executable))
        (folder / "gcloud").chmod(0o700)
        self._environment = {
            "PATH": f"{folder}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "ROLLBACK_API_KEY": "any",
            LOCAL_CLOUD: f"http://{control}",
        }

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """What a line does when a person answers what it asks."""
        return subprocess.run(  # noqa: S603 - a line of our own documentation
            ["/bin/bash", "-o", "pipefail", "-c", line],
            cwd=self.folder,
            env=self._environment,
            input=f"{ADA.password}\n{code(ADA.totp_secret, time.time())}\n",
            start_new_session=True,  # no terminal: what is asked is answered by standard input
            capture_output=True,
            text=True,
            timeout=60,
        )

    def published(self) -> list[tuple[str, dict[str, Any]]]:
        """Topic and message of everything, in order."""
        lines = (self.folder / "published").read_text().splitlines()
        return [(topic, json.loads(message)) for topic, message in map(json.loads, lines)]


def test_the_page_on_identity_is_signed_and_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line of the page by a shell, in order; what is published is verified and carried out."""
    page = (ROOT / "docs" / "identity.md").read_text()
    lines = [line for line in IDENTIFIED if line in page]
    cloud = Cloud.start([CVPLUS], seed=1, alerter=False, ticks=False)
    cloud.identity.put(ADA)
    desk = Desk(tmp_path, cloud.addresses["control"])
    for name, value in detour(cloud.addresses["control"], tmp_path).items():
        monkeypatch.setenv(name, value)
    verifier = GoogleIdentity(CVPLUS.project, anonymous=True)
    world = World(policy=CVPLUS)
    world.ports.identity = verifier
    try:
        signed_in = desk.run(f".venv/bin/python -m cli login --email {ADA.email}")
        assert signed_in.returncode == 0, signed_in.stderr
        for line in lines:
            done = desk.run(line)
            assert done.returncode == 0, (line, done.stderr)
        world.ports.clock.jump(cloud.clock.now() - world.ports.clock.now())
        for _, message in desk.published():
            if message.get("target"):
                world.announce(message["target"], stable=True)
        world.settle()
        for topic, message in desk.published():
            world.publish(topic, message)
            world.settle()
    finally:
        verifier.close()
        cloud.stop()

    letters = [one for one in world.ports.bus.messages if one.topic == topics.DEAD_LETTERS]
    assert [one.attributes["reason"] for one in letters] == []
    assert len(desk.published()) == sum("topics publish" in line for line in lines)
    assert len(world.ports.store.query(Query("commands"))) == len(desk.published()) + 1


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


@pytest.mark.parametrize("line", AUDITED)
def test_each_look_at_the_audit_trail_ends_well(line: str, tmp_path: Path) -> None:
    """On a trail that was lived through, with its anchors."""
    _, *arguments = shlex.split(line)
    clock = CloudClock(NOW, scale=0)
    cloud = Cloud.start([LIVED.policy], seed=1, clock=clock, alerter=False, ticks=False)
    local = f"http://{cloud.addresses['control']}"
    wiring = Wiring(
        Settings(cloud.home, audit_bucket=audit_bucket(cloud.home), local_cloud=local),
        {},
        deployed=False,
    )
    try:
        wiring.store.commit([Put(path, fields) for path, fields in DOCUMENTS.items()])
        for name, content in ANCHORED.items():
            wiring.clients.storage.bucket(audit_bucket(cloud.home)).blob(name).upload_from_string(
                content
            )
        cloud.identity.put(ADA)
        for words in (["-m", "cli", "login", "--email", ADA.email], arguments):
            done = subprocess.run(  # noqa: S603 - a line of our own documentation
                [sys.executable, *words],
                cwd=tmp_path,
                env={
                    "PYTHONPATH": str(ROOT),
                    "HOME": str(tmp_path),
                    "GOOGLE_CLOUD_PROJECT": cloud.home,
                    "ROLLBACK_POLICIES": str(POLICIES),
                    "ROLLBACK_AUDIT_BUCKET": audit_bucket(cloud.home),
                    "ROLLBACK_API_KEY": "any",
                    LOCAL_CLOUD: local,
                },
                input=f"{ADA.password}\n{code(ADA.totp_secret, time.time())}\n",
                start_new_session=True,  # no terminal: standard input answers
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, done.stdout + done.stderr
    finally:
        wiring.close()
        cloud.stop()


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


@pytest.mark.parametrize("line", TERRAFORM)
def test_each_terraform_line_is_about_what_there_is(line: str) -> None:
    """Its folder is a module, its verb one of Terraform's, each address a resource of ours."""
    words = shlex.split(line)[1:]
    folder = next((word.partition("=")[2] for word in words if word.startswith("-chdir=")), "")
    verb = next(word for word in words if not word.startswith("-"))
    addresses = re.findall(r"module\.rollback\.(\w+)\.(\w+)", line)

    assert not folder or (ROOT / folder / "versions.tf").exists()
    assert verb in ("init", "validate", "test", "plan", "apply", "import", "destroy")
    assert [one for one in addresses if f'resource "{one[0]}" "{one[1]}"' not in MODULE] == []


def test_what_is_set_by_a_name_has_that_name() -> None:
    """Every name on the page is a variable, a check or an argument there is."""
    variables = set(re.findall(r'^(?:variable|check) "(\w+)"', MODULE, re.M))
    elsewhere = {
        *SIGNALS,
        *topics.ENTRY_POINTS,
        *("billing_project", "user_project_override"),  # arguments of the provider
        *("bypass_actors", "deletion_protection"),  # of a ruleset, of a secret
    }

    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", OPERATE))

    assert "pager_channels" in named
    assert named - variables - elsewhere == set()


KNOWN_TO_GCLOUD = (
    "services enable",
    "pubsub topics detach-subscription",
    "iam service-accounts disable",
    "iam service-accounts enable",
    "firestore databases update",
    "firestore databases delete",
)


@pytest.mark.parametrize("line", SET_UP)
def test_each_set_up_line_names_what_it_is_about(line: str) -> None:
    """A verb of gcloud's, a project, and a database that is ours or the application's."""
    _, *words = shlex.split(line)
    options = dict(word.split("=", 1) for word in words if "=" in word)

    assert [verb for verb in KNOWN_TO_GCLOUD if " ".join(words).startswith(verb)]
    assert options["--project"]
    assert options.get("--database", "rollback") in ("rollback", "(default)")


def test_the_second_stop_is_what_terraform_tells() -> None:
    """Its two lines are the output emergency_stop, and each is lifted by a line of the page."""
    stop = configuration("minimal").outputs["rollback"]["emergency_stop"]

    assert [line for line in SET_UP if line in stop] == stop
    assert stop[1].replace("disable", "enable") in SET_UP
    assert any('push["rollback-work"]' in line for line in TERRAFORM)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_somewhere(page: Path) -> None:
    """No page points at what is not there."""
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    local = [link for link in links if not link.startswith("http")]

    assert [link for link in local if not (page.parent / link).exists()] == []
