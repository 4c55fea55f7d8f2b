"""Apply the examples with the real Terraform: `python -m tests.terraform.applies minimal`.

The embedded cloud is Google to it: no endpoint is configured, the proxy plays every host. What is
applied is a copy of the repository, in which nothing waits for Google's grants to spread.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from msgspec import Struct

from tests.terraform.conftest import EXAMPLES
from tests.terraform.entry_points import ROOT

FOLDER = ROOT / "build" / "apply-test"
OPERATE = ROOT / "docs" / "operate.md"
COPIED = ("main.py", "requirements.txt", "policies", "responders", "shared", "terraform")
CLOUD = ("-m", "local", "--environment", "--no-alerts", "--no-ticks", "--no-installation")
SPREADING = 'create_duration = "60s"'
"""How long the module waits for Google, twice at once."""
MODULE = "module.rollback."
_REPOSITORIES = "google_artifact_registry_repository.applications"
_DATABASE = 'google_firestore_database.applications["bookshop"]'
ADOPTED = {
    _DATABASE: "projects/bookshop-prod/databases/(default)",
    f'{_REPOSITORIES}["bookshop"]': "bookshop-prod/europe-west1/gcf-artifacts",
    f'{_REPOSITORIES}["cvplus"]': "cvplus/us-central1/gcf-artifacts",
}
"""What was there before two-projects is applied, by address."""
WORK = f'{MODULE}google_pubsub_subscription.push["rollback-work"]'


class Outcome(Struct, frozen=True):
    """What a command of Terraform did and said."""

    code: int
    planned: dict[str, str]
    """What it was to do (`create`, `update`, `delete`, `replace`), by address."""
    done: tuple[int, int, int]
    """Resources added, changed and removed."""
    refused: set[str]
    """Addresses of those that could not be changed."""
    errors: list[str]
    warnings: list[str]

    def touched(self, kind: str) -> dict[str, str]:
        """What was planned for resources of a type, by key or name."""
        return {
            address.partition('["')[2].removesuffix('"]') or address.rpartition(".")[2]: action
            for address, action in self.planned.items()
            if address.startswith(f"{MODULE}{kind}.")
        }


class Installation:
    """An example, applied from a copy of the repository to an embedded cloud of its own."""

    def __init__(self, example: str, folder: Path, variables: dict[str, str]) -> None:
        self.example = example
        self.folder = folder
        self.operations_project = variables["GOOGLE_CLOUD_PROJECT"]
        self._example = folder / "repository" / "terraform" / "examples" / example
        self._environment = {**os.environ, **variables, "CHECKPOINT_DISABLE": "1"}
        self.adopted = 0
        self.text = (self._example / "main.tf").read_text()
        self._session = requests.Session()
        self._session.proxies = {"https": variables["HTTPS_PROXY"]}
        self._session.verify = variables["SSL_CERT_FILE"]
        self._session.trust_env = False

    def run(self, *arguments: str) -> str:
        """What a command of Terraform prints. Raises: CalledProcessError."""
        return self._start(*arguments, check=True).stdout

    def outcome(self, *arguments: str) -> Outcome:
        """What a command did that may fail: its lines of JSON."""
        done = self._start(*arguments, "-input=false", "-json", check=False)
        (self.folder / "last.jsonl").write_text(done.stdout)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        said = [one["diagnostic"] for one in lines if one["type"] == "diagnostic"]
        texts = [(one["severity"], f"{one['summary']}: {one.get('detail', '')}") for one in said]
        changes = [one["changes"] for one in lines if one["type"] == "change_summary"]
        last = changes[-1] if changes else {"add": 0, "change": 0, "remove": 0}
        return Outcome(
            done.returncode,
            {
                one["change"]["resource"]["addr"]: one["change"]["action"]
                for one in lines
                if one["type"] == "planned_change"
            },
            (last["add"], last["change"], last["remove"]),
            {one["hook"]["resource"]["addr"] for one in lines if one["type"] == "apply_errored"},
            [text for severity, text in texts if severity == "error"],
            [text for severity, text in texts if severity == "warning"],
        )

    def apply(self, *options: str) -> Outcome:
        """An apply without an error. Raises: AssertionError."""
        outcome = self.outcome("apply", "-auto-approve", *options)
        assert (outcome.code, outcome.errors) == (0, []), "\n".join(outcome.errors)
        return outcome

    def ask(self, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What Google's API answers. Raises: HTTPError."""
        answer = self._session.request(method, f"https://{url}", json=body, timeout=10)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def is_there(self, url: str) -> bool:
        """Whether a resource exists."""
        return bool(self._session.get(f"https://{url}", timeout=10).status_code == requests.codes.ok)

    def edit(self, file: str, old: str, new: str) -> None:
        """Change a text of the copy."""
        path = self.folder / "repository" / file
        text = path.read_text()
        assert old in text, f"{file} lacks {old}"
        path.write_text(text.replace(old, new))

    def prepare(self) -> None:
        """Make the accounts that an example grants something, as its documentation asks."""
        for name, project in set(re.findall(r"\b([\w-]+)@([\w-]+)\.iam\.gserviceaccount", self.text)):
            self.ask("POST", f"iam.googleapis.com/v1/projects/{project}/serviceAccounts", {"accountId": name})
        if "adopt_location" in self.text:
            database = "firestore.googleapis.com/v1/projects/bookshop-prod/databases"
            self.ask("DELETE", f"{database}/(default)")
            self.ask(
                "POST", f"{database}?databaseId=(default)", {"locationId": "eur3", "type": "FIRESTORE_NATIVE"}
            )
            for address, identifier in ADOPTED.items():
                self.adopt(address, identifier)

    def adopt(self, address: str, identifier: str) -> None:
        """Let the next apply import what is there."""
        with (self._example / "import.tf").open("a") as file:
            self.adopted += 1
            file.write(f'import {{\n  to = {MODULE}{address}\n  id = "{identifier}"\n}}\n')

    def _start(self, *arguments: str, check: bool) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - the Terraform that is judged by
            [os.environ.get("TERRAFORM") or "terraform", *arguments],
            cwd=self._example,
            env=self._environment,
            check=check,
            stdout=subprocess.PIPE,
            text=True,
        )


