"""The functions that an apply has made, run as declared, from the archive in the bucket."""

import base64
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zipfile import ZipFile

from local.control.proxy import build_proxy_environment, remove_proxy_variables
from local.demo.evidence import DeadLetterEvidence, Evidence
from local.demo.staging.processes import DemoFailed, DemoStage, clean_environment
from local.installation.responder_processes import kill
from shared.core import topics
from shared.domain.policy.scenario_names import Mode
from shared.policy_files import loader
from shared.wiring.settings import LOCAL_CLOUD_VARIABLE
from tests.terraform.declared_function import LOG, RunningFunction, start_function
from tests.terraform.installation import Installation
from tests.terraform.runtime_accounts import (
    account_faults,
    existing_accounts,
    granted_permissions,
    required_permissions,
)

SCALE = 20.0
"""Cloud seconds per wall second."""
FAILURE_RATE = 0.8
KEY, PASSWORD = "of-the-test", "test-password"
POISON = {"poison": "is no command"}
UNDELIVERED = {"poison": "kills whoever takes it"}
UNDELIVERED_SCALE = 200.0
"""Of a hundred attempts with ten seconds between them, at which no function works."""


def check_accounts(it: Installation) -> str:
    """Each function runs as an account of its own, which may do exactly what the code needs."""
    accounts = {
        one["buildConfig"]["entryPoint"]: one["serviceConfig"]["serviceAccountEmail"]
        for one in it.functions().values()
    }
    assert accounts.keys() == topics.ENTRY_POINTS.keys(), accounts
    existing, granted = existing_accounts(it), granted_permissions(it)
    required = required_permissions(it.example)

    def faults(of: Mapping[str, str]) -> list[str]:
        return list(account_faults(of, existing, granted, required))

    assert not (found := faults(accounts)), "\n".join(found)
    for one, other in combinations(accounts, 2):
        swapped = {**accounts, one: accounts[other], other: accounts[one]}
        assert faults(swapped), f"nobody would see {one} and {other} with each other's account"
    return f"{len(accounts)} accounts may do what the code needs, and no more"


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
        with _running(it) as functions:
            stage.rescale(SCALE)
            try:
                rolled_back = _play(stage, evidence)
                _refuse_poison(stage, evidence)
            except DemoFailed as failure:
                ended = [one.entry_point for one in functions if one.process.poll() is not None]
                said = (it.folder / LOG).read_text().splitlines()[-30:]
                raise AssertionError("\n".join((f"{failure}; ended: {ended}", *said))) from failure
            peak = _check_memory(functions)
        _give_up(it, stage)
        return f"{rolled_back}; at most {peak} MiB of memory; 2 dead letters"
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


def _refuse_poison(stage: DemoStage, evidence: Evidence) -> None:
    """A responder moves a message that it refuses to the declared topic, with its reason."""
    stage.publish(topics.NOTICES, POISON)
    [letter] = stage.wait_for("the dead letter", evidence.dead_letters)
    source = f"projects/{stage.home}/topics/{topics.NOTICES}"
    assert letter == DeadLetterEvidence(source, letter.reason), letter
    assert letter.reason


def _check_memory(functions: list[RunningFunction]) -> int:
    """Each has stayed within what is declared for it; the most that one has had, in MiB."""
    peaks = {one.entry_point: one.measure_peak_bytes() for one in functions}
    for one in functions:
        assert 0 < peaks[one.entry_point] < one.memory_limit_bytes, (one.entry_point, peaks)
    return max(peaks.values()) // 1024**2


def _give_up(it: Installation, stage: DemoStage) -> None:
    """Pub/Sub moves what no function has taken in the declared attempts to the declared topic."""
    name = f"projects/{it.home}/subscriptions/{topics.WORK}-push"
    declared = it.ask("GET", f"pubsub.googleapis.com/v1/{name}")["deadLetterPolicy"]
    assert declared["deadLetterTopic"] == f"projects/{it.home}/topics/{topics.DEAD_LETTERS}", declared
    stage.publish(topics.WORK, UNDELIVERED)
    stage.rescale(UNDELIVERED_SCALE)
    letter = stage.wait_for("what no function takes", lambda: _pull(it, UNDELIVERED))
    said = {key.removeprefix("CloudPubSubDeadLetterSource"): value for key, value in letter.items()}
    assert said["Subscription"] == f"{topics.WORK}-push", letter
    assert int(said["DeliveryCount"]) == declared["maxDeliveryAttempts"], letter


def _pull(it: Installation, content: Mapping[str, str]) -> dict[str, str]:
    """The attributes of the dead letter with this content; empty while it is not there."""
    kept = f"pubsub.googleapis.com/v1/projects/{it.home}/subscriptions/{topics.DEAD_LETTER_SUBSCRIPTION}"
    asked = {"maxMessages": 1000, "returnImmediately": True}
    for one in it.ask("POST", f"{kept}:pull", asked).get("receivedMessages", ()):
        if json.loads(base64.b64decode(one["message"]["data"])) == content:
            return dict(one["message"]["attributes"])
    return {}


def _serving(stage: DemoStage) -> dict[str, str]:
    """The revisions that get requests, by function."""
    return {name: ",".join(one["traffic"]) for name, one in stage.application_state().items()}


@contextmanager
def _running(it: Installation) -> Iterator[list[RunningFunction]]:
    """A process for each function, which plays the host that its topics are pushed to."""
    functions: list[RunningFunction] = []
    control = it.addresses["control"]
    shared = {
        **remove_proxy_variables(clean_environment()),
        **build_proxy_environment(control, it.folder),
        LOCAL_CLOUD_VARIABLE: f"http://{control}",
    }

    def access(version: str) -> str:
        payload = it.ask("GET", f"secretmanager.googleapis.com/v1/{version}:access")["payload"]
        return base64.b64decode(payload["data"]).decode()

    try:
        for function in it.functions().values():
            source = _unpack(it, function["buildConfig"])
            running = start_function(function, source, shared, it.folder, access)
            functions.append(running)
            it.control("played", {"host": running.host, "address": running.address})
        yield functions
    finally:
        for one in functions:
            kill(one.process)


def _unpack(it: Installation, build: dict[str, Any]) -> Path:
    """The folder of the archive that a function was built from: nobody else's."""
    source, folder = build["source"]["storageSource"], it.folder / "source" / str(build["entryPoint"])
    archive = f"storage.googleapis.com/storage/v1/b/{source['bucket']}/o/{quote(source['object'], '')}"
    ZipFile(io.BytesIO(it.download(f"{archive}?alt=media"))).extractall(folder)
    return folder
