"""Store, bus and platform as the simulation's processes meet them, each watched by the laws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from shared.core import topics
from shared.core.codec import encode
from shared.core.errors import Ambiguous, Moved, Rejected, Throttled, Unavailable
from shared.core.store import Document, Put, Write
from shared.domain.deployments.build_recipe import BuiltFunction, Recipe
from shared.domain.deployments.inventory.inventory_parts import HostingSite, WholeInventory
from shared.domain.deployments.inventory.traffic import Scaling, Traffic
from shared.domain.deployments.restorability import FINALIZED
from shared.domain.incidents.incident import StatusPageRecord, page_records_path
from shared.domain.policy.channels import Channel
from shared.ports.platform import OperationState
from tests.simulation.faults.points import Fault, LandsLate
from tests.simulation.invariants.observations import SWITCHES
from tests.simulation.scenes.bookshop import GOOD, LONG_AGO, SITE, SYSTEM
from tests.support.fakes.firestore.store import MemoryStore
from tests.support.fakes.resources import FakeEstate
from tests.support.fakes.run.builder import FakeBuilder
from tests.support.fakes.run.platform import FakePlatform
from tests.support.fakes.run.services import FakeService
from tests.support.fakes.runtime.hooks import ask_hook_around
from tests.support.fakes.sender import FakeSender

if TYPE_CHECKING:
    from tests.simulation.world import World

LATEST_LANDING_SECONDS = 9.0
"""A request that its client has given up lands before the client's time-out is over."""


BUILD_TAKES = timedelta(seconds=4)
"""Shorter than a request may be on its way: one that comes late finds no build that refuses it."""

PAGE_RECORDS, NO_PARTS = f"{page_records_path(SYSTEM)}/", encode(StatusPageRecord())


class Sent(Struct, frozen=True):
    """One message in flight."""

    id: str
    topic: str
    data: bytes
    attributes: dict[str, str]
    published_at: datetime


class StoreService(MemoryStore):
    """The store; each commit that lands is shown to the laws, and each look at the switches.

    Who reads gets a map of their own, of the values that are stored: deep copies cost a lot.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        super().__init__(world.clock, world.hook)
        self._for_reader = dict

    def get(self, path: str) -> Document:
        """The document, present or not."""
        asked = self._world.scheduler.now
        document = super().get(path)
        if path in SWITCHES:
            self._world.laws.seen.read(path, document, asked)
        if document.fields is None and path.startswith(PAGE_RECORDS):  # nobody renders the page here
            return Document(path, NO_PARTS, document.read_at, document.read_at)
        return document

    def peek(self, path: str) -> dict[str, Any] | None:
        """The fields as they are, for whoever watches."""
        stored = self._stored.get(path)
        return stored.fields if stored else None

    def keep(self, path: str, fields: dict[str, Any]) -> None:
        """Write as the writer of the page does: without a fault, and in no time."""
        newest, commits = self._newest, self._commits
        super()._apply([Put(path, fields)])
        self._newest, self._commits = newest, commits

    def time(self) -> datetime:
        """The store's own time."""
        return self._now()

    def documents_of(self, collection: str) -> list[tuple[str, dict[str, Any]]]:
        """The documents of one collection as they are, in order."""
        return sorted(self._collections.get(collection, {}).items())

    def _apply(self, writes: Sequence[Write]) -> datetime:
        if not self._world.started:
            return super()._apply(writes)
        before = {write.path: self.peek(write.path) for write in writes}
        version = super()._apply(writes)
        self._world.laws.commits.committed(before)
        if self._world.laws.statements is not None:
            self._world.laws.statements.committed({path: self.peek(path) or {} for path in before})
        return version


