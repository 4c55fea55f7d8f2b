"""Store, bus and platform as the simulation's processes meet them, each watched by the laws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from shared import topics
from shared.errors import Ambiguous, Moved, Rejected, Throttled, Unavailable
from shared.ports import Document, OperationState, Write
from shared.traffic import Traffic
from tests.fakes.hooks import around
from tests.fakes.platform import FakePlatform
from tests.fakes.services import FakeService
from tests.fakes.store import MemoryStore
from tests.simulation.estate import LONG_AGO, Site
from tests.simulation.faults import Fault, LandsLate

if TYPE_CHECKING:
    from tests.simulation.world import World

LATEST_LANDING_SECONDS = 9.0
"""A request that its client has given up lands before the client's time-out is over."""


class Sent(Struct, frozen=True):
    """One message in flight."""

    id: str
    topic: str
    data: bytes
    attributes: dict[str, str]
    published_at: datetime


class StoreService(MemoryStore):
    """The store; each commit that lands is shown to the laws, and each look at the switches."""

    def __init__(self, world: World) -> None:
        self._world = world
        super().__init__(world.clock, world.hook)

    def get(self, path: str) -> Document:
        """The document, present or not."""
        asked = self._world.scheduler.now
        document = super().get(path)
        self._world.laws.read(path, document, asked)
        return document

    def peek(self, path: str) -> dict[str, Any] | None:
        """The fields as they are, for whoever watches."""
        stored = self._stored.get(path)
        return stored.fields if stored else None

    def time(self) -> datetime:
        """The store's own time."""
        return self._now()

    def documents_of(self, collection: str) -> list[tuple[str, dict[str, Any]]]:
        """The documents of one collection as they are, in order."""
        return sorted(
            (path, stored.fields) for path, stored in self._collections.get(collection, {}).items()
        )

    def _apply(self, writes: Sequence[Write]) -> datetime:
        before = {write.path: self.peek(write.path) for write in writes}
        version = super()._apply(writes)
        if self._world.started:
            self._world.laws.committed(before)
        return version


class BusService:
    """The bus: what is published is delivered at least once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._published = 0
        self.dead_letters: list[bytes] = []
        self.is_silent = False
        """Whether it takes nothing and gives no answer."""

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> str:
        """The message's id, once it is kept."""
        with around(self._world.hook, "bus.publish"):
            if self.is_silent:
                raise Unavailable("the bus gives no answer")
            self._world.laws.published(topic, data)
            return self.deliver(topic, data, attributes)

    def deliver(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> str:
        """Keep a message from whomever."""
        self._published += 1
        name = str(self._published)
        if topic == topics.DEAD_LETTERS:
            self.dead_letters.append(data)
        else:
            now = self._world.clock.now()
            self._world.route(Sent(name, topic, data, dict(attributes or {}), now))
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

    def shift(self, service: str, traffic: Traffic, etag: str, *, dry_run: bool = False) -> str:
        """Ask for another traffic list; the operation's name, empty for a dry run."""
        world = self._world
        if dry_run:
            return super().shift(service, traffic, etag, dry_run=True)
        world.laws.sending(service, etag)
        self.next_fails = None
        try:
            return super().shift(service, traffic, etag)
        except LandsLate:
            lag = LATEST_LANDING_SECONDS * world.random.random()
            world.plan(lag, lambda: self._land_late(service, traffic, etag))
            world.give_up_waiting()
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

    def _land_late(self, service: str, traffic: Traffic, etag: str) -> None:
        try:
            FakePlatform.shift(self, service, traffic, etag)
        except (Moved, Rejected, Throttled):
            self._world.note(f"a late shift of {service} was refused")

    def _begin(self, service: FakeService, traffic: Traffic) -> str:
        if self._by_hand:
            return super()._begin(service, traffic)
        self._world.laws.shifted(service.function, traffic)
        if self.next_fails:
            self.fail_late(service.function, "no capacity")
        name = super()._begin(service, traffic)
        if self.next_fails is Fault.VANISHES:
            self._vanished.add(name)
        self.next_fails = None
        return name


class SiteService(Site):
    """The site; each release is judged when it is sent, and again when it takes effect."""

    def __init__(self, world: World) -> None:
        self._world = world
        super().__init__(world.hook)

    def version(self) -> str:
        """What is live."""
        live = super().version()
        self._world.laws.looked_at_site()
        return live

    def release(self, version: str) -> None:
        """Make a version live, whatever was.

        Once it is sent, the network carries it: a standstill or the death of its sender does not
        hold it up.
        """
        world = self._world
        world.laws.releasing()
        fault = world.fault_at("before site.release")
        if fault is Fault.LANDS_LATE:
            lag = LATEST_LANDING_SECONDS * world.random.random()
            world.plan(lag, lambda: self.land(version))
            world.give_up_waiting()
            raise Ambiguous("no answer in time")
        if fault is not Fault.NO_ANSWER:
            world.plan(0.01, lambda: self.land(version))
        if fault is not None:
            world.inject(fault, "site.release")
        world.scheduler.sleep(0.02)
        world.hook("site.release", "after")

    def land(self, version: str) -> None:
        """A release takes effect."""
        self._world.laws.released(version)
        super().land(version)


class _Fixed:
    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")
