"""Select the adapter behind each port from the settings; each is built at first use."""

import uuid
from dataclasses import dataclass
from random import Random

from shared.adapters.audit_logging_store import AuditLoggingStore
from shared.adapters.thread_pool import ThreadPool
from shared.core.errors import BadConfiguration
from shared.core.lazy import LockedCachedProperty
from shared.core.pubsub_message import PushIdentity
from shared.core.runtime import Ids
from shared.core.store import Store
from shared.ports.messaging import Bus
from shared.ports.platform import Prober
from shared.wiring import groups

MAX_PARALLEL_CALLS = 16
"""Parallel calls: at one to two seconds a call, several times the default write quota."""


@dataclass(eq=False)
class Wiring(groups.Connections):
    """The ports of one process. Without a local cloud and emulators in its settings: Google's."""

    def __post_init__(self) -> None:
        self.operators = groups.OperatorWiring(self)
        self.notices = groups.NoticeWiring(self)
        self.buckets = groups.BucketWiring(self)
        self.projects = groups.ProjectWiring(self)
        self.inspection = groups.InspectionWiring(self)
        self._systems = {name: groups.SystemWiring(self, name, self.buckets) for name in self.policies}

    @LockedCachedProperty
    def store(self) -> Store:
        """The responders' own database, whose audit events are logged."""
        from shared.adapters.gcp.firestore.store import FirestoreStore

        database = f"projects/{self.settings.project}/databases/{self.settings.database}"
        return AuditLoggingStore(FirestoreStore(self.clients.firestore, database, self.clock, Random()))

    @LockedCachedProperty
    def bus(self) -> Bus:
        from shared.adapters.gcp.pubsub.publisher import PubSubBus

        return PubSubBus(self.clients.publisher, self.settings.project)

    @LockedCachedProperty
    def prober(self) -> Prober:
        """Probes of the declared addresses; a local cloud plays all of them."""
        from shared.adapters.embedded_cloud import LATENCY_HEADER
        from shared.adapters.prober import HttpProber

        local = groups.local_cloud_address(self.settings)
        if local is not None:
            return HttpProber(lambda _host: local, latency=LATENCY_HEADER, secrets=lambda: self.secrets)
        return HttpProber(secrets=lambda: self.secrets)

    def system(self, name: str) -> groups.SystemWiring:
        return self._systems[name]

    @property
    def project(self) -> str:
        return self.settings.project

    @property
    def push_identity(self) -> PushIdentity:
        """What pushes carry. Raises: BadConfiguration, where the settings do not say it."""
        account, audience = self.settings.push_account, self.settings.push_audience
        if account is None or audience is None:
            raise BadConfiguration("ROLLBACK_PUSH_ACCOUNT or ROLLBACK_PUSH_AUDIENCE is not set")
        projects = (self.project, *(policy.project for policy in self.policies.values()))
        return PushIdentity(projects, account, audience, self.deployed)

    @property
    def is_local(self) -> bool:
        """Whether messages are carried on this machine, where nobody is asked for proof."""
        return bool(self.settings.local_cloud or self.settings.pubsub_emulator)

    @property
    def ids(self) -> Ids:
        """Random ids of 32 hexadecimal digits."""
        return lambda: uuid.uuid4().hex

    def pool(self) -> ThreadPool:
        return ThreadPool(MAX_PARALLEL_CALLS, self.clock)

    def close(self) -> None:
        super().close()
        self.notices.close()
        self.operators.close()
