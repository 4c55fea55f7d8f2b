"""A fresh instance, of which much is asked at once."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cloud import Cloud
from local.control.proxy import build_proxy_environment
from local.installation.provisioning import console_account, push_account, push_audience, status_bucket
from shared.core import topics
from shared.policy_files import loader
from shared.wiring.settings import LOCAL_CLOUD_VARIABLE
from tests.e2e.support.world import OPERATIONS, PROBED

ROOT = Path(__file__).parent.parent.parent
AT_ONCE = """
import os, sys
from threading import Barrier, Thread

def together(calls):
    barrier, answers = Barrier(len(calls)), []
    def one(call):
        barrier.wait()
        answers.append(call())
    threads = [Thread(target=one, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers

def in_fresh_instances(number, check):
    sys.setswitchinterval(1e-6)
    for _ in range(number):
        if not (child := os.fork()):
            check()
            os._exit(0)
        if status := os.waitpid(child, 0)[1]:
            sys.exit(f"ended with {os.waitstatus_to_exitcode(status)}")
"""
PORTS = """
from operator import attrgetter

import main

PORTS = ("bus", "notices.pages", "operators.own_token", "operators.tokens", "projects.services", "store")

def check():
    wiring = main._wiring()
    [system] = wiring.policies
    def every_port():
        found = {name: attrgetter(name)(wiring) for name in PORTS}
        return found | {"alert_states": wiring.system(system).alert_states}
    def ask(name):
        if name == "alert_states":
            return name, wiring.system(system).alert_states
        return name, attrgetter(name)(wiring)
    found = together([lambda name=name: ask(name) for name in (*PORTS, "alert_states")] * 2)
    assert len(found) == 2 * (len(PORTS) + 1)
    assert {(name, id(port)) for name, port in found} == {
        (name, id(port)) for name, port in every_port().items()
    }

in_fresh_instances(4, check)
"""
REQUESTS = """
import base64, json

import flask

import main

app = flask.Flask("fresh")
trial = {"version": "test", "incident": {"incident_id": "0.x", "state": "OPEN", "started_at": 0}}
data = base64.b64encode(json.dumps(trial).encode()).decode()
home = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}"
subscription = f"{home}/subscriptions/rollback-alerts-push"
said = json.dumps({"message": {"data": data, "messageId": "7"}, "subscription": subscription})
token = {"Authorization": f"Bearer {os.environ['PUSH_TOKEN']}"}

def post(body):
    with app.test_request_context(f"/{home}/topics/rollback-alerts", method="POST", data=body, headers=token):
        return main.on_alert(flask.request)

def check():
    posts = [lambda: post(said), lambda: post("strange")] * 4
    assert together(posts) == [main.ACKNOWLEDGED] * 8
    assert main._trigger.cache_info().misses == 1
    assert main._wiring.cache_info().misses == 1

in_fresh_instances(2, check)
"""


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    policy = loader.parse_policy(PROBED, "bookshop.yaml")
    cloud = Cloud.start([policy], seed=1, alerter=False, operations_project=OPERATIONS)
    yield cloud
    cloud.stop()


@pytest.mark.slice
@pytest.mark.parametrize("program", [PORTS, REQUESTS], ids=["ports", "requests"])
def test_all_that_is_first_asked_at_once_is_answered_by_one_of_each(
    cloud: Cloud, tmp_path: Path, program: str
) -> None:
    """No thread meets a module that is half imported, and none builds what another is building."""
    (tmp_path / "bookshop.yaml").write_text(PROBED)
    audience = push_audience(OPERATIONS).replace("{function}", topics.deployed_function("on_alert"))
    claims = cloud.identity.service_claims(push_account(OPERATIONS), audience)
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", AT_ONCE + program],
        cwd=ROOT,
        env={
            **build_proxy_environment(cloud.addresses["control"], tmp_path),
            "PUSH_TOKEN": cloud.identity.service_token(claims),
            "ROLLBACK_PUSH_ACCOUNT": push_account(OPERATIONS),
            "ROLLBACK_PUSH_AUDIENCE": push_audience(OPERATIONS),
            "GOOGLE_CLOUD_PROJECT": OPERATIONS,
            LOCAL_CLOUD_VARIABLE: f"http://{cloud.addresses['control']}",
            "ROLLBACK_POLICIES": str(tmp_path),
            "ROLLBACK_STATUS_BUCKET": status_bucket(OPERATIONS),
            "ROLLBACK_CONSOLE_ACCOUNT": console_account(OPERATIONS),
        },
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