@contextmanager
def installed(example: str) -> Iterator[Installation]:
    """An example that is ready for the first apply, and its cloud."""
    folder = FOLDER / example
    shutil.rmtree(folder, ignore_errors=True)
    repository = folder / "repository"
    repository.mkdir(parents=True)
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, repository / name)
    text = (repository / "terraform" / "examples" / example / "main.tf").read_text()
    projects = re.findall(r'operations_project\s*= "(.+)"', text)
    policies = [f"--policy=policies/{name}" for name in re.findall(r"policies/(\w+\.yaml)", text)]
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, *CLOUD, "--project", projects[0], *policies],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as cloud:
        try:
            variables: dict[str, str] = {}
            for line in cloud.stdout or ():
                if line.startswith("export "):
                    [[name, value]] = [it.split("=", 1) for it in shlex.split(line)[1:]]
                    variables[name] = value
                if "GOOGLE_CLOUD_PROJECT" in variables:
                    break
            installation = Installation(example, folder, variables)
            for file in ("functions.tf", "log_metrics.tf"):
                installation.edit(f"terraform/{file}", SPREADING, 'create_duration = "1s"')
            yield installation
        finally:
            cloud.terminate()


def apply(it: Installation) -> str:
    """The first apply makes what the plan of the documentation counts."""
    it.prepare()
    it.run("init", "-input=false", "-no-color")
    added, changed, removed = it.apply().done
    shown = f"Apply complete! Resources: {added} added, {changed} changed, {removed} destroyed."
    row = f"| {it.example} | {added + it.adopted} |"
    assert (shown if it.example == "minimal" else row) in OPERATE.read_text(), shown
    return shown


def plan(it: Installation) -> str:
    """What was applied is what Google has: the next plan has no change."""
    outcome = it.outcome("plan", "-detailed-exitcode")
    assert (outcome.code, outcome.planned, outcome.errors) == (0, {}, []), outcome
    return "no changes"


def change_policy(it: Installation) -> str:
    """A changed policy file is published, and every function has it in its source."""
    it.edit("policies/cvplus.yaml", "display_name: CVPlus", "display_name: CVPlus Two")
    outcome = it.apply()
    assert set(outcome.touched("google_cloudfunctions2_function").values()) == {"update"}, outcome
    bucket = f"storage.googleapis.com/storage/v1/b/{it.operations_project}-rollback-policies"
    assert "CVPlus Two" in it.ask("GET", f"{bucket}/o/policies.json?alt=media")["cvplus.yaml"]
    return f"{outcome.done[1]} changed"


def change_release(it: Installation) -> str:
    """A changed source is a new object, and a new revision of every function."""
    before = _functions(it)
    it.edit("main.py", '"""\n', '"""\n# changed\n')
    outcome = it.apply()
    after = _functions(it)
    kinds = {address.removeprefix(MODULE).partition(".")[0] for address in outcome.planned}
    assert kinds == {"google_cloudfunctions2_function", "google_storage_bucket_object", "terraform_data"}, (
        outcome
    )
    for name, function in after.items():
        assert _source(function) != _source(before[name]), name
        assert function["serviceConfig"]["revision"] != before[name]["serviceConfig"]["revision"], name
    return f"{len(after)} functions updated"


def replace_function(it: Installation) -> str:
    """A function that is made anew gets its grant again."""
    [name] = [one for one in _functions(it) if one.endswith("on-clock")]
    outcome = it.apply(f'-replace={MODULE}google_cloudfunctions2_function.responders["on_clock"]')
    assert outcome.touched("google_cloudfunctions2_function") == {"on_clock": "replace"}, outcome
    service = name.replace("/functions/", "/services/")
    policy = it.ask("GET", f"run.googleapis.com/v2/{service}:getIamPolicy")
    [member] = [one["members"] for one in policy["bindings"] if one["role"] == "roles/run.invoker"]
    assert member == [f"serviceAccount:rollback-push@{it.operations_project}.iam.gserviceaccount.com"]
    return "its invoker is there"


