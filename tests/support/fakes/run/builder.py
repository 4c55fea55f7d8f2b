"""Cloud Functions in memory, over the fake platform's services: deployments that take minutes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.core.errors import Moved, Throttled
from shared.core.runtime import Clock
from shared.domain.deployments.build_recipe import BuiltFunction, Recipe, RunningDeployment
from shared.domain.deployments.inventory.inventory_parts import Generation, SourceObject
from shared.ports.platform import OperationState
from tests.support.fakes.run.platform import FakePlatform
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook


@dataclass
class FakeDeployment:
    """One deployment on its way, or ended."""

    name: str
    function: str
    recipe: Recipe
    due_at: datetime
    failure_rate: float = 0.0
    error: str = ""
    starts: bool = True
    ended: bool = False


class FakeBuilder:
    """A Builder over a fake platform's functions.

    Verbs for the hook: builder.found, .running, .build, .operation.
    """

    def __init__(
        self,
        platform: FakePlatform,
        clock: Clock,
        hook: Hook = no_hook,
        latency: timedelta = timedelta(seconds=90),
    ) -> None:
        self.hook = hook
        self.latency = latency
        self.throttled: timedelta | None = None
        """The advice with which every write is refused; None: it is not."""
        self.failures: dict[str, str] = {}
        """Why the next builds of functions end without a revision."""
        self.unstarted: set[str] = set()
        """Functions whose next builds make a revision that does not come up."""
        self.missing: set[str] = set()
        """Functions whose copies are not there: their builds fail when they are due."""
        self.failure_rates: dict[SourceObject, float] = {}
        """Share of requests that fail of what is built from there; others are sound."""
        self.built: list[str] = []
        """The function of every deployment that was accepted, in order."""
        self._platform = platform
        self._clock = clock
        self._deployments: dict[str, FakeDeployment] = {}
        self._broken: set[str] = set()
        platform.meanwhile = self.settle

    # the port

    def find_function(self, function: str) -> BuiltFunction | None:
        """The function as it is now."""
        with ask_hook_around(self.hook, "builder.found"):
            self.settle()
            deploying = self._alive(function) is not None
            if function in self._platform.first_generation:
                state = self._platform.first_generation[function]
                return BuiltFunction(state, "", "", function not in self._broken, deploying)
            services = self._platform.services()
            if function not in services:
                return None
            service = services[function]
            newest = service.deployed
            active = newest.ready and function not in self._broken
            return BuiltFunction(service.state(), service.name, newest.name, active, deploying)

    def find_running_deployment(self, function: str) -> RunningDeployment | None:
        """The deployment of it that has not ended."""
        with ask_hook_around(self.hook, "builder.running"):
            self.settle()
            alive = self._alive(function)
            return RunningDeployment(alive.name, alive.recipe.source) if alive else None

    def build(self, function: str, recipe: Recipe, *, create: bool) -> str:
        """Deploy a function, or create it."""
        with ask_hook_around(self.hook, "builder.build"):
            self.settle()
            if self.throttled is not None:
                raise Throttled("write quota exceeded", self.throttled)
            there = function in self._platform.services() or function in self._platform.first_generation
            if self._alive(function) is not None:
                raise Moved(f"an operation on {function} is already in progress")
            if there is create:
                raise Moved(f"{function} is {'already' if there else 'not'} there")
            return self.begin(function, recipe)

    def operation(self, name: str) -> OperationState:
        """How far a deployment has come."""
        with ask_hook_around(self.hook, "builder.operation"):
            self.settle()
            known = self._deployments.get(name)
            if known is None:
                return OperationState(done=True)
            return OperationState(done=known.ended, error=known.error if known.ended else "")

    # the world around it

    def succeeded(self, function: str) -> bool:
        """Whether a deployment of it has made, here, what still is its newest."""
        services = self._platform.services()
        if function not in services or function in self._broken:
            return False
        return services[function].latest_created in services[function].sources

    def serves(self, function: str, live: dict[str, int]) -> bool:
        """Whether what was last built here takes every request."""
        if not self.succeeded(function):
            return False
        return live == {self._platform.services()[function].latest_created: 100}

    def begin(self, function: str, recipe: Recipe) -> str:
        """A deployment by anybody, past the hook; its operation's name."""
        name = f"operations/build-{len(self._deployments) + 1}"
        error = self.failures.pop(function, "")
        if function in self.missing:
            error = error or f"source object {recipe.source.object} was not found"
        self._deployments[name] = FakeDeployment(
            name,
            function,
            recipe,
            self._clock.now() + self.latency,
            self.failure_rates.get(recipe.source, 0.0),
            error,
            function not in self.unstarted,
        )
        self.built.append(function)
        return name

    def settle(self) -> None:
        """Let every deployment end that is due."""
        for one in self._deployments.values():
            if not one.ended and one.due_at <= self._clock.now():
                one.ended = True
                self._end(one)

    def _alive(self, function: str) -> FakeDeployment | None:
        alive = (one for one in self._deployments.values() if one.function == function)
        return next((one for one in alive if not one.ended), None)

    def _end(self, one: FakeDeployment) -> None:
        if one.error:
            self._broken.add(one.function)
            return
        self._broken.discard(one.function)
        configuration = replace(one.recipe.configuration, values=None)
        if one.recipe.generation is Generation.FIRST:
            self._platform.first_generation[one.function] = replace(
                self._platform.first_generation[one.function],
                source=one.recipe.source,
                configuration=configuration,
            )
            return
        if one.function not in self._platform.services():
            self._platform.create_function(one.function)
        self._platform.deploy(
            [one.function], failure_rate=one.failure_rate, ready=one.starts, configuration=configuration
        )
        service = self._platform.services()[one.function]
        service.sources[service.latest_created] = one.recipe.source
        if not one.starts:
            one.error = "the revision did not start"
            self._broken.add(one.function)
