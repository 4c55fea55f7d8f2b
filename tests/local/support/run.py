"""A small application with its control planes on loopback, at a clock that is moved by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.cloud import functions_v2, monitoring_v3, run_v2
from google.cloud.functions_v2.services.function_service.transports.grpc import FunctionServiceGrpcTransport
from google.cloud.monitoring_v3.services.metric_service.transports.grpc import MetricServiceGrpcTransport
from google.cloud.run_v2.services.revisions.transports.grpc import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports.grpc import ServicesGrpcTransport
from google.longrunning import operations_pb2
from google.longrunning.operations_pb2_grpc import OperationsStub

from local.application import Application
from local.application.applications import ApplicationRegistry
from local.application.sources import Sources
from local.core.clock import CloudClock
from local.core.grpc_services import serve
from local.core.journal import Journal
from local.faults.hooks import FaultHooks
from local.services.functions.runtimes import Runtimes
from local.services.functions.service import Functions
from local.services.monitoring import IngestionDelay, MetricService
from local.services.plain_functions import PlainFunctions
from local.services.run import Revisions, Rollouts, RunServices, WriteQuotaBucket
from local.services.run.operations import RunOperations
from local.services.storage import Buckets
from shared.domain.policy.probes import Probe
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import Signal
from shared.domain.policy.system_policy import Group, Policy

ORIGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
PARENT = "projects/shop/locations/europe-west1"
SEED = 7


def policy(signals: dict[str, Signal] | None = None, functions: int = 0) -> Policy:
    """A book shop; with `functions`, that many more in a group of their own."""
    groups = {"orders": Group(("placeOrder", "payOrder")), "books": Group(("findBook", "bookCover"))}
    if functions:
        groups["bulk"] = Group(tuple(f"bulk{index:03d}" for index in range(functions)))
    return Policy(
        system="bookshop",
        project="shop",
        region="europe-west1",
        groups=groups,
        signals=signals or {},
        scenarios={ScenarioName.FUNCTIONS: Mode.ACT},
        probes=(
            Probe("front page", "https://shop.example/"),
            Probe("order", "https://shop.example/api/order", function="placeOrder"),
        ),
    )


def signal(threshold: float, duration: timedelta) -> Signal:
    return Signal(Severity.CRITICAL, ScenarioName.FUNCTIONS, Mode.ACT, threshold, duration)


def service_path(name: str) -> str:
    return f"{PARENT}/services/{name}"


class World:
    """The application, what can be set about its platform, and Google's clients for it."""

    def __init__(self, chosen: Policy | None = None, journal: Journal | None = None) -> None:
        self.clock = CloudClock(ORIGIN, scale=0)
        self.application = Application(chosen or policy(), self.clock, journal or Journal(), SEED)
        self.rollouts = Rollouts()
        self.quota = WriteQuotaBucket(self.clock)
        self.ingestion = IngestionDelay()
        self.faults = FaultHooks()
        self.services: run_v2.ServicesClient
        self.revisions: run_v2.RevisionsClient
        self.functions: functions_v2.FunctionServiceClient
        self.metrics: monitoring_v3.MetricServiceClient
        self.operations: Any

    def advance(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    def deploy(self, **how: Any) -> None:
        """A second release of `placeOrder`."""
        self.application.deploy(["placeOrder"], release="r2", **how)

    def revision(self, index: int = 0, function: str = "placeOrder") -> str:
        """The name of a revision of a function, the first by default."""
        return self.application.service_of(function).revisions[index].name

    def get(self, name: str = "placeorder") -> run_v2.Service:
        return self.services.get_service(name=service_path(name))

    def update(
        self,
        service: run_v2.Service,
        *traffic: run_v2.TrafficTarget,
        mask: tuple[str, ...] = ("traffic",),
        validate_only: bool = False,
    ) -> Any:
        """Ask for another traffic list of a service as read; the operation."""
        asked = run_v2.Service(name=service.name, etag=service.etag, traffic=traffic)
        request = run_v2.UpdateServiceRequest(
            service=asked, update_mask={"paths": list(mask)}, validate_only=validate_only
        )
        return self.services.update_service(request=request)

    def operation(self, name: str) -> operations_pb2.Operation:
        return self.operations.GetOperation(operations_pb2.GetOperationRequest(name=name))


def to(revision: str, percent: int = 100, tag: str = "") -> run_v2.TrafficTarget:
    """A traffic target that names a revision."""
    kind = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
    return run_v2.TrafficTarget(type_=kind, revision=revision, percent=percent, tag=tag)


def shift(channel: grpc.Channel, revision: str, service: str = "placeorder", **more: Any) -> Any:
    """Ask Cloud Run for all traffic of a service on one revision; the operation."""
    services = run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel))
    read = services.get_service(name=service_path(service))
    read.traffic = [to(revision)]
    request = run_v2.UpdateServiceRequest(service=read, update_mask={"paths": ["traffic"]}, **more)
    return services.update_service(request=request)


def to_latest() -> run_v2.TrafficTarget:
    """A traffic target that follows the latest revision."""
    kind = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
    return run_v2.TrafficTarget(type_=kind, percent=100)


def _no_subscription(name: str) -> int:
    raise AssertionError(f"nothing waits in {name}")


@contextmanager
def served(world: World) -> Iterator[World]:
    """The world with its control planes listening and clients for them."""
    estate = ApplicationRegistry([world.application])
    operations = operations_pb2.DESCRIPTOR.services_by_name["Operations"]
    plain = PlainFunctions(world.clock, Journal(), world.faults, lambda _bucket, _name: 1)
    server, address = serve(
        {
            ServicesGrpcTransport: RunServices(
                estate, world.clock, world.rollouts, world.quota, world.faults, plain, Journal()
            ),
            RevisionsGrpcTransport: Revisions(estate, plain),
            operations: RunOperations(estate, world.clock),
            FunctionServiceGrpcTransport: Functions(
                estate, Sources(Buckets(world.clock, Journal())), world.quota, world.faults, plain, Runtimes()
            ),
            MetricServiceGrpcTransport: MetricService(estate, world.clock, world.ingestion, _no_subscription),
        },
        world.faults,
    )
    with grpc.insecure_channel(address) as channel:
        world.services = run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel))
        world.revisions = run_v2.RevisionsClient(transport=RevisionsGrpcTransport(channel=channel))
        world.functions = functions_v2.FunctionServiceClient(
            transport=FunctionServiceGrpcTransport(channel=channel)
        )
        world.metrics = monitoring_v3.MetricServiceClient(
            transport=MetricServiceGrpcTransport(channel=channel)
        )
        world.operations = OperationsStub(channel)
        yield world
    server.stop(grace=None).wait()
