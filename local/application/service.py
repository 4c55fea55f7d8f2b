"""One function's Cloud Run service as a value, and each thing that can happen to it."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from local.application.latency import TIMEOUT, share_slower_than

KEPT_CHANGES = 20
"""Ended changes that a service remembers, so that their operations can still be asked for."""


class TrafficEntry(Struct, frozen=True):
    """One entry of a traffic list: a share of the requests, a tag, or both."""

    revision: str | None
    """Short name; None follows the latest ready revision."""
    percent: int = 0
    tag: str = ""


LATEST_ONLY = (TrafficEntry(None, 100),)


class InstanceScaling(Struct, frozen=True):
    """The instances of a service, whichever revisions serve."""

    minimum: int = 0
    maximum: int = 0
    """0: not limited."""
    manual: int | None = None
    """Exactly so many; None: as many as are needed."""


class FailureStep(Struct, frozen=True):
    """From that age on a revision fails at another rate; several steps make a ramp or a burst."""

    age: timedelta
    failure_rate: float


Instances = Annotated[int, Meta(ge=0, le=1000)]


class RevisionConfiguration(Struct, frozen=True, forbid_unknown_fields=True):
    """What a revision is given beside its code."""

    environment: dict[str, str] = {}
    """Plain values, beside RELEASE, which every revision has."""
    secrets: dict[str, Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+/([0-9]+|latest)\Z")]] = {}
    """By environment variable: `SECRET/VERSION`."""
    min_instances: Instances = 0
    max_instances: Instances = 100
    concurrency: Instances = 80


class Archive(Struct, frozen=True):
    """Where the source of a build lies."""

    bucket: str
    object: str
    generation: int


class ServiceRevision(Struct, frozen=True):
    """One version of a function's code and configuration."""

    name: str
    release: str
    created_at: datetime
    failure_rate: float = 0.0
    """Share of its requests that it answers with 500."""
    latency: timedelta = timedelta(milliseconds=50)
    """The median; what takes longer than the time-out fails."""
    starts: bool = True
    """False: its container does not come up, and it is never ready."""
    errors: tuple[FailureStep, ...] = ()
    """How its failure rate changes with its age, in ascending order of age."""
    corruption: float = 0.0
    """Share of the documents that it writes that are damaged."""
    configuration: RevisionConfiguration = RevisionConfiguration()
    source: Archive | None = None
    """What it was built from; None: from an archive of the platform's own."""
    definition: dict[str, Any] | None = None
    """What its function was asked to be beside that, in JSON; None: as Firebase's tools ask."""
    image_deleted: bool = False
    """What serves goes on; nothing starts it any more, though it is called ready."""

    @property
    def variables(self) -> dict[str, str]:
        """The plain values of its environment."""
        return {"RELEASE": self.release, **self.configuration.environment}

    def failure_rate_at(self, moment: datetime) -> float:
        """What clients see: without a container every request fails."""
        if not self.starts:
            return 1.0
        rate = self.failure_rate
        for step in self.errors:
            if self.created_at + step.age <= moment:
                rate = step.failure_rate
        return rate + (1.0 - rate) * share_slower_than(self.latency, TIMEOUT)


class TrafficFlow(Struct, frozen=True):
    """The share of the requests that one revision serves, and what becomes of those."""

    revision: str
    share: float
    failure_rate: float
    latency: timedelta = timedelta(milliseconds=50)
    """The median."""
    starts: bool = True
    """Whether an instance comes up where there is none."""


class Period(Struct, frozen=True):
    """The routing since a moment, until the next period begins."""

    since: datetime
    flows: tuple[TrafficFlow, ...]


class ServiceChange(Struct, frozen=True):
    """A change of a service on its way through the platform: what a long-running operation is."""

    id: str
    generation: int
    started_at: datetime
    due_at: datetime
    failure: str = ""
    """Why it ends without effect; empty when it succeeds."""
    superseded_at: datetime | None = None
    """When a newer change took its place."""


