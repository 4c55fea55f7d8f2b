"""`rollback policy show` and `publish`, with Google's client and an embedded Cloud Storage."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from local.cloud import Cloud
from local.core.clock import CloudClock
from local.installation.provisioning import policy_bucket
from local.services.storage.conditions import Preconditions
from shared.policy_files import loader
from shared.policy_files.loader import PUBLISHED_OBJECT
from shared.wiring.settings import EMULATOR_VARIABLES, LOCAL_CLOUD_VARIABLE
from tests.support.cli.operator import run_cli_line
from tests.support.runtime.world import POLICIES

TEXTS = {name: (POLICIES / f"{name}.yaml").read_text() for name in ("cvplus", "example")}
STRICT = TEXTS["example"].replace("minimum_requests: 5 #", "minimum_requests: 50 #")
DIFFERENCE = [
    "bookshop: -  minimum_requests: 5 # a small shop",
    "bookshop: +  minimum_requests: 50 # a small shop",
]


class Shell:
    """An operator's shell: the checkout, and a file that was edited."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self._cloud = cloud
        self.file = folder / "edited.yaml"
        self.file.write_text(STRICT)

    def published(self) -> list[dict[str, str]]:
        """What was published, the newest last."""
        found = self._cloud.buckets.all(policy_bucket(self._cloud.home), versions=True)
        return [json.loads(one.content) for one in found]

    def put(self, content: bytes) -> None:
        """Somebody replaces the object, with or without the command line."""
        bucket = policy_bucket(self._cloud.home)
        self._cloud.buckets.put(bucket, PUBLISHED_OBJECT, content, "application/json", {}, Preconditions())


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    policies = [*loader.load_policies(POLICIES).values()]
    cloud = Cloud.start(policies, seed=1, clock=CloudClock(), alerter=False, ticks=False)
    try:
        for name in ("K_SERVICE", *EMULATOR_VARIABLES):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", cloud.home)
        monkeypatch.setenv("ROLLBACK_POLICIES", str(POLICIES))
        monkeypatch.setenv("ROLLBACK_POLICY_BUCKET", policy_bucket(cloud.home))
        monkeypatch.setenv(LOCAL_CLOUD_VARIABLE, f"http://{cloud.addresses['control']}")
        shell = Shell(cloud, tmp_path)
        shell.put(msgspec.json.encode({"cvplus.yaml": TEXTS["cvplus"], "bookshop.yaml": TEXTS["example"]}))
        yield shell
    finally:
        cloud.stop()


def test_a_publication_shows_its_difference_and_asks(shell: Shell) -> None:
    """After a no nothing is published; after a yes the file is, beside those of other systems."""
    declined = run_cli_line("policy", "publish", str(shell.file), typed="n\n")
    done = run_cli_line("policy", "publish", str(shell.file), typed="y\n")

    assert (declined.exit_code, done.exit_code) == (1, 0)
    assert "nothing was published" in declined.output
    assert set(DIFFERENCE) <= {*done.output.splitlines()}
    assert "within 15 s" in done.output
    assert shell.published()[1:] == [{"cvplus.yaml": TEXTS["cvplus"], "bookshop.yaml": STRICT}]
    assert run_cli_line("policy", "show", "--system", "bookshop").output == STRICT
    assert json.loads(run_cli_line("policy", "show", "--system", "cvplus", "--json").output) == {
        "text": TEXTS["cvplus"]
    }


def test_a_dry_run_publishes_nothing(shell: Shell) -> None:
    """It is the difference between a checkout and what is in force; for programs, as JSON."""
    done = run_cli_line("policy", "publish", str(shell.file), "--dry-run", "--json")
    same = run_cli_line("policy", "publish", str(POLICIES / "example.yaml"))

    said = json.loads(done.output)
    assert [f"bookshop: {line}" for line in said["differences"]["bookshop"] if line[0] in "+-"] == DIFFERENCE
    assert (said["published"], len(shell.published())) == (False, 1)
    assert (same.exit_code, same.output) == (0, "the files equal the policies in force\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (STRICT.replace("50 #", "many #"), "edited.yaml:102: "),
        (STRICT.replace("project: bookshop-prod", "project: other-prod"), "only an apply changes systems"),
        (STRICT.replace("system: bookshop", "system: other"), "belongs to system bookshop already"),
        (STRICT.replace("The Bookshop", "No"), "edited.yaml:4: No: write false, or quote it as text"),
    ],
)
def test_what_the_functions_would_refuse_is_not_published(shell: Shell, text: str, why: str) -> None:
    """Every fault is shown with its line; nothing is asked."""
    shell.file.write_text(text)

    done = run_cli_line("policy", "publish", str(shell.file), "--yes")

    assert done.exit_code == 2
    assert why in done.output
    assert len(shell.published()) == 1


def test_two_who_publish_at_once(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is asked while somebody else publishes does not overwrite it."""
    other = msgspec.json.encode({"cvplus.yaml": TEXTS["cvplus"], "bookshop.yaml": STRICT})
    shell.file.write_text(STRICT.replace("50 #", "70 #"))

    def confirm_late(*_: object, **__: object) -> bool:
        shell.put(other)
        return True

    monkeypatch.setattr("typer.confirm", confirm_late)
    done = run_cli_line("policy", "publish", str(shell.file))

    assert done.exit_code == 1
    assert "somebody published other policies" in done.output
    assert shell.published()[-1]["bookshop.yaml"] == STRICT


def test_a_refused_object_is_replaced(shell: Shell) -> None:
    """The difference is that from the last valid policies, which are in force."""
    shell.put(b'{"bookshop.yaml": "no policy"}')

    done = run_cli_line("policy", "publish", str(shell.file), "--yes")

    assert done.exit_code == 0
    assert set(DIFFERENCE) <= {*done.output.splitlines()}
    assert shell.published()[-1]["bookshop.yaml"] == STRICT


def test_without_the_bucket_the_local_files_are_shown(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that names no bucket, or one that cannot be read, still works: it says so."""
    shell.put(msgspec.json.encode({"cvplus.yaml": TEXTS["cvplus"], "bookshop.yaml": STRICT}))
    monkeypatch.setenv("ROLLBACK_POLICY_BUCKET", "no-such-bucket")
    unread = run_cli_line("policy", "show", "--system", "bookshop")
    monkeypatch.delenv("ROLLBACK_POLICY_BUCKET")
    without = run_cli_line("policy", "show", "--system", "bookshop")
    refused = run_cli_line("policy", "publish", str(shell.file))

    assert without.stdout == unread.stdout == TEXTS["example"]
    assert "the published policies cannot be read, the local files are used: 404" in unread.stderr
    assert (refused.exit_code, without.stderr) == (2, "")
    assert "ROLLBACK_POLICY_BUCKET is not set" in refused.output
