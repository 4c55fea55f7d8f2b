from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pygohcl
import pytest
import typer
from msgspec.structs import replace

from cli.app import app
from local import delivery
from local.clock import CloudClock
from local.cloud import Cloud
from local.identity import Account
from local.identity.detour import detour
from local.identity.users import code
from local.provisions import audit_bucket
from local.storage.conditions import Conditions
from responders.concerning import LOOKED_AT
from shared import backing, policy_file, status_rendering, topics
from shared.audience import Audience
from shared.credential import unverified
from shared.documents import encode
from shared.gcp.identity import GoogleIdentity
from shared.policy import SIGNALS
from shared.ports import Put, Query
from shared.prober import HttpProber
from shared.resources import BackupRules
from shared.settings import LOCAL_CLOUD
from tests import person
from tests.e2e.world import responders
from tests.fakes.clock import START
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
IDENTITY = (ROOT / "docs" / "identity.md").read_text()
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


COMMANDS = list(dict.fromkeys(commands()))
"""Each once: a page may show what another one tells of."""
MODULE = "\n".join(file.read_text() for file in sorted((ROOT / "terraform").glob("*.tf")))


def starting(*words: str) -> list[str]:
    return [line for line in COMMANDS if shlex.split(line)[: len(words)] == list(words)]


BY_THEMSELVES = ("audit", "replay", "parse", "policy", "enrol", "login", "token", "logout")
"""Verbs whose lines have tests of their own."""


def verb_of(line: str) -> str:
    """What a line at the prompt says: the verb, or that of its group."""
    words = [word for word in shlex.split(line)[3:] if not word.startswith("--")]
    return words[1] if words[1:2] and words[1].startswith("mark-") else words[0]


def is_identified(line: str) -> bool:
    """Does the line sign in, or say something with a token?"""
    verbs = ("enrol", "login", "logout", "token")
    return "$(" in line or any(f"-m cli {verb}" in line for verb in verbs)


