"""Every port of the product, as one instance of the simulation sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.domain.presentation.notice_templates import Templates
from tests.simulation.runtime.pool import TaskPool
from tests.simulation.runtime.scheduler import Instance, InstanceClock
from tests.simulation.runtime.services import BuilderService, EstateService, PlatformService
from tests.simulation.scenes.bookshop import POLICY
from tests.support.fakes.firestore.databases import FakeDatabases
from tests.support.fakes.firestore.documents import FakeDocuments
from tests.support.fakes.firestore.restores import FakeRestores
from tests.support.fakes.firestore.rewrites import FakeRewrites
from tests.support.fakes.identity import FakeEntrance, FakeIdentity, FakeVoice
from tests.support.fakes.monitoring.alert_states import FakeAlertStates
from tests.support.fakes.project.provisions import FakeProvisions
from tests.support.fakes.pubsub.bus import MemoryBus
from tests.support.fakes.run.router import FakeMetrics
from tests.support.fakes.storage.media import MemoryMedia
from tests.support.fakes.storage.mirrors import MemoryMirrors

if TYPE_CHECKING:
    from tests.simulation.world import World


class InstancePorts:
    """Every port, as one instance sees it: the clock is its own."""

    def __init__(self, world: World, instance: Instance) -> None:
        self._world = world
        self._instance = instance
        self.clock = InstanceClock(world.scheduler, instance)
        self.store = world.store
        self.bus = world.bus
        self.prober = world.prober
        self.sender = world.sender
        self.identity = FakeIdentity(self.clock, POLICY.project)
        self.console = ""
        self.entrance = FakeEntrance(self.identity)
        self.voice = FakeVoice(self.identity, self.console)
        self.ids = world.new_id
        self.anchors = world.anchors
        self.sources = world.sources
        self.values = world.values
        self.quarantine = None
        self.forms = Templates()
        self.pages = None
        self.mirrors = MemoryMirrors(world.hook)
        self.media = MemoryMedia(world.hook)
        self.provisions = FakeProvisions(world.hook)
        self.services = world.platform

    def application_bus(self, system: str) -> MemoryBus:
        """Nothing is asked for here."""
        return MemoryBus(self._world.hook, ())

    def platform(self, system: str) -> PlatformService:
        """The one platform there is."""
        return self._world.platform

    def builder(self, system: str) -> BuilderService:
        """The one platform's deployments."""
        return self._world.builder

    def estate(self, system: str) -> EstateService:
        """The one there is."""
        return self._world.estate

    def metrics(self, system: str) -> FakeMetrics:
        """The one platform's routers."""
        return self._world.metrics

    def alert_states(self, system: str) -> FakeAlertStates:
        """Nobody has looked at them here."""
        return FakeAlertStates(self._world.hook)

    def exports(self, system: str) -> FakeDatabases:
        """Nothing is exported here."""
        return FakeDatabases(self.clock, self.mirrors, self._world.hook)

    def backups(self, system: str) -> FakeDatabases:
        """Nor backed up."""
        return self.exports(system)

    def restores(self, system: str) -> FakeRestores:
        """Nor restored."""
        return FakeRestores(self.clock, self.exports(system), self.documents(system))

    def documents(self, system: str) -> FakeDocuments:
        """Nothing is looked through here."""
        return FakeDocuments(self.clock, self._world.hook)

    def rewrites(self, system: str) -> FakeRewrites:
        """Nor written back."""
        return FakeRewrites(self.documents(system), self._world.hook)

    def pool(self) -> TaskPool:
        """A pool of one invocation."""
        return TaskPool(self._world.scheduler, self._instance)
