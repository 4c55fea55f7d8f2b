"""The embedded cloud, composed: one clock, one journal, six addresses on loopback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from google.cloud.firestore_v1.services.firestore.transports.grpc import FirestoreGrpcTransport
from google.cloud.functions_v2.services.function_service.transports.grpc import (
    FunctionServiceGrpcTransport,
)
from google.cloud.monitoring_v3.services.metric_service.transports.grpc import (
    MetricServiceGrpcTransport,
)
from google.cloud.run_v2.services.revisions.transports.grpc import RevisionsGrpcTransport
from google.iam.v1 import iam_policy_pb2
from google.longrunning import operations_pb2
from google.pubsub_v1 import types as pubsub_types
from google.pubsub_v1.services.publisher.transports.grpc import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

from local import control, heartbeat
from local.application import Application
from local.application.estate import Estate
from local.clock import CloudClock
from local.faults import Faults
from local.firestore.service import FirestoreService
from local.functions import Functions
from local.heartbeat import Heartbeat
from local.journal import Journal
from local.monitoring import Alerter, Ingestion, Metrics
from local.operations import Operations
from local.pubsub.service import PubSub
from local.run import Revisions, Rollouts, RunServicesTransport, Services, WriteQuota
from local.wire import Refused, Service, serve
from shared.policy import Policy

NAMES = ("firestore", "pubsub", "run", "functions", "monitoring", "control")
"""The addresses of a cloud."""
TOPICS = (
    "rollback-alerts",
    "rollback-commands",
    "rollback-clock",
    "rollback-deployments",
    "rollback-work",
    "rollback-notices",
    "rollback-dead-letters",
)
INSIDE: Any = None
"""The context of a call that comes from inside: what is called so does not look at it."""


class Cloud:
    """Firestore, Pub/Sub, Cloud Run, Cloud Functions, Monitoring and the applications themselves.

    Its parts are there to be looked at and meddled with: `rollouts` and `quota` of Cloud Run,
    `ingestion` of Monitoring, `faults` of every call.
    """

    def __init__(self, clock: CloudClock, journal: Journal) -> None:
        self.clock = clock
        self.faults = Faults()
        self.rollouts = Rollouts()
        self.quota = WriteQuota(clock)
        self.ingestion = Ingestion()
        self.addresses: dict[str, str] = {}
        self.home = ""
        """The operations project: the responders' topics, the clock's ticks."""
        self.projects: tuple[str, ...] = ()
        """Every project that has the topics, by name."""
        self._journal = journal
        self._closing = ExitStack()
        self._closing.callback(journal.close)
        self._applications: dict[str, Application] = {}
        self._alerters: dict[str, Alerter] = {}

    @classmethod
    def start(
        cls,
        policies: Sequence[Policy],
        *,
        seed: int,
        data: Path | None = None,
        clock: CloudClock | None = None,
        alerter: bool = True,
        ticks: bool = True,
        operations_project: str | None = None,
        ports: Mapping[str, int] | None = None,
    ) -> Cloud:
        """A running cloud with an application per policy, everything listening on loopback.

        `data` holds what survives a restart, kill -9 included; cloud time goes on from there.
        Clock ticks go to `operations_project` (default: the first policy's). `ports` pins ports by
        the names of `NAMES`; the others are free ones.
        """
        clock = clock or CloudClock()
        cloud = cls(clock, Journal(data))
        try:
            heartbeat.resume(clock, cloud._journal)
            cloud._serve(policies, seed, ports or {})
            cloud.home = operations_project or policies[0].project
            protected = {policy.project for policy in policies}
            cloud.projects = tuple(sorted({cloud.home, *protected}))
            cloud._create_topics()
            cloud._come_alive(ports or {}, alerter=alerter, ticks=ticks)
        except BaseException:
            cloud.stop()
            raise
        return cloud

    def application(self, system: str) -> Application:
        """The application of a policy. Raises: KeyError."""
        return self._applications[system]

    def alerter(self, system: str) -> Alerter:
        """The alert policies of a system. Raises: KeyError; when started without alerts, too."""
        return self._alerters[system]

    def settle(self) -> None:
        """Return when alerts and ticks are what the clock's time asks for."""
        self._heartbeat.beat()

    def tick(self, project: str) -> None:
        """Publish one clock tick."""
        self.publish(f"projects/{project}/topics/rollback-clock", b"{}")

    def publish(self, topic: str, data: bytes) -> None:
        """Publish from inside: no fault is asked, and it is done when this returns."""
        message = pubsub_types.PublishRequest.pb()(topic=topic, messages=[{"data": data}])
        self.pubsub.publisher.Publish(message, INSIDE)

    def stop(self) -> None:
        """Return when nothing runs or listens any more and everything kept is on disk."""
        self._closing.close()

    def _serve(self, policies: Sequence[Policy], seed: int, ports: Mapping[str, int]) -> None:
        for policy in policies:
            self._applications[policy.system] = Application(policy, self.clock, self._journal, seed)
        estate = Estate(tuple(self._applications.values()))
        self.pubsub = PubSub(self.clock, self._journal, self.faults)
        self._closing.callback(self.pubsub.close)
        for name, services in self._services(estate).items():
            server, address = serve(services, self.faults, ports.get(name, 0))
            self._closing.callback(_stop, server)
            self.addresses[name] = address

    def _services(self, estate: Estate) -> dict[str, dict[Service, object]]:
        """What is served at which address."""
        operations = operations_pb2.DESCRIPTOR.services_by_name["Operations"]
        policies = iam_policy_pb2.DESCRIPTOR.services_by_name["IAMPolicy"]
        run = Services(estate, self.clock, self.rollouts, self.quota)
        return {
            "firestore": {FirestoreGrpcTransport: FirestoreService(self.clock, self._journal)},
            "pubsub": {
                PublisherGrpcTransport: self.pubsub.publisher,
                SubscriberGrpcTransport: self.pubsub.subscriber,
                policies: self.pubsub.policy,
            },
            "run": {
                RunServicesTransport: run,
                RevisionsGrpcTransport: Revisions(estate),
                operations: Operations(estate, self.clock),
            },
            "functions": {FunctionServiceGrpcTransport: Functions(estate)},
            "monitoring": {MetricServiceGrpcTransport: Metrics(estate, self.clock, self.ingestion)},
        }

    def _create_topics(self) -> None:
        for project in self.projects:
            for topic in TOPICS:
                name = f"projects/{project}/topics/{topic}"
                try:
                    self.pubsub.publisher.CreateTopic(pubsub_types.Topic.pb()(name=name), INSIDE)
                except Refused as refused:
                    if refused.code is not grpc.StatusCode.ALREADY_EXISTS:
                        raise

    def _come_alive(self, ports: Mapping[str, int], *, alerter: bool, ticks: bool) -> None:
        if alerter:
            self._alerters = {
                system: Alerter(
                    application, self.clock, self._journal, self.ingestion, self.publish
                )
                for system, application in self._applications.items()
            }
        tick = partial(self.tick, self.home)
        self._heartbeat = Heartbeat(
            self.clock, self._journal, tuple(self._alerters.values()), tick if ticks else None
        )
        self._heartbeat.start()
        self._closing.callback(self._heartbeat.stop)
        listening, self.addresses["control"] = control.listen(ports.get("control", 0))
        plane = control.ControlPlane(
            self.clock, self._applications, self.addresses, tick, self._heartbeat.beat
        )
        door = control.FrontDoor(plane, self._applications, self.clock, listening)
        self._closing.callback(door.close)


def _stop(server: grpc.Server) -> None:
    """Cut the calls that are still open, and wait until the port is free."""
    server.stop(grace=None).wait()
