"""Cloud Run and Cloud Functions in memory: etags, slow operations, routers that follow."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from msgspec.structs import replace

from shared.core.errors import Gone, Moved, Rejected, Throttled
from shared.core.runtime import Clock
from shared.domain.deployments.deployment import Inventory
from shared.domain.deployments.inventory.inventory_parts import (
    Configuration,
    FunctionState,
    build_configuration,
)
from shared.domain.deployments.inventory.traffic import (
    LATEST_REVISION,
    Capacity,
    Revision,
    Scaling,
    Service,
    Traffic,
)
from shared.domain.deployments.source_copies import VariableValues
from shared.domain.policy.execution_limits import WriteQuota
from shared.ports.platform import OperationState
from tests.support.fakes.run.services import USUAL_SECONDS, FakeService, TrafficChange
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook

PLAIN = {"RELEASE": "r"}
DEFAULT = build_configuration(PLAIN, iter(()), account="runtime@demo", max_instances=100, concurrency=80)
"""What a revision runs with unless a test says otherwise."""

STANDING = timedelta(days=1)
"""How long the first revisions have been sent requests when the world begins."""


class FakePlatform:
    """A Platform over the named functions, each with one healthy, live revision at the start.

    Verbs for the hook: platform.inventory, .functions, .values, .invokers, .service, .revision,
    .shift, .dry_run, .operation.
    A change is asked for at once (new etag, `reconciling`); routers follow `operation_latency`
    later. The newest change wins; what it supersedes ends in an error.
    """

    def __init__(
        self,
        clock: Clock,
        functions: Iterable[str],
        hook: Hook = no_hook,
        *,
        project: str = "demo",
        region: str = "us-central1",
        operation_latency: timedelta = timedelta(seconds=8),
        write_quota: WriteQuota | None = None,
        dry_runs_count: bool = False,
    ) -> None:
        self.hook = hook
        self.dry_runs_count = dry_runs_count
        """Whether a dry run spends of the write quota; what the real one does is not known."""
        self.operation_latency = operation_latency
        self.applied_shifts: list[str] = []
        """Short name of the service of every shift that was accepted, in order."""
        self.dead_revisions: set[str] = set()
        """Short names of revisions that are called ready, and do not come up."""
        self.meanwhile: Callable[[], None] = _nothing
        """What else has happened by the time that somebody looks."""
        self.first_generation: dict[str, FunctionState] = {}
        """Functions of the 1st generation as they are, by name: they have no service."""
        self.plain = {DEFAULT.variables_hash: PLAIN}
        """The values of plain variables, by their hash: a configuration has none."""
        self._clock = clock
        self._parent = f"projects/{project}/locations/{region}"
        self._functions: dict[str, FakeService] = {}
        self._by_name: dict[str, FakeService] = {}
        self._operations: dict[str, tuple[FakeService, TrafficChange]] = {}
        self._late_failures: dict[str, str] = {}
        self._quota: _Bucket | None = None
        self.limit_writes(write_quota)
        for function in functions:
            self._found(function)
        self.deploy()
        for service in self._functions.values():
            (since, served), *_ = service.history
            service.history = [(since - STANDING, served)]

    # the port

    def inventory(self) -> Inventory:
        """What is live now, by function name."""
        with ask_hook_around(self.hook, "platform.inventory"):
            self.meanwhile()
            return {function: self._settled(one).live() for function, one in self._functions.items()}

    def functions(self) -> dict[str, FunctionState]:
        """Every function as it would be recorded."""
        with ask_hook_around(self.hook, "platform.functions"):
            self.meanwhile()
            return {
                function: self._settled(one).state() for function, one in self._functions.items()
            } | self.first_generation

    def values(self, function: str) -> VariableValues:
        """The values of a function's plain variables. Raises: Rejected when there is none."""
        with ask_hook_around(self.hook, "platform.values"):
            if function not in self._functions:
                raise Rejected(f"there is no function {function}")
            state = self._settled(self._functions[function]).state()
            return VariableValues(self.plain.get(state.configuration.variables_hash, {}))

    def invokers(self, service: str) -> tuple[str, ...]:
        """Who may call a service. Raises: Rejected when there is none."""
        with ask_hook_around(self.hook, "platform.invokers"):
            found = self._service(service).invokers
            return tuple(sorted(f"{one} roles/run.invoker" for one in found))

    def service(self, name: str) -> Service:
        """One service by its full name. Raises: Rejected when there is none."""
        with ask_hook_around(self.hook, "platform.service"):
            return self._service(name).shown()

    def revision(self, service: str, revision: str) -> Revision:
        """One revision by its short name. Raises: Rejected when there is none."""
        with ask_hook_around(self.hook, "platform.revision"):
            found = self._service(service).revision(revision)
            if found is None:
                raise Rejected(f"{service} has no revision {revision}")
            return found

    def shift(
        self,
        service: str,
        traffic: Traffic,
        etag: str,
        *,
        scaling: Scaling | None = None,
        dry_run: bool = False,
    ) -> str:
        """Ask for another traffic list, and scaling; the operation's name, empty for a dry run.

        Raises: Moved, Rejected, Throttled.
        """
        with ask_hook_around(self.hook, "platform.dry_run" if dry_run else "platform.shift"):
            if not etag:
                raise Rejected(f"a shift of {service} needs the etag that was read")
            if self.dry_runs_count or not dry_run:
                self.spend()
            found = self._service(service)
            _require_valid(found, traffic, scaling)
            if etag != found.etag:
                raise Moved(f"{found.short_name} is not at {etag} but at {found.etag}")
            if dry_run:
                return ""
            self.applied_shifts.append(found.short_name)
            operation = self._begin(found, traffic)
            found.scaling = scaling or found.scaling
            return operation

    def operation(self, name: str) -> OperationState:
        """How far a shift has come. Raises: Rejected for an unknown one."""
        with ask_hook_around(self.hook, "platform.operation"):
            if name not in self._operations:
                raise Rejected(f"there is no operation {name}")
            service, change = self._operations[name]
            running = self._settled(service).pending is change
            return OperationState(done=not running, error="" if running else change.error)

    # the world around it

    def deploy(
        self,
        functions: Sequence[str] | None = None,
        *,
        failure_rate: float = 0.0,
        seconds: float = USUAL_SECONDS,
        ready: bool = True,
        image: str = "",
        configuration: Configuration = DEFAULT,
    ) -> None:
        """Give each function (None: all) a new revision; pinned traffic stays where it is."""
        for function in self._functions if functions is None else functions:
            service = self._settled(self._functions[function])
            number = len(service.failure_rates) + 1
            name = f"{service.short_name}-{number:05d}"
            digest = image or f"{service.short_name}@sha256:{number:064x}"
            capacity = Capacity(
                configuration.min_instances, configuration.max_instances, configuration.concurrency
            )
            revision = Revision(name, service.name, self._clock.now(), ready, digest, capacity)
            service.deploy(revision, failure_rate if ready else 1.0, configuration)
            service.seconds[name] = seconds

    def deploy_past(self, function: str) -> str:
        """Somebody makes a revision of its service, and the function does not know; its name."""
        self.deploy([function])
        service = self._functions[function]
        service.past.add(service.latest_created)
        return service.latest_created

    def change_by_hand(self, function: str, traffic: Traffic) -> None:
        """A person sets a service's traffic, past the hook and the quota."""
        self._begin(self._settled(self._functions[function]), traffic)

    def scale_by_hand(self, function: str, scaling: Scaling) -> None:
        """A person sets a service's instances."""
        service = self._settled(self._functions[function])
        service.scaling = scaling
        service.generation += 1

    def fail_late(self, function: str, error: str) -> None:
        """Let the next accepted shift of the function end in an error, without effect."""
        self._late_failures[function] = error

    def delete_revision(self, function: str, revision: str) -> None:
        """Take a revision out of a service, as retention does."""
        service = self._functions[function]
        service.revisions = [known for known in service.revisions if known.name != revision]

    def delete_function(self, function: str) -> None:
        """Take a function away, with its service."""
        del self._by_name[self._functions.pop(function).name]

    def create_function(self, function: str) -> None:
        """Have a function that has no revision yet."""
        self._found(function)

    def lose_image(self, function: str, *, told: bool = True) -> None:
        """The first revision of a function comes up no more; `told`: it is not ready either."""
        service = self._functions[function]
        if told:
            first, *others = service.revisions
            service.revisions = [replace(first, ready=False), *others]
        else:
            self.dead_revisions.add(service.revisions[0].name)

    def move_image(self, function: str, image: str, *, newest: bool = False) -> None:
        """The first revision of a function, or its newest, was made from that image."""
        revisions = self._functions[function].revisions
        at = -1 if newest else 0
        revisions[at] = replace(revisions[at], image=image)

    def set_failure_rate(self, function: str, revision: str, failure_rate: float) -> None:
        """Let a revision fail otherwise, in the past of the counts too."""
        self._functions[function].failure_rates[revision] = failure_rate

    def begin_outage(self, function: str) -> None:
        """From now on every request of a function fails, whatever revision serves it."""
        self._functions[function].outages.append((self._clock.now(), None))

    def end_outage(self, function: str) -> None:
        """What failed every request of a function is over."""
        outages = self._functions[function].outages
        outages[-1] = (outages[-1][0], self._clock.now())

    def limit_writes(self, quota: WriteQuota | None) -> None:
        """Enforce a write quota from now on, with a full bucket; None: no quota."""
        self._quota = _Bucket(quota, self._clock) if quota else None

    def spend(self) -> None:
        """One write of the quota. Raises: Throttled."""
        if self._quota:
            self._quota.take()

    def live(self, function: str) -> dict[str, int]:
        """Percent per revision that the routers really send now."""
        serving = self._settled(self._functions[function]).shown().serving
        return {entry.revision: entry.percent for entry in serving if entry.percent}

    def services(self) -> dict[str, FakeService]:
        """The services as of now, by function name."""
        self.meanwhile()
        return {function: self._settled(one) for function, one in self._functions.items()}

    # inside

    def _found(self, function: str) -> None:
        short = function.lower().replace("_", "-")
        name = f"{self._parent}/services/{short}"
        service = FakeService(function, name, f"https://{short}-uc.a.run.app")
        self._functions[function] = self._by_name[name] = service

    def _service(self, name: str) -> FakeService:
        self.meanwhile()
        if name not in self._by_name:
            raise Gone(f"there is no service {name}")
        return self._settled(self._by_name[name])

    def _settled(self, service: FakeService) -> FakeService:
        service.settle(self._clock.now())
        return service

    def _begin(self, service: FakeService, traffic: Traffic) -> str:
        name = f"{self._parent}/operations/{len(self._operations) + 1}"
        error = self._late_failures.pop(service.function, "")
        dead = [one.revision for one in traffic if one.percent and one.revision in self.dead_revisions]
        if dead:
            error = error or f"the image of {dead[0]} is gone"
        change = TrafficChange(name, traffic, self._clock.now() + self.operation_latency, error)
        superseded = service.ask(change)
        if superseded:
            superseded.error = "superseded by a newer change"
        self._operations[name] = service, change
        service.settle(self._clock.now())
        return name


