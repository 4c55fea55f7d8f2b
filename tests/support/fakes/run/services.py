"""One Cloud Run service of the fake platform: what is asked of it, what it does, what it did."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.domain.deployments.deployment import LiveFunction
from shared.domain.deployments.inventory.inventory_parts import (
    Configuration,
    FunctionState,
    Generation,
    RevisionState,
    SourceObject,
)
from shared.domain.deployments.inventory.traffic import (
    LATEST_REVISION,
    Revision,
    Scaling,
    Service,
    Traffic,
    TrafficTarget,
    traffic_shares,
)

RETRIED = {"retryPolicy": "RETRY_POLICY_RETRY"}
USUAL_SECONDS = 0.3
"""The median time of a request where a test does not say otherwise."""
TASKS = {"deployment-taskqueue": "true"}


@dataclass
class TrafficChange:
    """A traffic change on its way to the routers."""

    operation: str
    traffic: Traffic
    due_at: datetime
    error: str = ""
    """Why it ends without effect; empty when it succeeds."""


@dataclass
class FakeService:
    """A function's service; `revisions` in order of creation."""

    function: str
    name: str
    """Full resource name."""
    uri: str
    revisions: list[Revision] = field(default_factory=list)
    failure_rates: dict[str, float] = field(default_factory=dict)
    """Share of requests that fail, by revision."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Median seconds of a request, by revision, where they are not the usual."""
    configurations: dict[str, Configuration] = field(default_factory=dict)
    """By revision."""
    sources: dict[str, SourceObject] = field(default_factory=dict)
    """By revision, where somebody said what it was built from."""
    past: set[str] = field(default_factory=set)
    """Revisions that somebody has made past the function."""
    traffic: Traffic = (TrafficTarget(LATEST_REVISION, 100),)
    applied: Traffic = (TrafficTarget(LATEST_REVISION, 100),)
    scaling: Scaling = field(default_factory=Scaling)
    generation: int = 0
    pending: TrafficChange | None = None
    fault: str = ""
    invokers: tuple[str, ...] = ("allUsers",)
    """Who may call it."""
    waiting: int | None = None
    """Events or tasks that wait for it, and come again when it fails; None: nothing brings any."""
    queue: bool = False
    """Whether they are tasks."""
    outages: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    """From when to when every request failed, whatever revision served it; None: until now."""
    history: list[tuple[datetime, dict[str, float]]] = field(default_factory=list)
    """Since when the routers have sent which share, 0 to 1, to which revision."""

    @property
    def short_name(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("/")[2]

    @property
    def etag(self) -> str:
        """What changes with every change that is asked of the service."""
        return f'"{self.short_name}-{self.generation}"'

    @property
    def latest_created(self) -> str:
        """Short name of the newest revision."""
        return self.revisions[-1].name

    @property
    def latest_ready(self) -> str:
        """Short name of the newest revision that starts."""
        ready = [revision.name for revision in self.revisions if revision.ready]
        return ready[-1] if ready else ""

    @property
    def deployed(self) -> Revision:
        """The newest revision that the function's own deployments have made."""
        return [one for one in self.revisions if one.name not in self.past][-1]

    def revision(self, name: str) -> Revision | None:
        """The revision of that short name."""
        return next((known for known in self.revisions if known.name == name), None)

    def deploy(self, revision: Revision, failure_rate: float, configuration: Configuration) -> None:
        """Add a revision; where traffic follows the newest, it serves at once.

        Where a change of traffic has failed, what was asked for counts, not what routers still do.
        """
        if self.fault and any(entry.revision != LATEST_REVISION for entry in self.traffic):
            self.applied = _serving(self.applied, self.latest_ready)
        self.revisions.append(revision)
        self.configurations[revision.name] = configuration
        self.failure_rates[revision.name] = failure_rate
        self.generation += 1
        self._route(revision.created_at)

    def ask(self, change: TrafficChange) -> TrafficChange | None:
        """Begin a change; the one that it supersedes, if any."""
        superseded, self.pending = self.pending, change
        self.traffic = change.traffic
        self.generation += 1
        return superseded

    def settle(self, now: datetime) -> None:
        """End the pending change when that is due."""
        change = self.pending
        if change is None or now < change.due_at:
            return
        self.pending = None
        change.error = change.error or self._unready(change.traffic)
        self.fault = change.error
        if not change.error:
            self.applied = change.traffic
            self._route(change.due_at)

    def shown(self) -> Service:
        """The service as the API shows it."""
        resolved = traffic_shares(self.applied, self.latest_ready)
        return Service(
            name=self.name,
            etag=self.etag,
            latest_created=self.latest_created,
            latest_ready=self.latest_ready,
            traffic=self.traffic,
            serving=_serving(self.applied, self.latest_ready) if resolved else (),
            reconciling=self.pending is not None,
            ready=not self.fault and self.pending is None and bool(self.latest_ready),
            uri=self.uri,
            scaling=self.scaling,
        )

    def live(self) -> LiveFunction:
        """The function with its service and all revisions, the newest first."""
        return LiveFunction(self.function, self.shown(), tuple(reversed(self.revisions)))

    def state(self) -> FunctionState:
        """The function as it would be recorded."""
        reached = {entry.revision or self.latest_ready for entry in self.traffic}
        newest = self.deployed
        return FunctionState(
            name=self.function,
            generation=Generation.SECOND,
            runtime="nodejs20",
            entry_point=self.function,
            source=self.sources.get(newest.name, self._archive),
            configuration=self.configurations[newest.name],
            service=self.name,
            latest=self.latest_ready,
            traffic=self.traffic,
            scaling=self.scaling,
            revisions={
                one.name: RevisionState(one.created_at, one.image, self.configurations[one.name])
                for one in self.revisions
                if one.name in reached
            },
            definition={"name": self.function, **self._fed},
            trigger=self.trigger if "eventTrigger" in self._fed else "",
        )

    @property
    def _fed(self) -> dict[str, dict[str, str]]:
        """What its definition says of what waits for it."""
        if self.waiting is None:
            return {}
        return {"labels": TASKS} if self.queue else {"eventTrigger": RETRIED}

    @property
    def trigger(self) -> str:
        """The full name of the trigger that brings it events, where it has one."""
        return f"{self.name.partition('/services/')[0]}/triggers/{self.short_name}-100001"

    @property
    def _archive(self) -> SourceObject:
        return SourceObject("sources", f"{self.function}.zip", len(self.revisions) - len(self.past))

    @property
    def is_out(self) -> bool:
        """Whether every request fails now, whatever revision serves it."""
        return bool(self.outages) and self.outages[-1][1] is None

    def tagged(self, tag: str) -> str | None:
        """The revision that answers under a tag's own address."""
        named = [entry.revision for entry in self.applied if entry.tag == tag]
        return (named[0] or self.latest_ready) if named else None

    def failing(self, start: datetime, end: datetime) -> float:
        """The mean share of requests that fail between two moments, 0 to 1."""
        if self.outages:
            return self._failing_with_outages(start, end)
        return self._failing_of_revisions(start, end)

    def _failing_with_outages(self, start: datetime, end: datetime) -> float:
        """The same, where an outage fails all of what it lasts for; outages do not overlap."""
        out, failing = timedelta(), self._failing_of_revisions(start, end) * (end - start)
        for since, until in self.outages:
            begin, stop = max(since, start), min(until or end, end)
            if stop > begin:
                out += stop - begin
                failing -= self._failing_of_revisions(begin, stop) * (stop - begin)
        return (failing + out) / (end - start)

    def _failing_of_revisions(self, start: datetime, end: datetime) -> float:
        failing = timedelta()
        for duration, shares in self._routed(start, end):
            rate = sum(self.failure_rates[name] * share for name, share in shares.items())
            failing += duration * rate
        return failing / (end - start)

    def median_seconds(self, start: datetime, end: datetime) -> float:
        """Return the median seconds of the revision that served most between two moments."""
        served: dict[str, timedelta] = defaultdict(timedelta)
        for duration, shares in self._routed(start, end):
            for name, share in shares.items():
                served[name] += duration * share
        return self.seconds.get(max(served, key=lambda name: served[name], default=""), USUAL_SECONDS)

    def _routed(self, start: datetime, end: datetime) -> Iterator[tuple[timedelta, Mapping[str, float]]]:
        """Yield how long the routers sent which shares to revisions, between two moments."""
        ends = [since for since, _ in self.history[1:]] + [end]
        for (since, shares), until in zip(self.history, ends, strict=True):
            duration = min(until, end) - max(since, start)
            if duration > timedelta():
                yield duration, shares

    def _unready(self, traffic: Traffic) -> str:
        for entry in traffic:
            revision = self.revision(entry.revision)
            if entry.percent and revision is not None and not revision.ready:
                return f"revision {entry.revision} is not ready and cannot serve traffic"
        return ""

    def _route(self, since: datetime) -> None:
        served = traffic_shares(self.applied, self.latest_ready)
        self.history.append((since, {name: percent / 100 for name, percent in served.items()}))


def _serving(traffic: Traffic, latest: str) -> Traffic:
    return tuple(TrafficTarget(entry.revision or latest, entry.percent, entry.tag) for entry in traffic)
