"""The application: its services, kept and changed one at a time."""

import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from random import Random

import msgspec
from msgspec.structs import replace

from local.application import dependencies, names
from local.application.builds import Builds
from local.application.callables import Handlers, WebRequest
from local.application.dependencies import Callees
from local.application.event_deliveries import EventDeliveries, EventDelivery
from local.application.host_router import HostRouter, WebAnswer
from local.application.latency import Mix, draw_latency
from local.application.parts import FIRST_RELEASE, Part, Parts
from local.application.request_counts import (
    RequestTotals,
    build_latency_mix,
    count_requests_by_revision,
    rate_per_second,
    sum_requests,
)
from local.application.service import (
    ApplicationService,
    DocumentEventFilter,
    FailureStep,
    Period,
    RevisionConfiguration,
    ServiceChange,
    ServiceRevision,
    TrafficFlow,
    add_revision,
    degrade_revision,
    is_shown_by_run,
    record_routing,
    settle_service,
)
from local.core.clock import CloudClock
from local.core.journal import Journal
from shared.core.codec import from_msgpack
from shared.domain.policy.system_policy import Policy

INITIAL_AGE = timedelta(days=1)
"""How long a new application has stood, with requests, when the cloud starts."""
LATENCY = timedelta(milliseconds=50)


class Application:
    """The functions of one policy, as 2nd generation functions with a Cloud Run service each.

    What a journal holds is taken up again; else everything runs `FIRST_RELEASE`.
    Raises: ValueError when two functions would share a service.
    """

    def __init__(self, policy: Policy, clock: CloudClock, journal: Journal, seed: int) -> None:
        self.policy = policy
        self._clock = clock
        self._journal = journal
        self._kept_as = f"application/{policy.system}"
        self._seed = seed
        self._random = Random(f"{seed}/{policy.system}")
        self._latencies = Random(f"{seed}/{policy.system}/latency")
        self._front = HostRouter(policy)
        self._handlers = Handlers(policy)
        self._lock = threading.RLock()
        self._services: dict[str, ApplicationService] = {}
        self._operations: dict[str, str] = {}
        self._calls = dependencies.derive_calls(policy)
        for function, value in journal.read(f"{self._kept_as}/calls"):
            self._calls[function] = from_msgpack(value, Callees)
        since = clock.now() - INITIAL_AGE
        self.arrivals = EventDeliveries(journal, f"{self._kept_as}/arrivals")
        """The events that were brought to its functions."""
        self.parts = Parts(clock, journal, f"{self._kept_as}/parts", since)
        """The site, the sign-ins and the database's traffic."""
        self.builds = Builds(self)
        """What Cloud Functions builds."""
        self.heard: Callable[[Application, ApplicationService], None] = lambda _application, _service: None
        """Told of a function whose trigger of documents is another, or gone."""
        for _, value in journal.read(self._kept_as):
            self._remember(from_msgpack(value, ApplicationService))
        self._found_missing(since)

    @property
    def project(self) -> str:
        """The project that holds the functions."""
        return self.policy.project

    @property
    def region(self) -> str:
        """The region that runs the functions."""
        return self.policy.region

    @property
    def now(self) -> datetime:
        """The cloud's time."""
        return self._clock.now()

    @property
    def begun_at(self) -> datetime:
        """When the first release began to serve."""
        with self._lock:
            return min(service.created_at for service in self._services.values())

    def services(self) -> list[ApplicationService]:
        """The service of every function as it is now, by name."""
        return self._every()

    def service(self, name: str) -> ApplicationService:
        """A service as it is now. Raises: KeyError."""
        with self._lock:
            self.builds.settle()
            service = settle_service(self._services[name], self._clock.now())
            if service is not self._services[name]:
                self._keep([service])
            return service

    def run_services(self) -> list[ApplicationService]:
        """Those that Cloud Run shows: of functions that are there, and of the 2nd generation."""
        return [one for one in self._every() if is_shown_by_run(one)]

    def service_of(self, function: str) -> ApplicationService:
        """The service behind a function. Raises: KeyError."""
        if function not in self.policy.functions:
            raise KeyError(function)
        return self.service(names.service_name(function))

    def update(
        self, name: str, change: Callable[[ApplicationService, datetime], ApplicationService]
    ) -> ApplicationService:
        """What `change` makes of a service at this moment, kept; nobody else writes in between.

        Raises: KeyError; whatever `change` raises, and then nothing is kept.
        """
        with self._lock:
            service = change(self.service(name), self._clock.now())
            self._keep([service])
            return service

    def change(
        self, service: ApplicationService, now: datetime, due_at: datetime, failure: str
    ) -> ServiceChange:
        """The operation that carries a service's next generation."""
        generation = service.generation + 1
        name = uuid.uuid5(uuid.UUID(service.uid), str(generation))
        return ServiceChange(str(name), generation, now, due_at, failure)

    def operation(self, name: str) -> tuple[ApplicationService, ServiceChange]:
        """An operation by its id, with the service that it changes. Raises: KeyError."""
        with self._lock:
            service = self.service(self._operations[name])
            change = next((one for one in service.changes if one.id == name), None)
            if change is None:
                raise KeyError(name)
            return service, change

    def operations(self) -> list[tuple[ApplicationService, ServiceChange]]:
        """Every operation that is still remembered, by service, the oldest first."""
        return [(service, change) for service in self._every() for change in service.changes]

    def deploy(
        self,
        functions: Iterable[str] | None = None,
        *,
        release: str,
        failure_rate: float = 0.0,
        latency: timedelta = LATENCY,
        starts: bool = True,
        errors: Iterable[FailureStep] = (),
        corruption: float = 0.0,
        configuration: RevisionConfiguration | None = None,
    ) -> list[ApplicationService]:
        """The services of some functions (None: of all), each with a new revision.

        `latency` is the median; `errors` are steps of the failure rate with age; `corruption` is
        the share of damaged documents among those it writes. Without a `configuration` each has
        that of its latest revision.
        Where traffic follows the latest revision the new one serves at once; a service whose
        traffic is pinned to a revision gives it nothing.
        Raises: KeyError for an unknown function, and then nothing is deployed.
        """
        with self._lock:
            now = self._clock.now()
            chosen = list(self.policy.functions) if functions is None else list(functions)
            steps = tuple(sorted(errors, key=lambda step: step.age))
            grown = []
            for service in [self.service_of(function) for function in chosen]:
                revision = ServiceRevision(
                    name=self.next_revision_name(service),
                    release=release,
                    created_at=now,
                    failure_rate=failure_rate,
                    latency=latency,
                    starts=starts,
                    errors=steps,
                    corruption=corruption,
                    configuration=configuration or service.latest_created.configuration,
                    definition=service.latest_created.definition,
                )
                grown.append(add_revision(service, revision))
            self._keep(grown)
            return grown

    def next_revision_name(self, service: ApplicationService) -> str:
        """What the platform calls a service's next revision."""
        return names.revision_name(service.name, len(service.revisions) + 1, self._seed)

    def delete(self, function: str) -> ApplicationService:
        """The service of a function that is deleted now; its address answers 404. Raises: KeyError.

        Its revisions are gone with it for everybody who asks.
        """
        gone = self.update(
            names.service_name(function),
            lambda seen, now: record_routing(replace(seen, deleted_at=now, hears=None), now),
        )
        self.heard(self, gone)
        return gone

    def make_first_generation(self, function: str) -> ApplicationService:
        """The service of a function that is of the 1st generation from now on. Raises: KeyError."""
        return self.update(names.service_name(function), lambda seen, _: replace(seen, first_generation=True))

    def allow(self, function: str, invokers: tuple[str, ...]) -> ApplicationService:
        """The service of a function that these members alone may call. Raises: KeyError.

        Nobody is refused for it: it is there to be told.
        """
        return self.update(names.service_name(function), lambda seen, _: replace(seen, invokers=invokers))

    def connect_events(self, function: str, waiting: int, *, queue: bool = False) -> ApplicationService:
        """The service of a function that events, or tasks of its queue, come to. Raises: KeyError.

        So many of them wait. Nothing delivers them: they are there to be counted.
        """
        return self.update(
            names.service_name(function), lambda seen, _: replace(seen, waiting=waiting, queue=queue)
        )

    def connect_document_events(self, function: str, hears: DocumentEventFilter) -> ApplicationService:
        """The service of a function that events of documents start. Raises: KeyError."""
        service = self.update(names.service_name(function), lambda seen, _: replace(seen, hears=hears))
        self.heard(self, service)
        return service

    def remove_traffic(self, function: str) -> ApplicationService:
        """The service of a function that nobody sends a request to, nor ever has. Raises: KeyError.

        Probes that ask it are answered all the same.
        """
        return self.update(names.service_name(function), lambda seen, _: replace(seen, asked=False))

    def degrade(
        self,
        function: str,
        revision: str | None = None,
        *,
        failure_rate: float | None = None,
        starts: bool | None = None,
        latency: timedelta | None = None,
    ) -> ApplicationService:
        """The service of a function with a revision (None: its latest) behaving otherwise from now.

        Nothing is deployed: this is trouble from outside. Raises: KeyError.
        """
        service = self.service_of(function)
        name = revision or service.latest_created.name
        if service.revision(name) is None:
            raise KeyError(name)
        return self.update(
            service.name,
            lambda seen, now: degrade_revision(
                seen, name, now, failure_rate=failure_rate, starts=starts, latency=latency
            ),
        )

    def corruption(self, function: str, moment: datetime) -> float:
        """The share of the documents that a function writes at a moment that are damaged."""
        service = self.service_of(function)
        flows = dependencies.period_at(service.periods, moment).flows
        damage = {revision.name: revision.corruption for revision in service.revisions}
        return sum(flow.share * damage[flow.revision] for flow in flows)

    def calls(self, function: str) -> Callees:
        """What each request to a function calls: one of each tuple."""
        with self._lock:
            return self._calls[function]

    def set_callees(self, function: str, callees: Callees) -> None:
        """Let each request to a function call one of each tuple, and nothing else, from the start.

        Functions and parts (`Part`) can be called. What was derived from the policy is replaced.
        Raises: KeyError for what is not there, ValueError when something would call itself.
        """
        with self._lock:
            for callee in (function, *(name for group in callees for name in group)):
                if callee not in self.policy.functions and callee not in list(Part):
                    raise KeyError(callee)
            for callee in (name for group in callees for name in group):
                if dependencies.is_reachable(self._calls, callee, function):
                    raise ValueError(f"{function} would call itself through {callee}")
            value = msgspec.msgpack.encode(callees)
            self._journal.write(f"{self._kept_as}/calls", [(function, value)])
            self._calls[function] = callees

    def requests(self, function: str, start: datetime, end: datetime) -> RequestTotals:
        """How many requests a function has had in [start, end), and how many failed."""
        return sum_requests(self.requests_by_revision(function, start, end).values())

    def requests_by_revision(
        self, function: str, start: datetime, end: datetime
    ) -> Mapping[str, RequestTotals]:
        """The same per revision; revisions without requests are left out."""
        with self._lock:
            counted = self.arrivals.requests(function, start, end)
        if not self.service_of(function).asked:
            return counted
        rate = rate_per_second(function, self._seed)
        for revision, asked in count_requests_by_revision(self._felt(function), rate, start, end).items():
            counted[revision] = asked + counted.get(revision, RequestTotals())
        return counted

    def latencies(self, function: str, start: datetime, end: datetime) -> Mix:
        """The medians of a function's requests in [start, end), with their weights."""
        return build_latency_mix(self._felt(function), start, end)

    @property
    def hosts(self) -> Collection[str]:
        """Where its functions answer."""
        return self._front.hosts

    def claims(self, host: str) -> bool:
        """Whether a web address on that host is this application's."""
        return self._front.claims(host)

    def answer(
        self,
        host: str,
        path: str,
        event: Mapping[str, str] | None = None,
        request: WebRequest = WebRequest(),  # noqa: B008 - a value
    ) -> WebAnswer:
        """What a client gets there: 200, or 500 as often as what serves it fails.

        A handler that a probe of the policy declares answers as `Handlers` says.

        What is brought an event (its attributes) remembers it, and counts a request.

        404 where nothing is served; 503 from a revision that does not start, or whose service has
        no instances by hand, and from the site or the sign-ins when they fail.
        """
        route = self._front.route(host, path)
        if route is None:
            return WebAnswer(404)
        with self._lock:
            if route.function is None:
                return self._answer_of_part(route.part)
            answer = self._answer_of_function(route.function, route.tag, replace(request, path=path))
            if event is not None:
                came = EventDelivery(self._clock.now(), answer.revision, answer.status, dict(event))
                self.arrivals.keep(route.function, came)
            return answer

    def _answer_of_part(self, part: Part) -> WebAnswer:
        flow = self.parts.now(part)
        failed = self._random.random() < flow.failure_rate
        return WebAnswer(503 if failed else 200, latency=self._taking(flow.latency))

    def _answer_of_function(self, function: str, tag: str, request: WebRequest) -> WebAnswer:
        service = self.service_of(function)
        revision = service.tagged(tag) if tag else self._drawn(service)
        if revision is None or service.deleted_at is not None:
            return WebAnswer(404)
        if not revision.starts or (service.scaling.manual == 0 and not tag):
            return WebAnswer(503, revision.name, revision.latency)
        now = self._clock.now()
        alone = Period(
            now, (TrafficFlow(revision.name, 1.0, revision.failure_rate_at(now), revision.latency),)
        )
        ((flow,),) = (period.flows for period in self._burdened(function, (alone,)))
        failed = self._random.random() < flow.failure_rate
        taking = self._taking(flow.latency)
        found = self._handlers.answer(function, request, is_failing=failed)
        if found is not None:
            return WebAnswer(found.status, revision.name, taking, found.content)
        return WebAnswer(500 if failed else 200, revision.name, taking)

    def _taking(self, median: timedelta) -> timedelta:
        return draw_latency(median, self._latencies)

    def _felt(self, name: str) -> tuple[Period, ...]:
        """What the clients of a function or part feel, what it calls included."""
        if name in list(Part):
            return self.parts.periods(Part(name))
        return self._burdened(name, self.service_of(name).periods)

    def _burdened(self, function: str, own: tuple[Period, ...]) -> tuple[Period, ...]:
        called = [[self._felt(callee) for callee in group] for group in self._calls[function]]
        return dependencies.client_periods(own, called)

    def _drawn(self, service: ApplicationService) -> ServiceRevision | None:
        flows = service.periods[-1].flows
        if not flows:
            return None
        (flow,) = self._random.choices(flows, [flow.share for flow in flows])
        return service.revision(flow.revision)

    def _every(self) -> list[ApplicationService]:
        with self._lock:
            return [self.service(name) for name in sorted(self._services)]

    def _found_missing(self, since: datetime) -> None:
        """Give every function of the policy that has no service yet its first one."""
        founded: dict[str, ApplicationService] = {}
        for function in self.policy.functions:
            name = names.service_name(function)
            known = self._services.get(name) or founded.get(name)
            if known is None:
                founded[name] = self._first(function, name, since)
            elif known.function != function:
                raise ValueError(f"{function} and {known.function} share the service {name}")
        self._keep(founded.values())

    def _first(self, function: str, name: str, since: datetime) -> ApplicationService:
        uid = uuid.uuid5(uuid.NAMESPACE_URL, f"{self._seed}/{self.project}/{self.region}/{name}")
        revision = ServiceRevision(names.revision_name(name, 1, self._seed), FIRST_RELEASE, since)
        return record_routing(ApplicationService(function, name, str(uid), since, since, (revision,)), since)

    def _keep(self, services: Collection[ApplicationService]) -> None:
        encode = msgspec.msgpack.encode
        self._journal.write(self._kept_as, [(one.name, encode(one)) for one in services])
        for service in services:
            self._remember(service)

    def _remember(self, service: ApplicationService) -> None:
        self._services[service.name] = service
        self._operations.update({change.id: service.name for change in service.changes})
