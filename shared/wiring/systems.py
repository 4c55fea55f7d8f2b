"""The adapters of one protected system, each built at first use."""

from collections.abc import Callable

from shared.core.lazy import LockedCachedProperty
from shared.core.runtime import Clock
from shared.ports.backups import Backups, Exports, Restores
from shared.ports.documents import Documents, Rewrites
from shared.ports.messaging import Bus
from shared.ports.operations_project import Quotas
from shared.ports.platform import AlertStates, Builder, Metrics, Platform
from shared.ports.resources import ProtectedResources
from shared.ports.storage import Vault
from shared.wiring.google_clients import Connections


class SystemWiring:
    """What reaches into the project of one protected system."""

    def __init__(
        self,
        connections: Connections,
        system: str,
        clock: Callable[[], Clock],
        values: Callable[[], Vault | None],
    ) -> None:
        self._connections = connections
        self._policy = connections.policies[system]
        self._clock = clock
        self._values = values

    @LockedCachedProperty
    def bus(self) -> Bus:
        from shared.adapters.gcp.pubsub.publisher import PubSubBus

        return PubSubBus(self._connections.clients.publisher, self._policy.project)

    @LockedCachedProperty
    def platform(self) -> Platform:
        from shared.adapters.gcp.run.platform import CloudPlatform

        clients = self._connections.clients
        return CloudPlatform(
            clients.functions, clients.services, clients.revisions, self._policy.project, self._policy.region
        )

    @LockedCachedProperty
    def builder(self) -> Builder:
        from shared.adapters.gcp.run.builder import CloudBuilder

        functions, policy = self._connections.clients.functions, self._policy
        return CloudBuilder(functions, self._values, self._clock(), policy.project, policy.region)

    @LockedCachedProperty
    def resources(self) -> ProtectedResources:
        from shared.adapters.gcp.resources import CloudResources

        policy = self._policy
        return CloudResources(self._connections.clients, policy.project, policy.region)

    @LockedCachedProperty
    def metrics(self) -> Metrics:
        from shared.adapters.gcp.monitoring.metrics import RouterMetrics

        monitoring, policy = self._connections.clients.monitoring, self._policy
        return RouterMetrics(monitoring, policy.system, policy.project, policy.region)

    @LockedCachedProperty
    def quotas(self) -> Quotas:
        from shared.adapters.gcp.project import quotas

        return quotas.ServiceQuotas(self._connections.clients.rest(quotas.HOST), self._policy.project)

    @LockedCachedProperty
    def alert_states(self) -> AlertStates:
        from shared.adapters.gcp.monitoring import alert_states

        rest = self._connections.clients.rest(alert_states.HOST)
        return alert_states.MonitoringAlerts(rest, self._policy.project)

    @LockedCachedProperty
    def exports(self) -> Exports:
        from shared.adapters.gcp.firestore.exports import FirestoreExports

        return FirestoreExports(self._connections.clients.firestore_admin, self._policy.project)

    @LockedCachedProperty
    def backups(self) -> Backups:
        from shared.adapters.gcp.firestore.backups import FirestoreBackups

        return FirestoreBackups(self._connections.clients.firestore_admin, self._policy.project)

    @LockedCachedProperty
    def restores(self) -> Restores:
        from shared.adapters.gcp.firestore.restores import FirestoreRestores

        clients = self._connections.clients
        return FirestoreRestores(clients.firestore_admin, clients.firestore, self._policy.project)

    @LockedCachedProperty
    def documents(self) -> Documents:
        from shared.adapters.gcp.firestore.documents import FirestoreDocuments

        return FirestoreDocuments(self._connections.clients.firestore, self._policy.project)

    @LockedCachedProperty
    def rewrites(self) -> Rewrites:
        from shared.adapters.gcp.firestore.rewrites import FirestoreRewrites

        return FirestoreRewrites(self._connections.clients.firestore, self._policy.project)
