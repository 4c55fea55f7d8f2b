"""The functions that an apply has made, run as declared, from the archive in the bucket."""

import base64
import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from zipfile import ZipFile

from local.control.proxy import build_proxy_environment, remove_proxy_variables
from local.demo.evidence import Evidence
from local.demo.staging.processes import DemoStage, clean_environment
from local.installation.responder_processes import free_port, kill
from shared.core import topics
from shared.domain.policy.scenario_names import Mode
from shared.policy_files import loader
from shared.wiring.settings import LOCAL_CLOUD_VARIABLE
from tests.terraform.installation import Installation

SCALE = 20.0
"""Cloud seconds per wall second."""
FAILURE_RATE = 0.8
KEY, PASSWORD = "of-the-test", "test-password"


def roll_back(it: Installation) -> str:
    """The responders, as Terraform declared them, roll a bad release back."""
    policy = loader.load_policy(it.folder / "repository" / "policies" / "cvplus.yaml")
    stage = DemoStage(policy, it.cloud, it.addresses)
    evidence = Evidence(stage.wiring, policy, it.home, it.addresses["pubsub"])
    try:
        for name, value in {"rollback-probe-key": KEY, "rollback-probe-password": PASSWORD}.items():
            data = base64.b64encode(value.encode()).decode()
            secret = f"secretmanager.googleapis.com/v1/projects/{it.home}/secrets/{name}"
            it.ask("POST", f"{secret}:addVersion", {"payload": {"data": data}})
        for email in {probe.sign_in.email for probe in policy.probes if probe.sign_in}:
            stage.enrol({"email": email, "password": PASSWORD})
        with _running(it):
            stage.rescale(SCALE)
            return _play(stage, evidence)
    finally:
        stage.rescale(1)
        evidence.close()
        stage.wiring.close()


def _play(stage: DemoStage, evidence: Evidence) -> str:
    about = {"version": 1, "system": stage.policy.system}
    stage.publish(topics.DEPLOYMENTS, {**about, "deployment": "v1", "stable": True})
    stage.wait_for("the stable deployment", lambda: evidence.deployment("v1"))
    before = _serving(stage)
    stage.publish(topics.OVERRIDE, {**about, "command": "drill", "reason": "a test"})
    stage.wait_for("the drill", evidence.drills)
    stage.publish(topics.OVERRIDE, {**about, "command": "promote", "mode": "act", "reason": "a test"})
    stage.wait_for("the promotion", lambda: (one := evidence.system()) and one.mode is Mode.ACT)
    stage.deploy("v2", FAILURE_RATE)
    assert not _serving(stage).items() & before.items()
    stage.wait_for("the rollback", evidence.rollbacks)
    stage.wait_for("the last stable version", lambda: _serving(stage) == before)
    stage.wait_for("the verification", lambda: evidence.rollbacks()[0].verified_at)
    [incident] = evidence.incidents()
    assert evidence.dead_letters() == []
    return f"{len(before)} functions rolled back, {incident.timeline[-1].note}"


def _serving(stage: DemoStage) -> dict[str, str]:
    """The revisions that get requests, by function."""
    return {name: ",".join(one["traffic"]) for name, one in stage.application_state().items()}


@contextmanager
def _running(it: Installation) -> Iterator[None]:
    """A process for each function, which plays the host that its topics are pushed to."""
    processes = []
    control = it.addresses["control"]
    shared = {
        **remove_proxy_variables(clean_environment()),
        **build_proxy_environment(control, it.folder),
        LOCAL_CLOUD_VARIABLE: f"http://{control}",
    }
    try:
        for function in it.functions().values():
            build, service = function["buildConfig"], function["serviceConfig"]
            source = _unpack(it, build["source"]["storageSource"])
            address = f"127.0.0.1:{free_port()}"
            framework = ("--source", "main.py", "--signature-type", "http", "--target", build["entryPoint"])
            with (it.folder / "responders.log").open("ab") as log:
                processes.append(
                    subprocess.Popen(  # noqa: S603 - our own
                        [sys.executable, "-m", "functions_framework", *framework, "--port", address[10:]],
                        cwd=source,
                        env={
                            **shared,
                            **service["environmentVariables"],
                            "THREADS": str(service["maxInstanceRequestConcurrency"]),
                            "XDG_RUNTIME_DIR": str(_folder(it, build["entryPoint"])),
                        },
                        stdin=subprocess.PIPE,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )
            host = urlsplit(service["uri"]).hostname
            it.control("played", {"host": host, "address": address})
        yield
    finally:
        for process in processes:
            kill(process)


def _unpack(it: Installation, source: dict[str, Any]) -> Path:
    """The folder of an archive that a function was built from."""
    archive = f"storage.googleapis.com/storage/v1/b/{source['bucket']}/o/{quote(source['object'], '')}"
    folder = it.folder / "source"
    ZipFile(io.BytesIO(it.download(f"{archive}?alt=media"))).extractall(folder)
    return folder


def _folder(it: Installation, name: str) -> Path:
    """Where gunicorn puts the control socket of one function."""
    folder = it.folder / "run" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