def _nothing() -> None:
    """Nothing else happens."""


class _Bucket:
    """The write quota of one project and region."""

    def __init__(self, quota: WriteQuota, clock: Clock) -> None:
        self._quota = quota
        self._clock = clock
        self._level = float(quota.burst)
        self._at = clock.monotonic()

    def take(self) -> None:
        """Raises: Throttled when there is no token."""
        now = self._clock.monotonic()
        refill = (now - self._at) * self._quota.per_second
        self._level, self._at = min(float(self._quota.burst), self._level + refill), now
        if self._level < 1:
            missing = timedelta(seconds=(1 - self._level) / self._quota.per_second)
            raise Throttled("write quota exceeded", missing)
        self._level -= 1


def _require_valid(service: FakeService, traffic: Traffic, scaling: Scaling | None) -> None:
    """Raises: Rejected as Cloud Run does for a list, or a scaling, that cannot be."""
    if scaling is not None and 0 < scaling.maximum < scaling.minimum:
        raise Rejected("the minimum of instances is above their maximum")
    if sum(entry.percent for entry in traffic) != 100:
        raise Rejected("percents do not add up to 100")
    tags = [entry.tag for entry in traffic if entry.tag]
    if len(tags) != len(set(tags)):
        raise Rejected("a tag is given twice")
    for entry in traffic:
        if entry.revision != LATEST_REVISION and service.revision(entry.revision) is None:
            raise Rejected(f"{service.short_name} has no revision {entry.revision}")