class BusService:
    """The bus: what is published is delivered at least once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._published = 0
        self.dead_letters: list[bytes] = []
        self.is_silent = False
        """Whether it takes nothing and gives no answer."""
        self.repeats = False
        """Whether it delivers each hand-over to a worker several times at once."""

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> str:
        """The message's id, once it is kept."""
        with ask_hook_around(self._world.hook, "bus.publish"):
            if self.is_silent:
                raise Unavailable("the bus gives no answer")
            self._world.laws.messages.published(topic, data)
            return self.deliver(topic, data, attributes)

    def deliver(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> str:
        """Keep a message from whomever."""
        self._published += 1
        name = str(self._published)
        if topic == topics.DEAD_LETTERS:
            self.dead_letters.append(data)
        else:
            now = self._world.clock.now()
            self._world.delivery.route(Sent(name, topic, data, dict(attributes or {}), now))
        return name


class PlatformService(FakePlatform):
    """The platform; each shift is judged when it is sent, and again when it takes effect."""

    def __init__(self, world: World, functions: Iterable[str]) -> None:
        self._world = world
        self.next_fails: Fault | None = None
        self._by_hand = False
        self._vanished: set[str] = set()
        super().__init__(world.clock, functions, world.hook)
        for service in self._functions.values():
            service.revisions.clear()
            service.history.clear()
            service.generation = 0
        self.deploy_at(LONG_AGO)

    def deploy_at(
        self, at: datetime, functions: Sequence[str] | None = None, failure_rate: float = 0.0
    ) -> None:
        """Give functions a new revision, made at that time."""
        clock, self._clock = self._clock, _Fixed(at)
        try:
            self.deploy(functions, failure_rate=failure_rate)
        finally:
            self._clock = clock

    def shift(
        self,
        service: str,
        traffic: Traffic,
        etag: str,
        *,
        scaling: Scaling | None = None,
        dry_run: bool = False,
    ) -> str:
        """Ask for another traffic list; the operation's name, empty for a dry run."""
        world = self._world
        if dry_run:
            return super().shift(service, traffic, etag, scaling=scaling, dry_run=True)
        world.laws.sending.shift(service, etag)
        self.next_fails = None
        try:
            return super().shift(service, traffic, etag, scaling=scaling)
        except LandsLate:
            lag = LATEST_LANDING_SECONDS * world.random.random()
            world.plan(lag, lambda: self._land_late(service, traffic, etag, scaling))
            world.mishaps.give_up_waiting()
            raise Ambiguous("no answer in time") from None

    def change_by_hand(self, function: str, traffic: Traffic) -> None:
        """A person sets a service's traffic."""
        self._by_hand = True
        try:
            super().change_by_hand(function, traffic)
        finally:
            self._by_hand = False

    def operation(self, name: str) -> OperationState:
        """How far a shift has come."""
        if name in self._vanished:
            raise Rejected(f"there is no operation {name}")
        return super().operation(name)

    def _land_late(self, service: str, traffic: Traffic, etag: str, scaling: Scaling | None) -> None:
        try:
            FakePlatform.shift(self, service, traffic, etag, scaling=scaling)
        except (Moved, Rejected, Throttled):
            self._world.note(f"a late shift of {service} was refused")

    def _begin(self, service: FakeService, traffic: Traffic) -> str:
        if self._by_hand:
            return super()._begin(service, traffic)
        self._world.laws.landed.shift(service.function, traffic)
        if self.next_fails:
            self.fail_late(service.function, "no capacity")
        name = super()._begin(service, traffic)
        if self.next_fails is Fault.VANISHES:
            self._vanished.add(name)
        self.next_fails = None
        return name


class BuilderService(FakeBuilder):
    """The builds; each is judged when it is sent, and again when it is accepted."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.next_is_late = False
        """Whether the next request takes effect behind its caller's back."""
        super().__init__(world.platform, world.clock, world.hook, BUILD_TAKES)

    def find_function(self, function: str) -> BuiltFunction | None:
        """The function as it is now."""
        built = super().find_function(function)
        self._world.laws.seen.looked_at(function)
        return built

    def build(self, function: str, recipe: Recipe, *, create: bool) -> str:
        """Deploy a function.

        Once it is sent, the network carries it: a standstill or the death of its sender does not
        hold it up.
        """
        world = self._world
        world.laws.sending.build(function)
        fault = world.mishaps.fault_at("before builder.build")
        if self.next_is_late:
            self.next_is_late, fault = False, Fault.LANDS_LATE
        if fault is Fault.LANDS_LATE:
            lag = LATEST_LANDING_SECONDS * world.random.random()
            world.plan(lag, lambda: self._land(function, recipe))
            world.mishaps.give_up_waiting()
            raise Ambiguous("no answer in time")
        if fault is Fault.FAILS_LATE:
            self.failures[function] = "the build failed"
            fault = None
        landed: list[str] = []
        if fault not in (Fault.NO_ANSWER, Fault.THROTTLED):
            world.plan(0.01, lambda: landed.append(self._land(function, recipe)))
        if fault is not None:
            world.mishaps.inject(fault, "builder.build")
        world.scheduler.sleep(0.02)
        world.hook("builder.build", "after")
        if not landed or not landed[0]:
            raise Moved(f"an operation on {function} is already in progress")
        return landed[0]

    def _land(self, function: str, recipe: Recipe) -> str:
        self.settle()
        if self._alive(function) is not None:
            self._world.note(f"a build of {function} was refused")
            return ""
        self._world.laws.landed.build(function, recipe.source)
        return self.begin(function, recipe)


class SenderService(FakeSender):
    """The channels; each notice that arrives is judged."""

    def __init__(self, world: World) -> None:
        self._world = world
        super().__init__(world.hook)

    def send(self, channel: Channel, key: str, notice: Mapping[str, Any]) -> None:
        """Hand over one notice. Raises: Unavailable while the channel is down."""
        if self._world.laws.statements is not None:
            self._world.laws.statements.sent(key, notice)
        super().send(channel, key, notice)
        self._world.laws.messages.said(key)


class EstateService(FakeEstate):
    """What is beside the functions; each effect is judged when it is sent and when it lands."""

    def __init__(self, world: World) -> None:
        self._world = world
        super().__init__(world.hook)
        self.statuses = dict.fromkeys(((SITE, "site-1"), (SITE, "site-2")), FINALIZED)
        self.show(GOOD)

    def show(self, inventory: WholeInventory) -> None:
        """All of it is as it is there."""
        self.sites = dict(inventory.sites or {})
        self.published = (inventory.remote_config or {})["firebase"]

    def site(self, name: str) -> HostingSite | None:
        """What is live."""
        found = super().site(name)
        self._world.laws.seen.looked_at(SITE)
        return found

    def release(self, site: str, channel: str, version: str, message: str) -> None:
        """Make a version live, whatever was.

        Once it is sent, the network carries it: a standstill or the death of its sender does not
        hold it up.
        """
        world = self._world
        world.laws.sending.release()
        fault = world.mishaps.fault_at("before hosting.release")
        if fault is Fault.LANDS_LATE:
            lag = LATEST_LANDING_SECONDS * world.random.random() ** 0.5  # rather late than soon
            world.plan(lag, lambda: self.land_release(site, channel, version))
            world.mishaps.give_up_waiting()
            raise Ambiguous("no answer in time")
        if fault is not Fault.NO_ANSWER:
            world.plan(0.01, lambda: self.land_release(site, channel, version))
        if fault is not None:
            world.mishaps.inject(fault, "hosting.release")
        world.scheduler.sleep(0.02)
        world.hook("hosting.release", "after")

    def land_release(self, site: str, channel: str, version: str) -> None:
        """A release takes effect, or is refused because nothing is left to do."""
        self._world.laws.landed.release(version)
        with suppress(Moved):
            super().land_release(site, channel, version)

    def release_by_hand(self) -> None:
        """A person makes a version of their own live."""
        self.sites[SITE] = HostingSite("site-3")

    def publish(self, content: str, etag: str, *, dry_run: bool = False) -> None:
        """Publish over the template at `etag`."""
        if not dry_run:
            self._world.laws.sending.publish(etag)
        super().publish(content, etag, dry_run=dry_run)

    def land_template(self, content: str) -> None:
        """A publication of ours takes effect."""
        self._world.laws.landed.template()
        super().land_template(content)

    def publish_by_hand(self) -> None:
        """A person publishes a template of their own."""
        super().land_template('{"parameters":{"colour":"blue"}}')


class _Fixed:
    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")