IDENTIFIED = [line for line in COMMANDS if is_identified(line)]
SIGNED = re.compile(r"""--message="\$\(\.venv/bin/python -m cli sign '(.*)'\)"$""")
"""A message that the command line signs first."""
PUBLISHED = [
    line
    for line in starting("gcloud", "pubsub", "topics", "publish")
    if (line not in IDENTIFIED or SIGNED.search(line))
]
LIVE = sorted(
    (
        line
        for line in starting(".venv/bin/python", "-m", "cli")
        if line in OPERATE and line not in IDENTIFIED
    ),
    key=OPERATE.index,
)
"""What is said to responders that are there: tests/e2e/test_operate.py says it, in order."""
ASKED = [
    line
    for line in starting(".venv/bin/python", "-m", "cli")
    if line in README and verb_of(line) not in BY_THEMSELVES
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
PEOPLE = [
    line
    for block in re.findall(
        r"```sh\n(.*?)```",
        OPERATE[OPERATE.index("## 3. People") : OPERATE.index("## 4.")],
        flags=re.DOTALL,
    )
    for line in block.strip().splitlines()
]
"""From a project where nobody can sign in to somebody who has."""
SIGNING_IN = [
    line
    for block in re.findall(
        r"```sh\n(.*?)```", OPERATE[OPERATE.index("## A test account") :], flags=re.DOTALL
    )[:1]
    for line in block.strip().splitlines()
]
"""From a project without a test account to a probe that signs in."""
EXPORTED = [line for line in starting("export") if line not in IDENTIFIED]
ASKED_OF_GITHUB = starting("gh", "api")
BY_A_SHELL = (*PUBLISHED, *IDENTIFIED, *PEOPLE, *SIGNING_IN)
SET_UP = [line for line in starting("gcloud") if line not in BY_A_SHELL]
"""What gcloud is asked for beside messages and tokens."""
SERVED = starting(".venv/bin/python", "-m", "local")


def test_there_is_no_command_that_nothing_tries() -> None:
    """Every command of the documentation is tried by one of the tests below, or named here."""
    known = {*IDENTIFIED, *PUBLISHED, *CLI, *REPLAYED, *AUDITED, *MADE, *SERVED}
    known |= {*LIVE, *ASKED, *TERRAFORM, *SET_UP, *PEOPLE, *EXPORTED, *ASKED_OF_GITHUB}
    known |= {*SIGNING_IN}
    identified = {line for line in IDENTIFIED if line in IDENTITY}

    assert [line for line in COMMANDS if line not in known] == []
    of_a_page = {*PUBLISHED, *PEOPLE, *SIGNING_IN}
    assert {*IDENTIFIED} - identified - of_a_page == set()
    assert PUBLISHED
    assert CLI


def prepared_for(message: dict[str, Any]) -> World:
    """A world in which what a command is about is there: its target, its incident, its question."""
    world = World(policy=CVPLUS)
    if "restore_point" in message:
        world.ports.clock.jump(-timedelta(hours=2))
        world.ports.databases.hold_documents(CVPLUS.backups.database, users=1)
        world.ports.clock.jump(timedelta(hours=2))
    if "target" in message:
        world.announce(message["target"], stable=True)
    if "deployment" in message and "command" in message:
        world.announce(message["deployment"])
    if message.get("command") in ("undo", "unpin"):
        taken_back(world)
    elif "incident" in message:
        world.command(command="promote", system="cvplus", mode="ask")
        world.settle()
        world.deploy_bad()
        world.alert()
    world.settle()
    if message.get("command") in ("retry", "accept"):
        world.command(command="reject", system="cvplus", incident=message["incident"])
    if message.get("command") == "unpin":
        world.command(command="accept", system="cvplus", incident=world.incidents()[-1].id)
    held_before(world, message)
    world.settle()
    return world


def held_before(world: World, message: dict[str, Any]) -> None:
    """What is to be held lies there; what is to be released is held."""
    if "backup" in message:
        exported(world, message["backup"])
    if message.get("command") == "release":
        world.command(**{**message, "command": "hold", "id": "before"})


def exported(world: World, name: str) -> None:
    """An export of that name lies whole where it should."""
    at = datetime.strptime(name.rpartition("-")[2], "%Y%m%dT%H%MZ").replace(tzinfo=UTC)
    rules = replace(CVPLUS, backups=replace(CVPLUS.backups, bucket="exports"))
    made = backing.kept(backing.begun(rules, at, at), at)
    assert made.id == name
    world.ports.mirrors.buckets["exports"] = {f"{made.folder}/all": b"whole"}
    world.ports.store.commit([Put(backing.path(name), encode(made))])


def taken_back(world: World) -> None:
    """A bad release is taken back, and somebody has ended the watch."""
    world.deploy_bad(["healthCheck"])
    world.command(command="rollback", system="cvplus", auto_confirm=True)
    world.settle()
    world.command(command="cancel", system="cvplus", incident=world.incidents()[-1].id)
    world.settle()


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, GoogleIdentity]]:
    """A cloud where people sign in while the worlds' trouble is fresh, and who verifies them."""
    clock = CloudClock(START + timedelta(minutes=20))
    cloud = Cloud.start([CVPLUS], seed=1, clock=clock, alerter=False, ticks=False)
    verifier = GoogleIdentity(CVPLUS.project, anonymous=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(LOCAL_CLOUD, f"http://{cloud.addresses['control']}")
        person.at_home(patch, cloud, tmp_path_factory.mktemp("signing"))
        yield cloud, verifier
    verifier.close()
    cloud.stop()


@pytest.mark.parametrize("line", PUBLISHED)
def test_what_gcloud_would_publish_is_understood(
    line: str, signing: tuple[Cloud, GoogleIdentity]
) -> None:
    """The payload of each gcloud line, fed to the entry point, is not refused.

    What is signed is signed by a person who has just signed in, and Google's libraries say so.
    """
    cloud, verifier = signing
    topic, signed = line.split()[4], SIGNED.search(line)
    said = signed[1] if signed else shlex.split(line)[-1].removeprefix("--message=")
    assert (topic == topics.COMMANDS) is bool(signed)
    world = prepared_for(json.loads(said))
    if signed:
        person.sign_in(cloud)
        said = person.say("sign", said).stdout
        world.ports.identity = verifier
        world.ports.clock.jump(cloud.clock.now() - world.ports.clock.now())

    world.publish(topic, json.loads(said))
    world.settle()

    letters = [one for one in world.ports.bus.messages if one.topic == topics.DEAD_LETTERS]
    assert [one.attributes["reason"] for one in letters] == []


GCLOUD = """#!{python}
import json, os, sys, urllib.request
options = dict(word.split("=", 1) for word in sys.argv if word.startswith("--") and "=" in word)
if sys.argv[1:3] == ["auth", "print-access-token"]:
    print("an access token")
elif sys.argv[1:3] == ["services", "api-keys"]:
    assert sys.argv[3] in ("create", "get-key-string") and options["--project"], sys.argv
    if sys.argv[3] == "get-key-string":
        assert options["--format"] == "value(keyString)", sys.argv
        print("any")
elif sys.argv[1:4] == ["secrets", "versions", "add"]:
    file = options["--data-file"]
    with open(f"secret {{sys.argv[4]}}", "w") as secret:
        secret.write(sys.stdin.read() if file == "-" else open(file).read())
elif sys.argv[1:3] == ["auth", "print-identity-token"]:
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
"""What stands in for gcloud: tokens are the embedded cloud's, messages and secrets are kept."""
CURL = """#!{python}
import json, os, sys, urllib.error, urllib.parse, urllib.request
words, headers, method, body = sys.argv[1:], {{}}, "POST", b""
while words:
    match words.pop(0):
        case "--fail-with-body" | "--silent" | "--show-error":
            pass
        case "--header":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        case "--request":
            method = words.pop(0)
        case "--json":
            body = words.pop(0)
            body = sys.stdin.buffer.read() if body == "@-" else body.encode()
        case address:
            url = urllib.parse.urlsplit(address)
assert headers["Authorization"] == "Bearer an access token", headers
assert headers["x-goog-user-project"] == os.environ["GOOGLE_CLOUD_PROJECT"], headers
place = os.environ["CONFIGURATION" if url.path.startswith("/admin/v2") else "ACCOUNTS"]
headers |= {{"Host": url.netloc, "Content-Type": "application/json"}}
address = f"http://{{place}}{{url.path}}?{{url.query}}"
asked = urllib.request.Request(address, body, headers, method=method)
try:
    print(urllib.request.urlopen(asked).read().decode())
except urllib.error.HTTPError as refused:
    print(refused.read().decode())
    sys.exit(22)
"""
"""What stands in for curl: Google's hosts are the embedded cloud's."""


class Desk:
    """A person's shell at the top of the repository, beside an embedded cloud."""

    def __init__(self, folder: Path, addresses: Mapping[str, str]) -> None:
        self.folder = folder
        control = addresses["control"]
        for name in (".venv", "policies"):
            (folder / name).symlink_to(ROOT / name)
        for name, script in {"gcloud": GCLOUD, "curl": CURL}.items():
            (folder / name).write_text(script.format(python=sys.executable))
            (folder / name).chmod(0o700)
        self._environment = {
            "PATH": f"{folder}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "ROLLBACK_API_KEY": "any",
            LOCAL_CLOUD: f"http://{control}",
            "ACCOUNTS": control,
            "CONFIGURATION": addresses["rest"],
        }

    def run(self, line: str, who: Account = person.ADA) -> subprocess.CompletedProcess[str]:
        """What a line does when a person answers what it asks."""
        return subprocess.run(  # noqa: S603 - a line of our own documentation
            ["/bin/bash", "-o", "pipefail", "-c", line],
            cwd=self.folder,
            env=self._environment,
            input=person.answers(who),
            start_new_session=True,  # no terminal: what is asked is answered by standard input
            capture_output=True,
            text=True,
            timeout=60,
        )

    def read(self, name: str) -> str:
        """What was added to a secret last."""
        return (self.folder / f"secret {name}").read_text()

    def enrol(self, line: str, password: str) -> str:
        """A person enrols the app that a line asks for; its secret."""
        begun = subprocess.Popen(  # noqa: S603 - a line of our own documentation
            ["/bin/bash", "-c", line],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
            bufsize=1,
        )
        with begun:
            assert begun.stdin is not None
            assert begun.stderr is not None
            begun.stdin.write(f"{password}\n")
            told = (re.search(r"Secret .*: ([A-Z2-7]+)$", said) for said in begun.stderr)
            secret = next(found[1] for found in told if found)
            _, said = begun.communicate(f"{code(secret, time.time())}\n", timeout=60)
        assert begun.returncode == 0, said
        return secret

    def published(self) -> list[tuple[str, dict[str, Any]]]:
        """Topic and message of everything, in order."""
        lines = (self.folder / "published").read_text().splitlines()
        return [(topic, json.loads(message)) for topic, message in map(json.loads, lines)]


def test_the_page_on_identity_is_signed_and_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line of the page by a shell, in order; what is published is verified and carried out."""
    lines = [line for line in IDENTIFIED if line in IDENTITY]
    cloud = Cloud.start([CVPLUS], seed=1, alerter=False, ticks=False)
    cloud.identity.put(person.ADA)
    desk = Desk(tmp_path, cloud.addresses)
    for name, value in detour(cloud.addresses["control"], tmp_path).items():
        monkeypatch.setenv(name, value)
    verifier = GoogleIdentity(CVPLUS.project, anonymous=True)
    world = World(policy=CVPLUS)
    world.ports.identity = verifier
    try:
        signed_in = desk.run(f".venv/bin/python -m cli login --email {person.ADA.email}")
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
    of_the_world = 2  # a drill and a promotion
    assert len(world.ports.store.query(Query("commands"))) == len(desk.published()) + of_the_world


def test_somebody_can_command_a_project_that_nobody_could_sign_in_to(tmp_path: Path) -> None:
    """The lines of the page on operating, in order: Ada is made, enrols, signs in, and is admin."""
    *made, enrol, login = PEOPLE
    cloud = Cloud.start([CVPLUS], seed=1, alerter=False, ticks=False)
    desk = Desk(tmp_path, cloud.addresses)
    [project] = EXPORTED
    try:
        done = desk.run("\n".join(["set -eu", project, *made]))
        assert done.returncode == 0, done.stderr
        password = re.search(r"^[0-9a-f]{24}$", done.stderr, flags=re.M)
        assert password is not None
        ada = replace(person.ADA, password=password[0], totp_secret=desk.enrol(enrol, password[0]))
        signed_in = desk.run(login, ada)
        assert signed_in.returncode == 0, signed_in.stderr
        _, claims = unverified(desk.run(".venv/bin/python -m cli token").stdout.strip())
        config = httpx.get(
            f"http://{cloud.addresses['rest']}/admin/v2/projects/cvplus/config",
            headers={"Host": "identitytoolkit.googleapis.com"},
        )
    finally:
        cloud.stop()

    assert (claims["email"], claims["rollback_role"]) == (person.ADA.email, "admin")
    assert claims["firebase"]["sign_in_second_factor"] == "totp"
    assert config.json()["monitoring"]["requestLogging"]["enabled"] is True
    assert config.json()["mfa"]["state"] == "ENABLED"


def test_a_test_account_is_made_and_signs_in(tmp_path: Path) -> None:
    """The lines of the page, in order, and the probe that the policy shows beside its own."""
    text = (POLICIES / "cvplus.yaml").read_text()
    shown = re.sub(r"^  # (- name: signing-in|  .*)$", r"  \1", text, flags=re.M)
    [probe] = (one for one in policy_file.loads(shown, "cvplus.yaml").probes if one.sign_in)
    as_admin, project = next(line for line in PEOPLE if line.startswith("as_admin()")), EXPORTED[0]
    cloud = Cloud.start([CVPLUS], seed=1, alerter=False, ticks=False)
    desk = Desk(tmp_path, cloud.addresses)
    prober = HttpProber(lambda _: cloud.addresses["control"], secrets=lambda: desk)
    try:
        done = desk.run("\n".join(["set -eu", project, as_admin, *SIGNING_IN]))
        assert done.returncode == 0, done.stderr
        answer = prober.ask(probe)
    finally:
        cloud.stop()

    assert answer.passed, answer.detail
    assert not (tmp_path / "probe.txt").exists()


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


def test_each_look_at_the_audit_trail_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a trail that was lived through; an export is signed, answered and on record."""
    cloud = Cloud.start([LIVED.policy], seed=1, clock=CloudClock(NOW), alerter=False, ticks=False)
    with ExitStack() as closing:
        closing.callback(cloud.stop)
        wiring, _ = responders(monkeypatch, tmp_path, cloud, closing, POLICIES)
        wiring.store.commit([Put(path, fields) for path, fields in DOCUMENTS.items()])
        for name, content in ANCHORED.items():
            cloud.buckets.put(audit_bucket(cloud.home), name, content, "", {}, Conditions())
        person.sign_in(cloud)
        monkeypatch.chdir(tmp_path)
        for line in AUDITED:
            done = person.say(*shlex.split(line)[3:])
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


@pytest.mark.parametrize("line", SERVED)
def test_each_way_to_start_the_embedded_cloud_serves_and_ends(line: str) -> None:
    """It says where it listens, is what a prompt looks at that names it, and ends on SIGTERM."""
    _, *arguments = shlex.split(line)
    served = subprocess.Popen(  # noqa: S603 - a line of our own documentation
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with served:
        said = json.loads(served.stdout.readline()) if served.stdout else {}
        named = re.search(
            r"`GOOGLE_CLOUD_PROJECT=(\S+)` and `(\w+)=http://` with its `(\w+)`", README
        )
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
    assert "no incident is known" in looked.stdout, looked.stderr
    assert served.returncode == 0


@pytest.mark.parametrize("line", TERRAFORM)
def test_each_terraform_line_is_about_what_there_is(line: str) -> None:
    """Its folder is a module, its verb one of Terraform's, each address a resource of ours."""
    words = shlex.split(line)[1:]
    folder = next((word.partition("=")[2] for word in words if word.startswith("-chdir=")), "")
    verb = next(word for word in words if not word.startswith("-"))
    addresses = re.findall(r"module\.rollback\.(\w+)\.(\w+)", line)

    assert not folder or [*(ROOT / folder).glob("*.tf")]
    assert verb in ("init", "validate", "test", "plan", "apply", "import", "destroy")
    assert [one for one in addresses if f'resource "{one[0]}" "{one[1]}"' not in MODULE] == []


def test_what_is_set_by_a_name_has_that_name() -> None:
    """Every name on the page is a variable, a check or an argument there is."""
    variables = set(re.findall(r'^(?:variable|check) "(\w+)"', MODULE, re.M))
    elsewhere = {
        *SIGNALS,
        *topics.ENTRY_POINTS,
        *("at_most", "on_call", "per_second", "sign_in"),  # of a policy
        *("bypass_actors", "deletion_protection"),  # of a ruleset, of a secret
    }

    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", OPERATE))

    assert "pager_channels" in named
    assert named - variables - elsewhere == set()


FLAGS = {
    "auth application-default login": set[str](),
    "auth application-default set-quota-project": set[str](),
    "auth login": set[str](),
    "billing projects link": {"--billing-account"},
    "firestore databases delete": {"--database", "--project"},
    "firestore databases update": {
        *("--database", "--enable-pitr", "--no-delete-protection", "--project"),
    },
    "iam service-accounts add-iam-policy-binding": {"--member", "--project", "--role"},
    "iam service-accounts create": {"--project"},
    "iam service-accounts disable": {"--project"},
    "iam service-accounts enable": {"--project"},
    "iam workload-identity-pools create": {"--location", "--project"},
    "iam workload-identity-pools providers create-oidc": {
        *("--attribute-condition", "--attribute-mapping", "--issuer-uri"),
        *("--location", "--project", "--workload-identity-pool"),
    },
    "pubsub topics detach-subscription": {"--project"},
    "run services update-traffic": {"--project", "--region", "--to-latest"},
    "secrets add-iam-policy-binding": {"--member", "--project", "--role"},
    "secrets create": {"--data-file", "--project"},
    "secrets versions add": {"--data-file", "--project"},
    "services api-keys create": {"--api-target", "--display-name", "--key-id", "--project"},
    "services api-keys delete": {"--project"},
    "services enable": {"--project"},
    "storage buckets create": {
        *("--location", "--project"),
        *("--public-access-prevention", "--uniform-bucket-level-access"),
    },
    "storage buckets get-iam-policy": {"--project"},
    "storage buckets update": {"--project", "--versioning"},
    "storage rm": {"--project", "--recursive"},
}
"""What gcloud is asked for, with the flags of its reference (docs.cloud.google.com/sdk/gcloud
/reference: billing, services, firestore) or of scripts that are in use; both read 2026-11."""
PROJECTS = ("cvplus", "OPERATIONS", "APPLICATION")


@pytest.mark.parametrize("line", SET_UP)
def test_each_set_up_line_names_what_it_is_about(line: str) -> None:
    """A verb of gcloud's with flags that it has, a project, a database of ours or its default."""
    _, *words = shlex.split(line)
    said = " ".join(words)
    verb = max((one for one in FLAGS if said.startswith(one)), key=len, default="")
    flags = {word.partition("=")[0] for word in words if word.startswith("--")}
    options = dict(word.split("=", 1) for word in words if "=" in word)
    named = {options.get("--project"), *words} & {*PROJECTS}

    assert verb
    assert flags <= FLAGS[verb]
    assert named or verb in ("auth login", "auth application-default login")
    assert options.get("--database", "rollback") in ("rollback", "(default)")


@pytest.mark.parametrize("line", ASKED_OF_GITHUB)
def test_what_github_is_asked_is_a_file_of_ours(line: str) -> None:
    """A ruleset is made of the ruleset."""
    words = shlex.split(line)

    assert words[2:4] == ["--method", "POST"]
    assert re.fullmatch(r"repos/[a-z]+/[a-z]+/rulesets", words[4])
    assert json.loads((ROOT / words[words.index("--input") + 1]).read_text())["rules"]


HCL = [
    block
    for page in PAGES
    for block in re.findall(r"```hcl\n(.*?)```", page.read_text(), flags=re.DOTALL)
]


@pytest.mark.parametrize("block", HCL)
def test_each_piece_of_terraform_is_terraform(block: str) -> None:
    """Terraform's own parser reads it, and there is more in it than comments."""
    assert pygohcl.loads(block)


def test_the_costs_are_those_of_what_is_provisioned() -> None:
    """What the table counts is what the minimal example makes."""
    made = configuration("minimal").resources
    asked_from = re.search(r'variable "uptime_regions".*?default +=([^\n]*)', MODULE, re.S)
    assert asked_from is not None
    checks, regions = len(CVPLUS.probes), len(re.findall(r'"\w+"', asked_from[1]))
    policies = [one for one in made if one.type == "google_monitoring_alert_policy"]
    conditions = [repr(one) for policy in policies for one in policy.values["conditions"]]
    metrics = sum(
        one.count("metric.type") + len({*re.findall(r"\w+_googleapis_com:\w+", one)})
        for one in conditions
    )
    [clock] = [
        one
        for one in made
        if one.name == "responders"
        and one.key == "on_clock"
        and one.type == "google_cloudfunctions2_function"
    ]
    [service] = clock.values["service_config"]
    builds = sum(one.type == "google_cloudfunctions2_function" for one in made)
    cpu = 3_024_000 * float(service["available_cpu"]) - 180_000
    runs = checks * regions * 43_200

    assert f"{metrics} metrics in {len(conditions)} conditions" in OPERATE
    assert f"= {round(metrics * 0.35)}, and" in OPERATE
    assert re.search(f"{checks} checks . {regions} regions .* = {runs:,} runs", OPERATE)
    assert f"a thousand | {(runs - 1_000_000) * 0.0003:.0f} |" in OPERATE
    assert f" 0.000024 = {cpu * 0.000024:.2f};" in OPERATE
    assert service["available_memory"] == "512Mi"
    counted = 43_200 * len(CVPLUS.functions) * 8
    assert f"43,200 × {len(CVPLUS.functions)} × 8 = {counted / 1e6:.0f} MB" in OPERATE  # noqa: RUF001
    assert (builds, counted < 150 * 2**20) == (6, True)  # six builds; free
    looks = timedelta(days=30) // CVPLUS.deployments.look_every
    assert f"{looks:,} looks" in OPERATE
    each_second = looks * (0.000024 + 0.5 * 0.0000025)
    assert re.search(rf"costs {looks:,} . \(.*\) = {each_second:.2f} more", OPERATE)


def test_the_budget_is_about_twice_what_minimal_costs() -> None:
    """Its rows add up to what the table says; the default of the budget is twice that."""
    rows = [line.split(" | ") for line in OPERATE.splitlines() if line.startswith("| [")]
    costs = [int(row[-1].strip(" |")) for row in rows if "which `minimal` leaves out" not in row[0]]
    [amount] = re.findall(r'variable "budget_amount".*?default +=\D*(\d+)', MODULE, re.S)

    assert f"| **{sum(costs)}** |" in OPERATE
    assert f"`budget_amount` (default {amount})" in OPERATE
    assert 1.8 <= int(amount) / sum(costs) <= 2.2


def test_the_buckets_of_minimal_are_emptied_before_it_is_destroyed() -> None:
    """Terraform deletes none that holds anything."""
    made = configuration("minimal").outputs["rollback"]["buckets"]
    [line] = [one for one in SET_UP if "rm --recursive gs://cvplus-rollback" in one]

    assert {*re.findall(r"gs://([^ ]+)", line)} == {*made.values()}


def test_the_costs_of_what_minimal_leaves_out_are_those_of_the_code() -> None:
    """How often a page is written, how many exports there are and stay, is what the rows count."""
    written = 2 * 43_200 * len(status_rendering.NAMES)
    pages = written * 0.000005, written * 0.0000004, 86_400 * (0.000024 + 0.5 * 0.0000025)
    exports = timedelta(days=30) // BackupRules().every
    kept = re.search(
        r'variable "exports".*?retention_days += optional\(number, (\d+)\)', MODULE, re.S
    )
    assert kept is not None
    held = 2 * exports // 30 * (int(kept[1]) + 7)  # Cloud Storage's own soft deletion
    costs = exports * 10 * 0.06, held * 0.026

    assert f"{written:,} writes × 0.005 a thousand = {pages[0]:.2f}" in OPERATE  # noqa: RUF001
    assert f"a thousand = {pages[1]:.2f}; `on_notice`" in OPERATE
    assert f"= {pages[2]:.2f} | {sum(pages):.0f} |" in OPERATE
    assert re.search(rf"{exports} exports . 1,000,000 reads .* = {costs[0]:.2f};", OPERATE)
    assert re.search(rf"{held} GB . 0.026 = {costs[1]:.2f}\. .* \| {sum(costs):.0f} \|", OPERATE)


def test_the_cost_of_checks_is_the_policy_s() -> None:
    """The most that CVPlus's checks may read in a month."""
    rules = CVPLUS.integrity
    runs = timedelta(days=30) // rules.every
    costs = runs * rules.read_budget * 0.06 / 100_000

    line = rf"{runs} runs . {rules.read_budget:,} reads . .* = {costs:.2f}, .* \| {costs:.0f} \|"
    assert re.search(line, OPERATE)


def test_the_policy_takes_the_channel_on_the_page() -> None:
    """In place of its own, with a limit that the page calls possible."""
    [block, _] = re.findall(r"```yaml\n(.*?)```", OPERATE, flags=re.DOTALL)
    text = (POLICIES / "cvplus.yaml").read_text()
    own = re.search(r"\nchannels:\n(.|\n)*", text)

    assert own is not None
    [channel] = policy_file.loads(text.replace(own[0], f"\n{block}"), "cvplus.yaml").channels
    schema = json.loads((POLICIES / "policy.schema.json").read_text())
    most = schema["$defs"]["Addressees"]["properties"]["at_most"]["maximum"]
    assert channel.users is not None
    assert channel.users.at_most <= most
    assert f"told, {most:,} at the very most" in OPERATE


def test_the_policy_takes_the_channel_for_those_concerned() -> None:
    """As it stands on the page about data."""
    page = (ROOT / "docs" / "data.md").read_text()
    [block] = re.findall(r"```yaml\n(- name: concerned\n.*?)```", page, flags=re.DOTALL)
    text = (POLICIES / "cvplus.yaml").read_text()
    own = re.search(r"\nchannels:\n(.|\n)*", text)

    assert own is not None
    [channel] = policy_file.loads(text.replace(own[0], f"\nchannels:\n{block}"), "x").channels
    assert channel.audience is Audience.CONCERNED
    assert f"the {LOOKED_AT:,} that are looked at" in page


def test_the_backups_on_the_page_are_in_buckets_that_there_are(tmp_path: Path) -> None:
    """The policy takes its block, and Terraform makes what it names."""
    [_, block] = re.findall(r"```yaml\n(.*?)```", OPERATE, flags=re.DOTALL)
    policy = tmp_path / "cvplus.yaml"
    text = (POLICIES / "cvplus.yaml").read_text()
    policy.write_text(re.sub(r"\nbackups:\n(  .*\n)+", "\n", text) + block)

    rules = policy_file.load(policy).backups

    made = configuration("one-project").outputs["rollback"]["buckets"]
    assert (rules.bucket, rules.second) == (made["exports-cvplus"], made["exports-cvplus-second"])
    assert rules.native
    assert rules.copies is not None


def test_the_second_stop_is_what_terraform_tells() -> None:
    """Its two lines are the output emergency_stop, and each is lifted by a line of the page."""
    stop = configuration("minimal").outputs["rollback"]["emergency_stop"]

    assert [line for line in SET_UP if line in stop] == stop
    assert stop[1].replace("disable", "enable") in SET_UP
    assert any('push["rollback-work"]' in line for line in TERRAFORM)


def test_each_unverified_claim_is_confined_to_one_file() -> None:
    """The adapter that a row names is one, and is there; a name behind it stands in it."""
    page = (ROOT / "docs" / "unverified.md").read_text()
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")][1:]
    named = [re.fullmatch(r"`([\w./-]+)`(?: \((.*)\))?", row[2]) for row in rows]

    assert [row for row, found in zip(rows, named, strict=True) if found is None] == []
    for found in filter(None, named):
        content = (ROOT / found[1]).read_text()
        assert [
            name for name in re.findall(r"`(\w+)`", found[2] or "") if name not in content
        ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_somewhere(page: Path) -> None:
    """No page points at what is not there."""
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    local = [link for link in links if not link.startswith("http")]

    assert [link for link in local if not (page.parent / link).exists()] == []