def stop_and_lift(it: Installation) -> str:
    """An apply leaves the emergency stop and warns; the two lines of the documentation lift it."""
    project = f"projects/{it.operations_project}"
    subscription = f"pubsub.googleapis.com/v1/{project}/subscriptions/rollback-work-push"
    email = f"rollback-on-work@{it.operations_project}.iam.gserviceaccount.com"
    account = f"iam.googleapis.com/v1/{project}/serviceAccounts/{email}"
    it.ask("POST", f"{subscription}:detach", {})
    it.ask("POST", f"{account}:disable", {})
    stopped = it.apply()
    assert any(email in text for text in stopped.warnings), stopped
    assert stopped.planned == {}, stopped
    assert it.ask("GET", subscription)["detached"]
    assert it.ask("GET", account)["disabled"]
    it.ask("POST", f"{account}:enable", {})
    lifted = it.apply(f"-replace={WORK}")
    assert lifted.touched("google_pubsub_subscription") == {"rollback-work": "replace"}, lifted
    found = it.ask("GET", subscription)
    assert (found["topic"], found.get("detached")) == (f"{project}/topics/rollback-work", None), found
    assert it.ask("GET", f"{subscription}:getIamPolicy")["bindings"], "the grant did not come back"
    assert lifted.warnings == [], lifted
    return "left by an apply, then lifted"


def remove(it: Installation) -> str:
    """A destroy names what is protected, and leaves it; all else is gone."""
    project = f"projects/{it.operations_project}"
    storage = "storage.googleapis.com/storage/v1/b"
    for bucket in it.ask("GET", f"{storage}?project={it.operations_project}")["items"]:
        if f"{it.operations_project}-rollback-" in bucket["name"]:
            _remove_bucket(it, f"{storage}/{bucket['name']}")
    secrets = it.run("state", "list", f"{MODULE}google_secret_manager_secret.rollback").split()
    outcome = it.outcome("destroy", "-auto-approve")
    assert outcome.refused == {*secrets}, outcome.errors
    assert all("deletion_protection" in error for error in outcome.errors), outcome.errors
    for secret in secrets:
        name = secret.partition('"')[2].partition('"')[0]
        assert it.is_there(f"secretmanager.googleapis.com/v1/{project}/secrets/{name}"), name
    left = {*it.run("state", "list").split()} - {*secrets}
    kinds = {address.removeprefix(MODULE).partition(".")[0] for address in left}
    assert kinds <= {"google_project_service"}, left
    assert it.is_there(f"firestore.googleapis.com/v1/{project}/databases/rollback")
    assert _functions(it) == {}
    return f"{outcome.done[2]} destroyed; the state database and {len(secrets)} secrets stay"


def install_again(it: Installation) -> str:
    """What stayed is imported; the apply restores the deleted roles, and the next plan is empty."""
    it.adopt("google_firestore_database.state", f"projects/{it.operations_project}/databases/rollback")
    added = it.apply().done[0]
    plan(it)
    return f"{added} added, no changes afterwards"


def _functions(it: Installation) -> dict[str, dict[str, Any]]:
    """Our own functions, by name."""
    everywhere = f"cloudfunctions.googleapis.com/v2/projects/{it.operations_project}/locations/-/functions"
    found = it.ask("GET", f"{everywhere}?pageSize=1000").get("functions", [])
    return {one["name"]: one for one in found if "/functions/rollback-" in one["name"]}


def _source(function: dict[str, Any]) -> str:
    return str(function["buildConfig"]["source"]["storageSource"]["object"])


def _remove_bucket(it: Installation, bucket: str) -> None:
    """As `gcloud storage rm --recursive` does."""
    for one in it.ask("GET", f"{bucket}/o?versions=true").get("items", []):
        name = quote(one["name"], safe="")
        it.ask("DELETE", f"{bucket}/o/{name}?generation={one['generation']}")
    it.ask("DELETE", bucket)


Step = Callable[[Installation], str]
WHOLE: Sequence[Step] = (
    *(apply, plan, change_policy, change_release, replace_function, stop_and_lift),
    *(remove, install_again),
)
"""What is done with minimal; with the others the least."""
LEAST: Sequence[Step] = (apply, plan, remove)


def main(examples: Sequence[str]) -> int:
    """Print a row for each step of each example. Raises: AssertionError."""
    for example in examples:
        with installed(example) as installation:
            for step in WHOLE if example == "minimal" else LEAST:
                began = time.monotonic()
                text = step(installation)
                print(f"| {example} | {step.__name__} | {text} | {time.monotonic() - began:.0f} s")  # noqa: T201
                sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or EXAMPLES[:1]))
