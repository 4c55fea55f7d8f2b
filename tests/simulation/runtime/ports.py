"""Every port of the product, as one instance of the simulation sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.domain.presentation.notice_templates import NoticeTemplates
from tests.simulation.runtime.pool import TaskPool
from tests.simulation.runtime.scheduler import Instance, InstanceClock
from tests.simulation.scenes.bookshop import POLICY
from tests.support.fakes.firestore.databases import FakeDatabases
from tests.support.fakes.firestore.documents import FakeDocuments
from tests.support.fakes.firestore.restores import FakeRestores
from tests.support.fakes.firestore.rewrites import FakeRewrites
from tests.support.fakes.groups import BucketFakes, NoticeFakes, OperatorFakes, ProjectFakes, SystemFakes
from tests.support.fakes.identity import FakeIdentity, FakeServiceIdentity, FakeSignIn
from tests.support.fakes.project.provisions import FakeProvisions
from tests.support.fakes.pubsub.bus import MemoryBus
from tests.support.fakes.storage.media import MemoryMedia
from tests.support.fakes.storage.mirrors import MemoryMirrors

if TYPE_CHECKING:
    from tests.simulation.world import World


class InstancePorts:
    """Every port, as one instance sees it: the clock is its own."""

    def __init__(self, world: World, instance: Instance) -> None:
        self._scheduler = world.scheduler
        self._instance = instance
        self.policies = {POLICY.system: POLICY}
        self.clock = InstanceClock(world.scheduler, instance)
        self.store = world.store
        self.bus = world.bus
        self.prober = world.prober
        identity, hook = FakeIdentity(self.clock, POLICY.project), world.hook
        self.operators = OperatorFakes(identity, "", FakeSignIn(identity), FakeServiceIdentity(identity, ""))
        self.notices = NoticeFakes(world.sender, NoticeTemplates(), None)
        self.ids = world.new_id
        self.buckets = BucketFakes(world.anchors, world.sources, world.values, None)
        export_buckets = MemoryMirrors(hook)
        self.projects = ProjectFakes(world.platform, export_buckets, MemoryMedia(hook), FakeProvisions(hook))
        databases = FakeDatabases(self.clock, export_buckets, hook)
        documents = FakeDocuments(self.clock, hook)
        self._system = SystemFakes(
            bus=MemoryBus(hook, ()),
            platform=world.platform,
            builder=world.builder,
            resources=world.estate,
            metrics=world.metrics,
            alert_states=world.alert_states,
            exports=databases,
            backups=databases,
            restores=FakeRestores(self.clock, databases, documents),
            documents=documents,
            rewrites=FakeRewrites(documents, hook),
        )

    def system(self, name: str) -> SystemFakes:
        """The one system there is."""
        return self._system

    def pool(self) -> TaskPool:
        """A pool of one invocation."""
        return TaskPool(self._scheduler, self._instance)
