"""The embedded cloud, composed: one clock, one journal, and its addresses on loopback."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import grpc
from google.cloud.firestore_admin_v1.services.firestore_admin.transports.grpc import (
    FirestoreAdminGrpcTransport,
)
from google.cloud.firestore_v1.services.firestore.transports.grpc import FirestoreGrpcTransport
from google.cloud.functions_v2.services.function_service.transports.grpc import FunctionServiceGrpcTransport
from google.cloud.monitoring_v3.services.metric_service.transports.grpc import MetricServiceGrpcTransport
from google.cloud.run_v2.services.revisions.transports.grpc import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports.grpc import ServicesGrpcTransport
from google.iam.v1 import iam_policy_pb2
from google.longrunning import operations_pb2
from google.protobuf.message import Message
from google.pubsub_v1 import types as pubsub_types
from google.pubsub_v1.services.publisher.transports.grpc import PublisherGrpcTransport
from google.pubsub_v1.services.schema_service.transports.grpc import SchemaServiceGrpcTransport
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

from local.application import Application, names
from local.application.applications import ApplicationRegistry
from local.application.builds import ArchiveNotFound
from local.application.document_traffic import DocumentTraffic
from local.application.service import Archive
from local.application.sources import Sources, read_release
from local.control.application_control import ApplicationControl
from local.control.front_door import FrontDoor
from local.control.service import ControlPlane
from local.control.tunnels import PlayedHost, Proxy
from local.core import rest
from local.core.clock import CloudClock
from local.core.grpc_services import ServiceDefinition, StatusError, serve, served_call_names
from local.core.http_server import listen
from local.core.journal import Journal
from local.core.projects import ANY_PROJECT, ProjectDirectory, find_project
from local.core.rest import RestMethod, RestServer
from local.core.transcoder import HttpRule, build_routes
from local.faults.hooks import FaultHooks
from local.faults.injection import Injector
from local.faults.plan import FaultPlan
from local.installation import provisioning, schedule, state_database
from local.installation.schedule import Heartbeat
from local.services.firestore import Concurrency, FirestoreAdmin, FirestoreService
from local.services.functions.deployments import QUOTA_METRIC, Deployments
from local.services.functions.service import Functions
from local.services.identity import HOSTS as IDENTITY_HOSTS
from local.services.identity import EmbeddedIdentity, service_account_tokens
from local.services.monitoring import (
    AlertEvaluator,
    Alerts,
    IngestionDelay,
    MetricService,
    MonitoringConfiguration,
)
from local.services.monitoring import alerts as alerts_api
from local.services.monitoring.notification import AlertIncident
from local.services.plain_functions import PlainFunctions
from local.services.pubsub.service import PubSub
from local.services.run import Revisions, Rollouts, RunServices, WriteQuotaBucket
from local.services.run.operations import RunOperations
from local.services.service_usage import service
from local.services.storage import CALLS, NAME, Buckets, StorageServer, StorageService
from local.services.storage.errors import Refusal
from local.system_resources import SystemResources
from shared.domain.policy.system_policy import Policy

GRPC_HOSTS = {
    "firestore.googleapis.com": "firestore",
    "pubsub.googleapis.com": "pubsub",
    "run.googleapis.com": "run",
    "cloudfunctions.googleapis.com": "functions",
    "monitoring.googleapis.com": "monitoring",
}
"""Which address serves the gRPC of a host; `rest` serves its REST form."""
UNGENERATED = {
    "monitoring": {
        name: HttpRule("GET", f"/v3/{{name=projects/*{path}")
        for name, path in (
            ("GetMetricDescriptor", "/metricDescriptors/**}"),
            ("GetMonitoredResourceDescriptor", "/monitoredResourceDescriptors/**}"),
            ("ListMetricDescriptors", "}/metricDescriptors"),
            ("ListMonitoredResourceDescriptors", "}/monitoredResourceDescriptors"),
            ("ListTimeSeries", "}/timeSeries"),
        )
    }
}
"""HTTP rules of a service without a REST client: google/monitoring/v3/metric_service.proto."""
ADDRESS_NAMES = (*GRPC_HOSTS.values(), "rest", "storage", "control", "proxy")
"""The addresses of a cloud."""


class Cloud:
    """Google Cloud's services, as many as the responders need, and the applications themselves.

    Its parts are there to be looked at and meddled with: `rollouts` and `quota` of Cloud Run,
    `build_quota` of Cloud Functions, `ingestion` and `watch` of Monitoring, `identity` with its
    people, `surroundings` beside the functions,
    `buckets` of Cloud Storage, `faults` of every call, and `injector` of whole fault plans.
    """

    def __init__(self, clock: CloudClock, journal: Journal, firestore: FirestoreService) -> None:
        self.clock = clock
        self.firestore = firestore
        self.faults = FaultHooks()
        self.rollouts = Rollouts()
        self.quota = WriteQuotaBucket(clock)
        self.build_quota = WriteQuotaBucket(clock, metric=QUOTA_METRIC)
        self.ingestion = IngestionDelay()
        self.identity = EmbeddedIdentity(clock, journal)
        self.buckets = Buckets(clock, journal)
        self.firestore_admin = FirestoreAdmin(firestore, self.buckets, clock, journal, self.faults)
        self.addresses: dict[str, str] = {}
        self.home = ""
        """The operations project: the responders' topics, the clock's ticks."""
        self.projects: tuple[str, ...] = ()
        """Every project that has the topics, by name."""
        self.played: dict[str, str] = {}
        """Who plays a host that events are pushed to: `127.0.0.1:port`."""
        self.directory = ProjectDirectory(journal)
        self._journal = journal
        self._closing = ExitStack()
        self._closing.callback(journal.close)
        self._applications: dict[str, Application] = {}
        self._records: dict[str, DocumentTraffic] = {}
        self._alerters: dict[str, AlertEvaluator] = {}

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
        installation: bool = True,
        operations_project: str | None = None,
        ports: Mapping[str, int] | None = None,
        concurrency: Concurrency = Concurrency.PESSIMISTIC,
        point_in_time_recovery: bool = False,
        faults: FaultPlan | None = None,
        strict: bool = False,
    ) -> Cloud:
        """A running cloud with an application per policy, everything listening on loopback.

        `data` holds what survives a restart, kill -9 included; cloud time goes on from there. Clock
        ticks go to `operations_project` (default: the first policy's). Without `installation` there
        is none of what Terraform makes: topics, buckets, secrets. `ports` pins ports by the
        names of `ADDRESS_NAMES`; the others are free ones. `concurrency` and
        `point_in_time_recovery` are those of every Firestore database. `faults` go wrong from the
        first call on. `strict`: in projects without an application, an API is off until it is
        switched on.

        Raises: BadPlan.
        """
        clock = clock or CloudClock()
        journal = Journal(data)
        firestore = FirestoreService(
            clock, journal, concurrency, point_in_time_recovery=point_in_time_recovery
        )
        cloud = cls(clock, journal, firestore)
        try:
            schedule.resume_clock(clock, cloud._journal)
            cloud.home = operations_project or policies[0].project
            cloud.identity.project = cloud.home
            protected = {policy.project for policy in policies}
            cloud.projects = tuple(sorted({cloud.home, *protected}))
            for project in cloud.projects:
                cloud.directory.resolve(project)
            cloud._serve(policies, seed, ports or {}, strict=strict)
            provisioning.create_application_topics(cloud.pubsub, policies)
            provisioning.create_asset_buckets(cloud.buckets, policies)
            provisioning.create_probe_accounts(cloud.surroundings, cloud.identity, policies)
            if installation:
                provisioning.create_topics(cloud.pubsub, cloud.projects)
                provisioning.create_buckets(cloud.buckets, cloud.home, policies)
                provisioning.store_probe_secrets(cloud.surroundings, cloud.home, policies)
                state_database.install_expiry(firestore.expiry, cloud.home)
            if faults is not None:
                cloud.injector.install(faults)
            cloud._come_alive(alerter=alerter, ticks=ticks)
        except BaseException:
            cloud.stop()
            raise
        return cloud

    def application(self, system: str) -> Application:
        """The application of a policy. Raises: KeyError."""
        return self._applications[system]

    def records(self, system: str) -> DocumentTraffic:
        """The document traffic of an application. Raises: KeyError."""
        return self._records[system]

    def alerter(self, system: str) -> AlertEvaluator:
        """The alert policies of a system. Raises: KeyError; when started without alerts, too."""
        return self._alerters[system]

    def settle(self) -> None:
        """Return when alerts and ticks are what the clock's time asks for."""
        self._heartbeat.beat()

    def tick(self, project: str) -> None:
        """Publish one clock tick."""
        self._publish_unless_gone(f"projects/{project}/topics/rollback-clock", b"{}")

    def publish(self, topic: str, data: bytes) -> None:
        """Publish from inside: no fault is asked, and it is done when this returns."""
        message = pubsub_types.PublishRequest.pb()(topic=topic, messages=[{"data": data}])
        self.pubsub.publisher.Publish(message, provisioning.NO_CALL_CONTEXT)

    def _publish_unless_gone(self, topic: str, data: bytes) -> None:
        """Publish as a service of Google's, which goes on where the topic is gone."""
        try:
            self.publish(topic, data)
        except StatusError as refused:
            if refused.code is not grpc.StatusCode.NOT_FOUND:
                raise

    def stop(self) -> None:
        """Return when nothing runs or listens any more and everything kept is on disk."""
        self._closing.close()

    def _serve(
        self, policies: Sequence[Policy], seed: int, ports: Mapping[str, int], *, strict: bool
    ) -> None:
        self._front, self.addresses["control"] = listen(ports.get("control", 0))
        self._closing.callback(self._front.server_close)
        self.pubsub = PubSub(
            self.clock, self._journal, self.faults, played=self.played, sign=self.identity.sign_push
        )
        self._closing.callback(self.pubsub.close)
        self.surroundings = SystemResources(
            self.clock, self._journal, self.pubsub, self.directory, strict=strict
        )
        self.firestore.engine.herald = self.surroundings.eventarc.herald
        for policy in policies:
            for database in {policy.backups.database, *policy.resources.databases}:
                self.firestore.databases.require_usable(f"projects/{policy.project}/databases/{database}")
            application = Application(policy, self.clock, self._journal, seed)
            self._applications[policy.system] = application
            self.played.update(dict.fromkeys(application.hosts, self.addresses["control"]))
            self._records[policy.system] = DocumentTraffic(
                application, self.clock, self._journal, self.firestore.engine
            )
            self.surroundings.provision(application, application.begun_at)
            application.builds.release_in = self._release_in
            application.builds.is_enabled = partial(self.surroundings.secrets.is_enabled, policy.project)
        estate = ApplicationRegistry(tuple(self._applications.values()))
        metrics = MetricService(estate, self.clock, self.ingestion, self.pubsub.undelivered)
        self.watch = MonitoringConfiguration(estate, metrics, self.clock, self.surroundings.monitoring)
        offered = self._services(estate, metrics)
        self.products: Mapping[str, Sequence[RestMethod]] = {
            **self.surroundings.products(),
            alerts_api.HOST: (*Alerts(self._incidents).calls(), *self.watch.calls()),
            service.HOST: (*service.Quotas(self.quota).calls(), *self.surroundings.services.calls()),
            service_account_tokens.HOST: service_account_tokens.Credentials(self.identity).calls(),
        }
        self.calls = (
            *dict.fromkeys(call for services in offered.values() for call in served_call_names(services)),
            *rest.served_call_names(self.products),
            *CALLS,
        )
        self.injector = Injector(self.faults, self.clock, self.calls)
        self._closing.callback(self.injector.remove)
        for host, name in GRPC_HOSTS.items():
            server, address = serve(
                offered[name],
                self.faults,
                ports.get(name, 0),
                self.directory.read_message,
                partial(self._require_of_message, host),
            )
            self._closing.callback(_stop_grpc_server, server)
            self.addresses[name] = address
        transcoded = {
            host: build_routes(offered[name], UNGENERATED.get(name, {}), self.directory.resolve_message)
            for host, name in GRPC_HOSTS.items()
        }
        self._products = RestServer(
            self.products, self.faults, ports.get("rest", 0), transcoded, self.directory, self._require
        )
        self._closing.callback(self._products.close)
        self.addresses["rest"] = self._products.address
        storage = StorageServer(
            StorageService(self.buckets, self.surroundings.grants.check, self.directory, self._require),
            self.faults,
            ports.get("storage", 0),
        )
        self._closing.callback(storage.close)
        self.addresses["storage"] = storage.address
        proxy = Proxy(self._played_hosts(self.products), lambda: self.identity.tls, ports.get("proxy", 0))
        self._closing.callback(proxy.close)
        self.addresses["proxy"] = proxy.address

    def _require(self, project: str, host: str) -> None:
        """Refuse a request where an API is off, but to Service Usage. Raises: StatusError."""
        if host != service.HOST and project not in ("", ANY_PROJECT):
            self.surroundings.services.require(project, host)

    def _require_of_message(self, host: str, message: Message) -> None:
        """Refuse a gRPC request where the API of its host is off. Raises: StatusError."""
        self._require(find_project(message), host)

    def _played_hosts(self, products: Iterable[str]) -> dict[str, PlayedHost]:
        """Who serves each of Google's hosts.

        Of those without gRPC, a server that does not know their methods answers UNIMPLEMENTED.
        """
        unknown = self.addresses["monitoring"]
        return {
            **{host: PlayedHost(self.addresses["rest"], unknown) for host in products},
            **{
                host: PlayedHost(self.addresses["rest"], self.addresses[name])
                for host, name in GRPC_HOSTS.items()
            },
            **{host: PlayedHost(self.addresses["control"], unknown) for host in IDENTITY_HOSTS},
            NAME: PlayedHost(self.addresses["storage"], unknown),
        }

    def _services(
        self, estate: ApplicationRegistry, metrics: MetricService
    ) -> dict[str, dict[ServiceDefinition, object]]:
        """What is served at which address."""
        operations = operations_pb2.DESCRIPTOR.services_by_name["Operations"]
        policies = iam_policy_pb2.DESCRIPTOR.services_by_name["IAMPolicy"]
        plain = PlainFunctions(self.clock, self._journal, self.faults, self._find_generation)
        run = RunServices(estate, self.clock, self.rollouts, self.quota, self.faults, plain, self._journal)
        plain.has_secret = lambda project, secret: self.surroundings.secrets.has(
            self.directory.resolve(project), secret
        )
        functions = Functions(
            estate, Sources(self.buckets), self.build_quota, self.faults, plain, self.surroundings.runtimes
        )
        functions.require_account = self.surroundings.grants.require_account
        run.check_grant = self.pubsub.policy.check_grant = self.surroundings.grants.check
        return {
            "firestore": {
                FirestoreGrpcTransport: self.firestore,
                FirestoreAdminGrpcTransport: self.firestore_admin,
                operations: self.firestore_admin.operations,
            },
            "pubsub": {
                PublisherGrpcTransport: self.pubsub.publisher,
                SubscriberGrpcTransport: self.pubsub.subscriber,
                SchemaServiceGrpcTransport: self.pubsub.schemas,
                policies: self.pubsub.policy,
            },
            "run": {
                ServicesGrpcTransport: run,
                RevisionsGrpcTransport: Revisions(estate, plain),
                operations: RunOperations(estate, self.clock),
            },
            "functions": {FunctionServiceGrpcTransport: functions, operations: Deployments(estate, plain)},
            "monitoring": {MetricServiceGrpcTransport: metrics},
        }

    def _release_in(self, archive: Archive) -> str:
        """The release that an object holds the source of; an archive of another kind is one itself.

        Raises: Missing.
        """
        try:
            found = self.buckets.find(archive.bucket, archive.object, archive.generation or None)
        except Refusal:
            raise ArchiveNotFound(f"gs://{archive.bucket}/{archive.object}") from None
        return read_release(found.content) or f"sha-{names.digest(found.content.hex())[:12]}"

    def _find_generation(self, bucket: str, name: str) -> int:
        """The generation of a live object; 0: it is not there."""
        try:
            return self.buckets.find(bucket, name).generation
        except Refusal:
            return 0

    def _come_alive(self, *, alerter: bool, ticks: bool) -> None:
        self.surroundings.eventarc.herald.resume()
        if alerter:
            self._alerters = {system: self._alerter(system) for system in self._applications}
        tick = partial(self.tick, self.home)
        duties = [
            self.firestore_admin.catch_up,  # first: a backup of midnight holds nothing later
            self.firestore.expiry.catch_up,
            self.surroundings.registry.clean_up,
            *(records.catch_up for records in self._records.values()),
            *(watching.catch_up for watching in self._alerters.values()),
        ]
        self._heartbeat = Heartbeat(self.clock, self._journal, duties, tick if ticks else None)
        self._heartbeat.start()
        self._closing.callback(self._heartbeat.stop)
        plane = ControlPlane(
            self.clock,
            ApplicationControl(self._applications, self._records, self.clock),
            self.addresses,
            tick,
            self._heartbeat.beat,
            self.injector,
            self.identity,
            self.played,
        )
        door = FrontDoor(plane, self._applications, self.identity, self._products, self.clock, self._front)
        self._closing.callback(door.close)

    def _incidents(self, project: str) -> list[AlertIncident]:
        """What the alert policies of a project's systems have opened."""
        return [
            incident
            for system, alerter in self._alerters.items()
            if self._applications[system].project == project
            for incident in alerter.incidents
        ]

    def _alerter(self, system: str) -> AlertEvaluator:
        records = self._records[system]
        return AlertEvaluator(
            self._applications[system],
            self.clock,
            self._journal,
            self.ingestion,
            self._publish_unless_gone,
            lambda: len(records.damaged_documents()),
        )


def _stop_grpc_server(server: grpc.Server) -> None:
    """Cut the calls that are still open, and wait until the port is free."""
    server.stop(grace=None).wait()
