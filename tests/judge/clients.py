"""Google's Go and Node clients, unchanged, against the proxy of the embedded cloud; needs both."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.cloud import Cloud
from local.control.proxy import build_client_environment, write_authority
from shared.policy_files import loader
from tests.judge.suite import CACHE, RUN_LIMIT_SECONDS, Verdict

PROGRAMS = Path(__file__).with_name("programs")
POLICY = Path(__file__).parents[2] / "policies" / "example.yaml"
GO_MODULES = (
    "cloud.google.com/go/firestore@v1.24.0",
    "cloud.google.com/go/pubsub/v2@v2.6.0",
    "cloud.google.com/go/run@v1.22.0",
    "cloud.google.com/go/storage@v1.70.0",
)
NODE_PACKAGES = (
    "@google-cloud/firestore@8.7.1",
    "@google-cloud/pubsub@5.3.1",
    "@google-cloud/run@3.3.0",
    "@google-cloud/storage@7.22.0",
)
EXPECTED = ("storage 600000", "firestore 1", "pubsub found", "run found")


def judge() -> Verdict:
    """Build both programs (a minute, the first time), and run them with the variables alone."""
    commands = {"go": [str(_build_for_go())], "node": ["node", str(_install_for_node())]}
    [policy] = loader.load_policy_files([POLICY]).values()
    cloud = Cloud.start([policy], seed=1)
    try:
        authority = write_authority(CACHE, cloud.identity.connection_details()["certificate"])
        variables = build_client_environment(cloud.addresses["proxy"], authority, cloud.home)
        environment = {**variables, "PATH": os.environ["PATH"], "REGION": policy.region}
        said = {language: _run(command, environment) for language, command in commands.items()}
    finally:
        cloud.stop()
    outcomes = {f"{it}: {line}": line in lines for it, lines in said.items() for line in EXPECTED}
    passed = frozenset(name for name, is_there in outcomes.items() if is_there)
    return Verdict(passed, frozenset(outcomes) - passed, {})


def is_good(verdict: Verdict) -> bool:
    """Whether every product was reached in both languages."""
    return not verdict.failed


def _run(command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The lines that a program prints; its errors go where ours go."""
    done = subprocess.run(  # noqa: S603 - arguments are ours
        command, env=environment, stdout=subprocess.PIPE, text=True, timeout=RUN_LIMIT_SECONDS, check=False
    )
    return done.stdout.splitlines()


def _build_for_go() -> Path:
    folder = CACHE / "clients-go"
    if not (folder / "clients").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROGRAMS / "main.go", folder)
        (folder / "go.mod").write_text("module judged\n")
        for arguments in (["get", *GO_MODULES], ["mod", "tidy"], ["build", "-o", "clients", "."]):
            subprocess.run(["go", *arguments], cwd=folder, check=True)  # noqa: S603, S607 - ours
    return folder / "clients"


def _install_for_node() -> Path:
    folder = CACHE / "clients-node"
    if not (folder / "node_modules").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *NODE_PACKAGES]
        subprocess.run(install, cwd=folder, check=True)  # noqa: S603 - arguments are ours
    return Path(shutil.copy(PROGRAMS / "main.js", folder))
