"""The functions as processes of functions-framework beside the embedded cloud."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.cloud import Cloud
from local.core.clock import CloudClock
from local.demo.evidence import Evidence
from local.installation.responder_processes import SERVED_ENTRY_POINTS, Responders
from shared.core import topics
from shared.domain.presentation import console_http
from shared.policy_files import loader
from shared.wiring.settings import EMULATOR_VARIABLES
from tests.e2e.support.world import OPERATIONS, until
from tests.support.runtime.embedded_cloud import embedded_cloud, wired

pytestmark = pytest.mark.slice

EXAMPLE = Path(__file__).parent.parent.parent / "policies" / "example.yaml"
POLICY = loader.load_policy(EXAMPLE)
PROJECTS = (POLICY.project, OPERATIONS)


@pytest.fixture(scope="module", autouse=True)
def plain_environment() -> Iterator[None]:
    """Nothing of this machine's own wiring reaches the processes."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("K_SERVICE", "ROLLBACK_DATABASE", *EMULATOR_VARIABLES):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    clock = CloudClock(scale=20.0)
    with embedded_cloud(POLICY, clock=clock, ticks=True, operations_project=OPERATIONS) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def responders(cloud: Cloud) -> Iterator[Responders]:
    responders = Responders.start(cloud, [EXAMPLE])
    yield responders
    responders.stop()
    assert not any(map(is_listening, responders.addresses.values()))


@pytest.fixture(scope="module")
def evidence(cloud: Cloud) -> Iterator[Evidence]:
    with wired(cloud, POLICY) as wiring:
        evidence = Evidence(wiring, POLICY, OPERATIONS, cloud.addresses["pubsub"])
        yield evidence
        evidence.close()


def is_listening(address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1.0).close()
    except OSError:
        return False
    return True


def console_test(incident: str) -> bytes:
    about: dict[str, Any] = {"incident_id": incident, "state": "OPEN", "started_at": 0}
    return json.dumps({"version": "test", "incident": about}).encode()


def recorded(evidence: Evidence) -> set[tuple[str, str]]:
    """The test notifications that arrived, each with the topic that it came by."""
    return {(str(one.facts["incident"]), one.actor) for one in evidence.events_without_system()}


def test_alerts_of_every_project_arrive(cloud: Cloud, responders: Responders, evidence: Evidence) -> None:
    """Monitoring publishes in the protected project; the operations project's topic counts too."""
    for project in PROJECTS:
        topic = f"projects/{project}/topics/{topics.ALERTS}"
        cloud.publish(topic, console_test(project))

    told = {(project, f"projects/{project}/topics/{topics.ALERTS}") for project in PROJECTS}
    assert until("both records", lambda: told <= recorded(evidence))


def test_dead_responder_is_restarted(cloud: Cloud, responders: Responders, evidence: Evidence) -> None:
    """While it is dead its messages wait, and none is lost; its address stays the same."""
    address = responders.addresses["on_alert"]
    responders.kill("on_alert")
    assert not is_listening(address)
    cloud.publish(f"projects/{OPERATIONS}/topics/{topics.ALERTS}", console_test("0.while"))

    responders.restart("on_alert")

    topic = f"projects/{OPERATIONS}/topics/{topics.ALERTS}"
    assert until("its record", lambda: ("0.while", topic) in recorded(evidence))
    assert responders.addresses["on_alert"] == address


def started_for(address: str) -> set[int]:
    """The processes that serve there, as the system lists them."""
    port = b"\0--port\0%s" % address.partition(":")[2].encode()
    found = set()
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            if port in one.read_bytes():
                found.add(int(one.parent.name))
    return found


def test_whatever_dies_is_started_again_and_nothing_survives_the_parent(tmp_path: Path) -> None:
    """A responder comes back at its address; when cloud and parent are killed, all of them end."""
    process = subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-m", "local", "--responders", "--policy", str(EXAMPLE)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())["responders"]
        assert set(addresses) == set(SERVED_ENTRY_POINTS)
        assert all(map(is_listening, addresses.values()))
        console = httpx.get(f"http://{addresses['console']}/incidents/x", follow_redirects=True)
        assert "Code of the authenticator app" in console.text
        assert console.headers["Content-Security-Policy"] == console_http.CONTENT_SECURITY_POLICY

        worker = addresses["on_work"]
        before = started_for(worker)
        for dies in before:
            with suppress(ProcessLookupError):  # it follows the one that it belongs to
                os.kill(dies, signal.SIGKILL)

        until("another", lambda: is_listening(worker) and not before & started_for(worker))
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()

    assert until("their end", lambda: not any(map(is_listening, addresses.values())))
