"""The adapters of protected systems, each built when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.core.lazy import Once, alone
from shared.domain.policy.model import Policy
from shared.ports.backups import Backups, Exports, Restores
from shared.ports.documents import Documents, Rewrites
from shared.ports.messaging import Bus
from shared.ports.operations_project import Quotas
from shared.ports.platform import AlertStates, Metrics, Platform, Services
from shared.ports.resources import Estate
from shared.wiring.settings import Settings

if TYPE_CHECKING:
    from shared.adapters.gcp.clients import Clients


class SystemsWiring:
    """What reaches into the projects of protected systems, by system.

    `policies` are by system. `deployed` says that this is an instance in the cloud, which must not
    be wired to anything local. Raises (anywhere): BadConfiguration when it is; Unavailable when a
    local cloud does not answer.
    """

    def __init__(
        self, settings: Settings, policies: Mapping[str, Policy], *, deployed: bool
    ) -> None:
        self._settings = settings
        self.policies = policies
        """By system."""
        self._deployed = deployed
        self._platforms: dict[str, Platform] = {}
        self._estates: dict[str, Estate] = {}
        self._metrics: dict[str, Metrics] = {}

    @Once
    def clients(self) -> Clients:
        """Google's clients, wired to whatever is local."""
        from shared.adapters.gcp.clients import Clients

        return Clients(self._addresses(), deployed=self._deployed)

    @alone
    def application_bus(self, system: str) -> Bus:
        """The topics of a protected system. Raises: KeyError for an unknown one."""
        from shared.adapters.gcp.pubsub.publisher import PubSubBus

        return PubSubBus(self.clients.publisher, self.policies[system].project)

    @Once
    def services(self) -> Services:
        """Every service that the account may see, of systems without a policy as well."""
        from shared.adapters.gcp.run.platform import CloudServices

        return CloudServices(self.clients.services)

    @alone
    def platform(self, system: str) -> Platform:
        """The functions of a protected system. Raises: KeyError for an unknown one."""
        if system not in self._platforms:
            from shared.adapters.gcp.run.platform import CloudPlatform

            policy, clients = self.policies[system], self.clients
            self._platforms[system] = CloudPlatform(
                clients.functions,
                clients.services,
                clients.revisions,
                policy.project,
                policy.region,
            )
        return self._platforms[system]

    @alone
    def estate(self, system: str) -> Estate:
        """What a protected system has beside its functions. Raises: KeyError."""
        if system not in self._estates:
            from shared.adapters.gcp.resources import CloudEstate

            policy = self.policies[system]
            self._estates[system] = CloudEstate(self.clients, policy.project, policy.region)
        return self._estates[system]

    @alone
    def metrics(self, system: str) -> Metrics:
        """The router counts of a protected system. Raises: KeyError for an unknown one."""
        if system not in self._metrics:
            from shared.adapters.gcp.monitoring.metrics import RouterMetrics

            policy = self.policies[system]
            self._metrics[system] = RouterMetrics(
                self.clients.monitoring, system, policy.project, policy.region
            )
        return self._metrics[system]

    @alone
    def quotas(self, system: str) -> Quotas:
        """What is admitted in a system's project, for a person's eyes. Raises: KeyError."""
        from shared.adapters.gcp.project import quotas

        return quotas.ServiceQuotas(self.clients.rest(quotas.HOST), self.policies[system].project)

    @alone
    def alert_states(self, system: str) -> AlertStates:
        """The alerts of a protected system. Raises: KeyError for an unknown one."""
        from shared.adapters.gcp.monitoring import alert_states as alerts

        return alerts.MonitoringAlerts(
            self.clients.rest(alerts.HOST), self.policies[system].project
        )

    @alone
    def exports(self, system: str) -> Exports:
        """The exports of a protected system's databases. Raises: KeyError for an unknown one."""
        from shared.adapters.gcp.firestore.exports import FirestoreExports

        return FirestoreExports(self.clients.firestore_admin, self.policies[system].project)

    @alone
    def backups(self, system: str) -> Backups:
        """The native backups of a protected system. Raises: KeyError for an unknown one."""
        from shared.adapters.gcp.firestore.backups import FirestoreBackups

        return FirestoreBackups(self.clients.firestore_admin, self.policies[system].project)

    @alone
    def restores(self, system: str) -> Restores:
        """The databases made of a system's backups. Raises: KeyError for an unknown one."""
        from shared.adapters.gcp.firestore.restores import FirestoreRestores

        clients = self.clients
        return FirestoreRestores(
            clients.firestore_admin, clients.firestore, self.policies[system].project
        )

    @alone
    def documents(self, system: str) -> Documents:
        """The documents of a protected system's databases. Raises: KeyError for an unknown one."""
        from shared.adapters.gcp.firestore.documents import FirestoreDocuments

        return FirestoreDocuments(self.clients.firestore, self.policies[system].project)

    @alone
    def rewrites(self, system: str) -> Rewrites:
        """The same, for writing back. Raises: KeyError for an unknown system."""
        from shared.adapters.gcp.firestore.rewrites import FirestoreRewrites

        return FirestoreRewrites(self.clients.firestore, self.policies[system].project)

    def _addresses(self) -> dict[str, str]:
        """Where what is local listens, by service; an emulator of one's own wins."""
        addresses: dict[str, str] = {}
        if self._settings.local_cloud is not None:
            from shared.adapters.embedded_cloud import addresses_of

            addresses = addresses_of(self._settings.local_cloud)
        emulators = {
            "firestore": self._settings.firestore_emulator,
            "pubsub": self._settings.pubsub_emulator,
            "storage": self._settings.storage_emulator,
        }
        return {
            **addresses,
            **{
                service: host.removeprefix("http://") for service, host in emulators.items() if host
            },
        }