class DocumentEventFilter(Struct, frozen=True):
    """Which events of documents a function is started by."""

    document: str
    """A pattern of paths below the root: `orders/{order}`."""
    type: str = "google.cloud.firestore.document.v1.written"
    database: str = "(default)"


class ApplicationService(Struct, frozen=True):
    """A Cloud Run service: what is asked of it, what it does, and what it has done."""

    function: str
    name: str
    uid: str
    created_at: datetime
    updated_at: datetime
    revisions: tuple[ServiceRevision, ...]
    """In order of creation."""
    traffic: tuple[TrafficEntry, ...] = LATEST_ONLY
    """As asked for."""
    applied: tuple[TrafficEntry, ...] = LATEST_ONLY
    """As the routers have it."""
    scaling: InstanceScaling = InstanceScaling()
    periods: tuple[Period, ...] = ()
    generation: int = 1
    observed_generation: int = 1
    pending: ServiceChange | None = None
    past: tuple[ServiceChange, ...] = ()
    fault: str = ""
    """Why the observed generation is not ready; empty when it is."""
    first_generation: bool = False
    """A function of the 1st generation: nobody sees a Cloud Run service of it."""
    deleted_at: datetime | None = None
    """When the function was deleted; None: it is there."""
    broken: str = ""
    """Why its newest deployment did not succeed; empty when it did."""
    invokers: tuple[str, ...] = ("allUsers",)
    """Who may call it."""
    waiting: int | None = None
    """Events or tasks that wait for it, and come again when it fails; None: nothing brings any."""
    queue: bool = False
    """Whether they are tasks, of the queue that is called as it is."""
    asked: bool = True
    """Whether requests come to it, and ever have."""
    hears: DocumentEventFilter | None = None
    """Which documents start it; they are delivered, and what waits is counted where it waits."""

    @property
    def latest_created(self) -> ServiceRevision:
        """The newest revision."""
        return self.revisions[-1]

    @property
    def latest_ready(self) -> ServiceRevision | None:
        """The newest revision that starts."""
        return next((revision for revision in reversed(self.revisions) if revision.starts), None)

    @property
    def changes(self) -> tuple[ServiceChange, ...]:
        """The changes that are still remembered, the oldest first."""
        return self.past if self.pending is None else (*self.past, self.pending)

    def revision(self, name: str) -> ServiceRevision | None:
        """The revision of that short name."""
        return next((revision for revision in self.revisions if revision.name == name), None)

    def resolve(self, target: TrafficEntry) -> ServiceRevision:
        """The revision that an entry stands for now.

        Raises: KeyError when the entry names a revision that the service does not have.
        """
        if target.revision is None:
            return self.latest_ready or self.latest_created
        revision = self.revision(target.revision)
        if revision is None:
            raise KeyError(target.revision)
        return revision

    def tagged(self, tag: str) -> ServiceRevision | None:
        """The revision that answers under a tag's own address."""
        return next((self.resolve(target) for target in self.applied if target.tag == tag), None)


def is_shown_by_run(service: ApplicationService) -> bool:
    """Whether Cloud Run shows it."""
    return service.deleted_at is None and not service.first_generation


def settle_service(service: ApplicationService, now: datetime) -> ApplicationService:
    """The service as it is by now: a pending change that was due is over, revisions have aged."""
    change = service.pending
    if change is not None and change.due_at <= now:
        service = _apply_change(_age_revisions(service, change.due_at), change)
    return _age_revisions(service, now)


def redirect_traffic(
    service: ApplicationService, traffic: tuple[TrafficEntry, ...], change: ServiceChange
) -> ApplicationService:
    """The service with another traffic list asked for; the routers follow when the change is due.

    The newest list wins: a change that was still pending ends superseded.
    """
    past = service.past
    if service.pending is not None:
        past = _remember_change(service, replace(service.pending, superseded_at=change.started_at))
    return replace(
        service,
        traffic=traffic,
        generation=change.generation,
        updated_at=change.started_at,
        pending=change,
        past=past,
    )


