"""Ports of the responders' own resources, for people; each call as `shared.ports.groups` says."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from shared.core.codec import FrozenStruct
from shared.domain.deployments.inventory.inventory_parts import Grants


class Subscription(FrozenStruct):
    """How the messages of one topic are delivered, or kept."""

    name: str
    """Short name."""
    topic: str
    """`projects/P/topics/T`; `_deleted-topic_` when the topic is gone, or it was detached."""
    endpoint: str = ""
    """Where messages are pushed to; empty: they wait to be pulled."""
    account: str = ""
    """Who Pub/Sub says it is when it pushes; empty: nobody."""
    audience: str = ""
    """Whom its token is for; empty: `endpoint`."""
    ack_deadline: timedelta = timedelta(0)
    kept_for: timedelta = timedelta(0)
    """Messages that nobody acknowledges."""
    backoff: tuple[timedelta, timedelta] | None = None
    """Shortest and longest; None: a message comes again at once."""
    dead_letters: str = ""
    """The topic of what was given up; empty: it is delivered until it is forgotten."""
    attempts: int = 0
    expires: bool = False
    """Whether it goes by itself when it is idle."""
    detached: bool = False


class DeployedFunction(FrozenStruct):
    """One function, as it was deployed."""

    name: str
    """Short name."""
    entry_point: str
    active: bool
    uri: str
    """Of the service behind it; empty: it has none."""
    labels: Mapping[str, str] = {}
    account: str = ""
    environment: Mapping[str, str] = {}


class JobRun(FrozenStruct):
    """How a scheduled job went last."""

    enabled: bool
    at: datetime | None = None
    """When it was tried; None: never yet."""
    code: int = 0
    """How that ended, by google/rpc/code.proto: 0 well; negative, when it is not known."""


class MetricQuery(FrozenStruct):
    """What an alert policy or a dashboard asks Cloud Monitoring for."""

    name: str
    """As people read it."""
    labels: Mapping[str, str] = {}
    """Those that a user gave it."""
    enabled: bool = True
    channels: int = 0
    """How many it speaks through."""
    filters: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    """In PromQL."""


class Metric(FrozenStruct):
    """What Cloud Monitoring says of a metric."""

    labels: frozenset[str]
    resources: frozenset[str]
    """The types of what it is measured on."""


class OperationsProject(Protocol):
    """The operations project."""

    def topics(self) -> dict[str, str]:
        """All topics by their short names, each with the name of its schema; "": it has none."""

    def subscriptions(self) -> list[Subscription]:
        """All subscriptions."""

    def grants(self, topic: str) -> Grants:
        """Return a topic's own grants by role, no inherited ones. Raises: Rejected (no topic)."""

    def bucket_grants(self, bucket: str) -> Grants:
        """Return a bucket's own grants by role, no inherited ones. Raises: Rejected (no bucket)."""

    def functions(self) -> list[DeployedFunction]:
        """All functions, in every region."""


class Quotas(Protocol):
    """What the platform admits in a protected system's project."""

    def writes_a_minute(self, region: str) -> int | None:
        """The strictest limit of Cloud Run's writes there; None: none is listed."""


class SchedulerRuns(Protocol):
    """What is called at set times from the operations project."""

    def regions(self) -> list[str]:
        """Every region in which there may be jobs."""

    def runs(self, region: str) -> dict[str, JobRun]:
        """How each job of a region went last, by its short name."""


class EnabledApis(Protocol):
    """Google's APIs, which each project has switched on or off."""

    def is_on(self, project: str, service: str) -> bool:
        """Whether a project has an API switched on, such as `fcm.googleapis.com`."""


class MonitoringSettings(Protocol):
    """How Cloud Monitoring is set up in one project, and what it takes."""

    def policies(self) -> list[MetricQuery]:
        """All alert policies."""

    def dashboards(self) -> list[MetricQuery]:
        """All dashboards."""

    def metric(self, name: str) -> Metric | None:
        """A metric by its type; None: it is not known."""

    def resource(self, name: str) -> frozenset[str] | None:
        """The labels of a type of monitored resource; None: it is not known."""

    def series(self, query: str) -> int:
        """Count the series that a PromQL query returns now. Raises: Rejected (invalid query)."""
