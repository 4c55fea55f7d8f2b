"""Examples that the real Terraform applies to embedded clouds.

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from msgspec import Struct

from tests.terraform.entry_points import ROOT

FOLDER = ROOT / "build" / "apply-test"
COPIED = ("main.py", "requirements.txt", "policies", "responders", "shared", "terraform")
CLOUD = ("-m", "local", "--environment", "--no-installation", "--strict")
SPREADING = 'create_duration = "60s"'
PARALLELISM = "-parallelism=40"
"""Most operations of the provider wait, and do nothing."""
MODULE = "module.rollback."
DATABASES = "firestore.googleapis.com/v1/projects/bookshop-prod/databases"
ENABLED_BEFORE = ("cloudresourcemanager", "iam", "serviceusage")
"""APIs that the documentation switches on: two to plan, one to make the account of CI."""
_IMAGES = "google_artifact_registry_repository.applications"
ADOPTED = {
    'google_firestore_database.applications["bookshop"]': "projects/bookshop-prod/databases/(default)",
    f'{_IMAGES}["bookshop"]': "bookshop-prod/europe-west1/gcf-artifacts",
    f'{_IMAGES}["cvplus"]': "cvplus/us-central1/gcf-artifacts",
}
"""What is there before the example with these applications is applied, and is imported."""


class Outcome(Struct, frozen=True):
    """What a command of Terraform did and said."""

    code: int
    planned: dict[str, str]
    """What it was to do (`create`, `update`, `delete`, `replace`), by address in the module."""
    done: tuple[int, int, int]
    """Resources added, changed and destroyed."""
    refused: set[str]
    """Addresses of those that could not be changed."""
    errors: list[str]
    warnings: list[str]

    def kinds(self) -> set[tuple[str, str]]:
        """What was planned for which types."""
        return {(address.partition(".")[0], action) for address, action in self.planned.items()}


class Installation:
    """An example, applied from a copy of the repository to an embedded cloud of its own."""

    def __init__(
        self, folder: Path, cloud: subprocess.Popen[str], addresses: dict[str, str], variables: dict[str, str]
    ) -> None:
        self.example = folder.name
        self.folder = folder
        self.cloud = cloud
        self.addresses = addresses
        """Of the cloud, by service."""
        self.home = variables["GOOGLE_CLOUD_PROJECT"]
        self.root = folder / "repository" / "terraform" / "examples" / self.example
        self._environment = {**os.environ, **variables, "CHECKPOINT_DISABLE": "1"}
        self._session = requests.Session()
        self._session.proxies = {"https": variables["HTTPS_PROXY"]}
        self._session.verify = variables["SSL_CERT_FILE"]
        self._session.trust_env = False

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command of Terraform. Raises: CalledProcessError."""
        return subprocess.run(  # noqa: S603 - the Terraform that is judged by
            [os.environ.get("TERRAFORM") or "terraform", *arguments],
            cwd=self.root,
            env=self._environment,
            check=check,
            stdout=subprocess.PIPE,
            text=True,
        )

    def listed(self) -> set[str]:
        """The addresses in the state, below the module, of what Terraform manages."""
        lines = self.run("state", "list").stdout.splitlines()
        return {line.removeprefix(MODULE) for line in lines if not line.startswith(f"{MODULE}data.")}

    def outcome(self, *arguments: str) -> Outcome:
        """What a command did that may fail, by its lines of JSON, which stay in the folder."""
        done = self.run(*arguments, "-input=false", "-json", PARALLELISM, check=False)
        (self.folder / f"{arguments[0]}.jsonl").write_text(done.stdout)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        said = [one["diagnostic"] for one in lines if one["type"] == "diagnostic"]
        texts = [(one["severity"], f"{one['summary']}: {one.get('detail', '')}") for one in said]
        planned = [one["change"] for one in lines if one["type"] == "planned_change"]
        refused = [one["hook"]["resource"]["addr"] for one in lines if one["type"] == "apply_errored"]
        counts = [one["changes"] for one in lines if one["type"] == "change_summary"] or [{}]
        return Outcome(
            done.returncode,
            {one["resource"]["addr"].removeprefix(MODULE): one["action"] for one in planned},
            (counts[-1].get("add", 0), counts[-1].get("change", 0), counts[-1].get("remove", 0)),
            {address.removeprefix(MODULE) for address in refused},
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
        return dict(answer.json()) if answer.content else {}

    def download(self, url: str) -> bytes:
        """The content of an object. Raises: HTTPError."""
        answer = self._session.get(f"https://{url}", timeout=10)
        answer.raise_for_status()
        return answer.content

    def control(self, verb: str, content: dict[str, Any]) -> None:
        """Change the cloud itself. Raises: HTTPError."""
        url = f"http://{self.addresses['control']}/_cloud/{verb}"
        self._session.post(url, json=content, timeout=30).raise_for_status()

    def edit(self, file: str, old: str, new: str) -> None:
        """Change the copy."""
        path = self.folder / "repository" / file
        assert old in path.read_text(), f"{file} lacks {old}"
        path.write_text(path.read_text().replace(old, new))

    def adopt(self, address: str, identifier: str) -> None:
        """Let the next apply import what is there."""
        with (self.root / "import.tf").open("a") as file:
            file.write(f'import {{\n  to = {MODULE}{address}\n  id = "{identifier}"\n}}\n')

    def functions(self) -> dict[str, dict[str, Any]]:
        """The responders, by name."""
        place = f"cloudfunctions.googleapis.com/v2/projects/{self.home}/locations/-/functions"
        found = self.ask("GET", f"{place}?pageSize=1000").get("functions", [])
        return {one["name"]: one for one in found if "/functions/rollback-" in one["name"]}


@contextmanager
def installed(example: str) -> Iterator[Installation]:
    """An example that is ready for the first apply, and its cloud."""
    folder = FOLDER / example
    shutil.rmtree(folder, ignore_errors=True)
    for name in COPIED:
        (folder / "repository").mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / "repository" / name)
    text = (ROOT / "terraform" / "examples" / example / "main.tf").read_text()
    [home] = re.findall(r'operations_project\s*= "(.+)"', text)
    policies = [f"--policy=policies/{name}" for name in re.findall(r"policies/(\w+\.yaml)", text)]
    command = [sys.executable, *CLOUD, "--project", home, *policies]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as cloud:  # noqa: S603
        try:
            lines = iter(cloud.stdout or ())
            addresses = json.loads(next(lines))
            variables: dict[str, str] = {}
            while "GOOGLE_CLOUD_PROJECT" not in variables:  # the last one
                name, _, value = next(lines).removeprefix("export ").partition("=")
                variables[name] = "".join(shlex.split(value))
            it = Installation(folder, cloud, addresses, variables)
            for file in ("functions.tf", "log_metrics.tf"):
                it.edit(f"terraform/{file}", SPREADING, 'create_duration = "1s"')
            enabled = {(home, api) for api in ENABLED_BEFORE}
            enabled |= {(name, "cloudkms") for name in re.findall(r"projects/([\w-]+)/.*cryptoKeys", text)}
            for project, api in sorted(enabled):
                services = f"serviceusage.googleapis.com/v1/projects/{project}/services"
                it.ask("POST", f"{services}/{api}.googleapis.com:enable", {})
            for account, project in set(re.findall(r"([\w-]+)@([\w-]+)\.iam\.gserviceaccount", text)):
                accounts = f"iam.googleapis.com/v1/projects/{project}/serviceAccounts"
                it.ask("POST", accounts, {"accountId": account})  # a grant to nobody is refused
            if "adopt_location" in text:
                it.ask("DELETE", f"{DATABASES}/(default)")  # it lies elsewhere than the example says
                it.ask("POST", f"{DATABASES}?databaseId=(default)", {"locationId": "eur3"})
                for address, identifier in ADOPTED.items():
                    it.adopt(address, identifier)
            yield it
        finally:
            cloud.terminate()