def add_revision(service: ApplicationService, revision: ServiceRevision) -> ApplicationService:
    """The service with one more revision; it serves at once where traffic follows the latest.

    A revision that does not start leaves the routers where they are; so does any, where a change of
    traffic away from the latest has failed.
    """
    if service.fault and any(target.revision is not None for target in service.traffic):
        routed_to = tuple(
            replace(target, revision=service.resolve(target).name) for target in service.applied
        )
        service = replace(service, applied=routed_to)
    generation = service.generation + 1
    idle = service.pending is None
    fault = "" if revision.starts else f"Revision '{revision.name}' is not ready."
    grown = replace(
        service,
        revisions=(*service.revisions, revision),
        generation=generation,
        observed_generation=generation if idle else service.observed_generation,
        updated_at=revision.created_at,
        fault=fault,
    )
    return record_routing(grown, revision.created_at)


def degrade_revision(
    service: ApplicationService,
    name: str,
    now: datetime,
    *,
    failure_rate: float | None,
    starts: bool | None,
    latency: timedelta | None = None,
) -> ApplicationService:
    """The service with one revision behaving otherwise from now on; None leaves that trait."""
    revisions = tuple(
        replace(
            revision,
            failure_rate=revision.failure_rate if failure_rate is None else failure_rate,
            errors=revision.errors if failure_rate is None else (),
            latency=revision.latency if latency is None else latency,
            starts=revision.starts if starts is None else starts,
        )
        if revision.name == name
        else revision
        for revision in service.revisions
    )
    return record_routing(replace(service, revisions=revisions), now)


def record_routing(service: ApplicationService, since: datetime) -> ApplicationService:
    """The service with the routing that now holds written down as of `since`."""
    shares: dict[str, float] = {}
    for target in () if service.deleted_at else service.applied:
        if target.percent:
            name = service.resolve(target).name
            shares[name] = shares.get(name, 0.0) + target.percent / 100
    flows = tuple(_flow(service, name, share, since) for name, share in shares.items())
    if service.periods and service.periods[-1].flows == flows:
        return service
    return replace(service, periods=(*service.periods, Period(since, flows)))


def _flow(service: ApplicationService, name: str, share: float, since: datetime) -> TrafficFlow:
    (revision,) = (one for one in service.revisions if one.name == name)
    latency = revision.latency if revision.starts else TIMEOUT
    return TrafficFlow(name, share, revision.failure_rate_at(since), latency, revision.starts)


def _age_revisions(service: ApplicationService, now: datetime) -> ApplicationService:
    """The service with every step of its revisions' errors that has come since it was routed."""
    if not service.periods:
        return service
    since = service.periods[-1].since
    ages = {revision.created_at + step.age for revision in service.revisions for step in revision.errors}
    for moment in sorted(moment for moment in ages if since < moment <= now):
        service = record_routing(service, moment)
    return service


def _apply_change(service: ApplicationService, change: ServiceChange) -> ApplicationService:
    failure = change.failure or _unready(service)
    ended = replace(
        service,
        pending=None,
        past=_remember_change(service, replace(change, failure=failure)),
        observed_generation=service.generation,
        fault=failure,
    )
    if failure:
        return ended
    return record_routing(replace(ended, applied=service.traffic), change.due_at)


def _unready(service: ApplicationService) -> str:
    for target in service.traffic:
        revision = service.resolve(target)
        if target.revision is not None and target.percent and not revision.starts:
            return f"Revision '{revision.name}' is not ready and cannot serve traffic."
        if revision.image_deleted and revision.name not in _serving_revisions(service):
            return f"Image of revision '{revision.name}' not found."
    return ""


def _serving_revisions(service: ApplicationService) -> set[str]:
    """The revisions that requests reach now."""
    return {service.resolve(target).name for target in service.applied if target.percent}


def _remember_change(service: ApplicationService, change: ServiceChange) -> tuple[ServiceChange, ...]:
    return (*service.past, change)[-KEPT_CHANGES:]
