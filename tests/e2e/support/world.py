"""The product in one process: embedded cloud, main.py behind HTTP, Google's clients between."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from werkzeug import Request, Response
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

import main
from local.cloud import Cloud
from local.core.clock import CloudClock
from local.core.loopback import Loop
from local.demo.evidence import Evidence
from local.installation import push_subscriptions
from local.installation.responder_processes import SERVED_ENTRY_POINTS, build_settings
from shared.adapters.clock import EmbeddedClock
from shared.core import topics
from shared.domain.deployments.inventory.traffic import traffic_shares
from shared.domain.policy.scenario_names import Mode
from shared.domain.rollback.plan import StepStatus
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, Rollback
from shared.policy_files import loader
from shared.wiring.adapters import Wiring
from shared.wiring.settings import EMULATOR_VARIABLES
from tests.support.cli import operator
from tests.support.runtime.embedded_cloud import embedded_cloud

SCALE = 20.0
"""Cloud seconds per wall second: a lease is a second and a half."""
PATIENT = 5.0
"""How fast time runs where a slow machine must keep up: it answers a prompt within 20 seconds."""
LIMIT_SECONDS = 240.0
"""Of wall time, for each thing that is waited for."""
OPERATIONS = "rollback-operations"
PROBED = (Path(__file__).parent.parent.parent.parent / "policies" / "example.yaml").read_text()
EXAMPLE = re.sub(r"\n    signal: \w+", "", PROBED)
"""The same, told of trouble by Cloud Monitoring alone."""

T = TypeVar("T")


class World:
    """A bookshop whose stable release is recorded, and which may be rolled back by automation."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        folder: Path,
        closing: ExitStack,
        origin: datetime,
        policy_text: str = EXAMPLE,
        *,
        point_in_time_recovery: bool = False,
    ) -> None:
        (folder / "bookshop.yaml").write_text(policy_text)
        self.policy = loader.parse_policy(policy_text, "bookshop.yaml")
        cloud = embedded_cloud(
            self.policy,
            clock=CloudClock(origin, SCALE),
            ticks=True,
            operations_project=OPERATIONS,
            point_in_time_recovery=point_in_time_recovery,
        )
        self.cloud = closing.enter_context(cloud)
        self.application = self.cloud.application(self.policy.system)
        self.wiring, self.addresses = responders(monkeypatch, folder, self.cloud, closing)
        self.evidence = Evidence(self.wiring, self.policy, OPERATIONS, self.cloud.addresses["pubsub"])
        closing.callback(self.evidence.close)
        # Before the servers end: a responder that waits is not waited for, its world is gone.
        closing.callback(self.cloud.stop)
        self._prepare()

    def _prepare(self) -> None:
        said = {"version": 1, "system": self.policy.system}
        self.publish(topics.DEPLOYMENTS, {**said, "deployment": "v1", "stable": True})
        stable = until("the stable deployment", lambda: self.evidence.deployment("v1"))
        self.stable = {name: one.revisions for name, one in stable.functions.items()}
        gates = self.policy.gates
        if gates.drills_before_ask or gates.drills_before_act:
            self.cloud.clock.rescale(1)  # what a slow machine answers still comes in time
            self.command(command="drill", system=self.policy.system)
            until("the drill", self.evidence.drills)
            self.cloud.clock.rescale(SCALE)
        self.command(command="promote", system=self.policy.system, mode="act")
        until("the promotion", lambda: (one := self.evidence.system()) and one.mode is Mode.ACT)

    # What happens in the world

    def advance_to(self, moment: datetime) -> None:
        """Move everybody's clock."""
        self.cloud.clock.advance(moment - self.cloud.clock.now())
        clock = self.wiring.clock
        assert isinstance(clock, EmbeddedClock)
        clock.follow()

    def deploy_bad(self) -> None:
        """A bad release goes out to every function, and is live for ten minutes."""
        self.application.deploy(release="v2", failure_rate=0.8)
        pass_time(self, timedelta(minutes=10))

    def publish(self, topic: str, content: Mapping[str, Any] | bytes, project: str = "") -> None:
        """Anybody publishes; in the operations project unless told otherwise."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.cloud.publish(f"projects/{project or OPERATIONS}/topics/{topic}", data)

    def notification(self, signal: str = "function_failure_rate", **more: Any) -> dict[str, Any]:
        """What Cloud Monitoring writes of a signal, which began just now unless told otherwise."""
        about = {
            "incident_id": f"0.{signal}",
            "state": "open",
            "started_at": int(self.cloud.clock.now().timestamp()),
            "resource": {"type": "cloud_run_revision", "labels": {"project_id": self.policy.project}},
            "policy_user_labels": {"rollback_system": self.policy.system, "rollback_signal": signal},
        }
        return {"version": "1.2", "incident": about | more}

    def alert(self, *signal: str, **more: Any) -> None:
        """Cloud Monitoring notifies of a signal."""
        self.publish(topics.ALERTS, self.notification(*signal, **more), self.policy.project)

    def end_incident(self, incident: str) -> None:
        """A person calls the newest rollback off and accepts the incident, which is over then."""
        about = {"system": self.policy.system, "incident": incident}
        self.command(command="cancel", **about)
        until("its end", lambda: self.evidence.rollbacks()[-1].status in ENDED_ROLLBACK_STATUSES)
        self.command(command="accept", **about)
        until("its acceptance", lambda: (one := self.evidence.system()) and one.incident_ended_at)

    def command(self, **content: Any) -> None:
        """A person publishes a command where IAM alone guards."""
        self.publish(topics.OVERRIDE, {"version": 1, "reason": "a test", **content})

    # What became of it

    def rollback(self) -> Rollback | None:
        """The only rollback."""
        rollbacks = self.evidence.rollbacks()
        assert len(rollbacks) < 2
        return rollbacks[0] if rollbacks else None

    def events(self, rollback: Rollback) -> list[str]:
        """The names of what happened to a rollback, in order."""
        trail = self.evidence.trail(rollback.id)
        return [event.name for entry in trail for event in entry.events]

    def is_carried_out(self) -> bool:
        """Whether there is a plan of which each step is done, or was not needed."""
        rollback = self.rollback()
        if rollback is None or rollback.plan is None:
            return False
        assert not rollback.outcome
        steps = self.evidence.steps(rollback.id)
        return all(step.status in (StepStatus.DONE, StepStatus.UNNEEDED) for step in steps)

    @property
    def live(self) -> dict[str, dict[str, int]]:
        """Percent per revision that the routers really give."""
        return {
            name: traffic_shares(live.service.serving, live.service.latest_ready)
            for name, live in self.evidence.inventory().items()
        }


def until(what: str, condition: Callable[[], T | None]) -> T:
    """The first truthy answer of the condition, within a limit of wall time."""
    give_up_at = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < give_up_at:
        if answer := condition():
            return answer
        time.sleep(0.1)
    raise AssertionError(f"waited in vain for {what}")


def responders(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    cloud: Cloud,
    closing: ExitStack,
    policies: Path | None = None,
) -> tuple[Wiring, dict[str, str]]:
    """main.py behind HTTP, wired as in a process of its own, and where each entry point listens.

    The policies are in the folder unless told otherwise; nobody has signed in there yet.
    """
    for name in ("K_SERVICE", "ROLLBACK_DATABASE", *EMULATOR_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    for name, value in build_settings(cloud, policies or folder).items():
        monkeypatch.setenv(name, value)
    operator.connect_to_cloud_identity(monkeypatch, cloud, folder)
    _forget()
    closing.callback(_forget)
    wiring = main._wiring()
    closing.callback(wiring.close)
    addresses = {name: _serve(getattr(main, name), closing) for name in SERVED_ENTRY_POINTS}
    push_subscriptions.subscribe(cloud, addresses)
    return wiring, addresses


def _forget() -> None:
    """Make main.py a fresh instance."""
    main._wiring.cache_clear()
    main._trigger.cache_clear()
    main._console.cache_clear()


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Standard error belongs to the product."""


def _serve(entry_point: Callable[[Any], tuple[Any, ...]], closing: ExitStack) -> str:
    """The address at which an entry point answers; work is taken one request at a time."""

    @Request.application
    def answer(request: Request) -> Response:
        return Response(*entry_point(request))

    threaded = entry_point is not main.on_work
    server: BaseWSGIServer = make_server("127.0.0.1", 0, answer, threaded=threaded, request_handler=_Quiet)
    closing.callback(Loop(server, entry_point.__name__).close)
    return f"127.0.0.1:{server.server_port}"


@contextmanager
def database(world: World, name: str) -> Iterator[firestore.Client]:
    """A client of the application's, with one database of its project."""
    with grpc.insecure_channel(world.cloud.addresses["firestore"]) as channel:
        client = firestore.Client(
            project=world.policy.project, database=name, credentials=AnonymousCredentials()
        )
        client._firestore_api_internal = FirestoreClient(transport=FirestoreGrpcTransport(channel=channel))
        yield client


def pass_time(world: World, by: timedelta) -> None:
    """It is so much later."""
    world.advance_to(world.cloud.clock.now() + by)
