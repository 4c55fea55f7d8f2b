"""The adapters in the groups of `shared.ports.groups`, and what they are connected by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.adapters.gcp.clients import Clients
from shared.core.errors import BadConfiguration
from shared.core.lazy import LockedCachedProperty, synchronized
from shared.core.runtime import Clock
from shared.core.store import ObjectStore
from shared.domain.policy.system_policy import Policies
from shared.ports import operations_project
from shared.ports.backups import Backups, Exports, Mirrors, Restores
from shared.ports.documents import Documents, Rewrites
from shared.ports.identity import IdTokenSource, OperatorSignIn, SecretValues, TokenVerifier
from shared.ports.messaging import Bus, DeadLetters, NoticeRenderer, Sender
from shared.ports.platform import AlertStates, Builder, Metrics, Platform, Services
from shared.ports.resources import Accounts, ProtectedResources
from shared.ports.storage import AssetDependencies, Media, Pages, Vault, VersionedObjects
from shared.wiring.settings import Settings

if TYPE_CHECKING:
    from shared.adapters.gcp.firebase.id_tokens import GoogleIdentity
    from shared.adapters.gcp.firebase.messaging import FirebasePush


@dataclass(eq=False)
class Connections:
    """Settings, policies by system, and the clients built from them at first use.

    `deployed` says that this is an instance in the cloud, which must not be connected to anything
    local. `clients` raises BadConfiguration when it is, Unavailable when a local cloud does not
    answer.
    """

    settings: Settings
    policies: Policies
    deployed: bool

    @LockedCachedProperty
    def clients(self) -> Clients:
        return Clients(self._addresses(), deployed=self.deployed)

    @LockedCachedProperty
    def clock(self) -> Clock:
        """The machine's time, or that of the local cloud."""
        from shared.adapters.clock import EmbeddedClock, SystemClock

        if self.settings.local_cloud is None:
            return SystemClock()
        return EmbeddedClock(self.settings.local_cloud)

    @LockedCachedProperty
    def secrets(self) -> SecretValues:
        from shared.adapters.gcp.project import secret_manager

        return secret_manager.SecretManager(self.clients.rest(secret_manager.HOST), self.settings.project)

    def close(self) -> None:
        if "clients" in self.__dict__:
            self.clients.close()

    def _addresses(self) -> dict[str, str]:
        """Return the local address of each service; an emulator wins over the local cloud."""
        addresses = {}
        if self.settings.local_cloud is not None:
            from shared.adapters.embedded_cloud import service_addresses

            addresses = service_addresses(self.settings.local_cloud)
        emulators = {
            "firestore": self.settings.firestore_emulator,
            "pubsub": self.settings.pubsub_emulator,
            "storage": self.settings.storage_emulator,
        }
        local = {name: host.removeprefix("http://") for name, host in emulators.items() if host}
        return {**addresses, **local}


def local_cloud_address(settings: Settings) -> str | None:
    """Return `host:port` where a local cloud plays the hosts of the web; None: it plays none."""
    return urlsplit(settings.local_cloud).netloc if settings.local_cloud else None


class _Group:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._settings = connections.settings

    @property
    def _clients(self) -> Clients:
        return self._connections.clients

    def _pages(self, bucket: str | None) -> Pages | None:
        if bucket is None:
            return None
        from shared.adapters.gcp.storage.public_pages import BucketPages

        return BucketPages(self._clients.storage, bucket)


class OperatorWiring(_Group):
    """How operators sign in, and how the console speaks for them."""

    @property
    def identity_project(self) -> str:
        """The project in which operators sign in."""
        return self._settings.identity_project or self._settings.project

    @property
    def tokens(self) -> TokenVerifier:
        """Google's verifier; an embedded cloud is reached by the proxy of the environment."""
        return self._google_identity

    @property
    def console_account(self) -> str:
        return self._settings.console_account or ""

    @LockedCachedProperty
    def sign_in(self) -> OperatorSignIn:
        """Where operators sign in. Raises: BadConfiguration, where no web API key is known."""
        from shared.adapters.sign_in import SignIn

        stated = {policy.identity.api_key for policy in self._connections.policies.values()} - {""}
        known = {self._settings.api_key} if self._settings.api_key else stated
        if len(known) != 1:
            raise BadConfiguration("ROLLBACK_API_KEY is not set, and the policies state not one")
        return SignIn(known.pop(), local_cloud_address(self._settings))

    @LockedCachedProperty
    def own_token(self) -> IdTokenSource:
        """This instance's own account. Raises: BadConfiguration, where it is not named."""
        from shared.adapters.gcp.project import service_account_token

        if self._settings.console_account is None:
            raise BadConfiguration("ROLLBACK_CONSOLE_ACCOUNT is not set")
        return service_account_token.ServiceAccountTokenSource(
            self._clients.rest(service_account_token.HOST), self._settings.console_account
        )

    def close(self) -> None:
        """Close the connection for public keys, if there is one."""
        if "_google_identity" in self.__dict__:
            self._google_identity.close()

    @LockedCachedProperty
    def _google_identity(self) -> GoogleIdentity:
        from shared.adapters.gcp.firebase.id_tokens import GoogleIdentity

        return GoogleIdentity(self.identity_project, anonymous=self._settings.local_cloud is not None)


class NoticeWiring(_Group):
    """How people are notified."""

    @LockedCachedProperty
    def sender(self) -> Sender:
        """The channels; a local cloud takes what is meant for their addresses."""
        from shared.adapters.channels.sender import ChannelSender

        local = local_cloud_address(self._settings)
        if local is not None:
            return ChannelSender(lambda _host: local)
        return ChannelSender(secrets=self._connections.secrets, push=self._push)

    @LockedCachedProperty
    def templates(self) -> NoticeRenderer:
        """The templates of notices; those beside the policies win."""
        from shared.domain.presentation.notice_templates import NoticeTemplates

        return NoticeTemplates(Path(self._settings.policies) / "templates")

    @LockedCachedProperty
    def pages(self) -> Pages | None:
        return self._pages(self._settings.status_bucket)

    def close(self) -> None:
        """Close the connections to Firebase, if there are any."""
        for push in self.__dict__.get("_push", {}).values():
            push.close()

    @LockedCachedProperty
    def _push(self) -> dict[str, FirebasePush]:
        from shared.adapters.gcp.firebase.messaging import FirebasePush

        return {system: FirebasePush(policy.project) for system, policy in self._connections.policies.items()}


class BucketWiring(_Group):
    """The buckets of the operations project; each is None where the settings name none."""

    @LockedCachedProperty
    def anchors(self) -> ObjectStore | None:
        if self._settings.audit_bucket is None:
            return None
        from shared.adapters.gcp.storage.objects import BucketObjects

        return BucketObjects(self._clients.storage, self._settings.audit_bucket)

    @LockedCachedProperty
    def sources(self) -> Vault | None:
        return self._vault(self._settings.sources_bucket)

    @LockedCachedProperty
    def values(self) -> Vault | None:
        return self._vault(self._settings.values_bucket)

    @LockedCachedProperty
    def quarantine(self) -> Vault | None:
        return self._vault(self._settings.quarantine_bucket)

    @LockedCachedProperty
    def policies(self) -> VersionedObjects | None:
        return self._pages(self._settings.policy_bucket)

    def _vault(self, bucket: str | None) -> Vault | None:
        if bucket is None:
            return None
        from shared.adapters.gcp.storage.vault import BucketVault

        return BucketVault(self._clients.storage, bucket)


class ProjectWiring(_Group):
    """Resources in any project that the account may use."""

    @LockedCachedProperty
    def services(self) -> Services:
        from shared.adapters.gcp.run.platform import CloudServices

        return CloudServices(self._clients.services)

    @LockedCachedProperty
    def export_buckets(self) -> Mirrors:
        from shared.adapters.gcp.storage.mirrors import BucketMirrors

        return BucketMirrors(self._clients.storage)

    @LockedCachedProperty
    def media(self) -> Media:
        from shared.adapters.gcp.storage.media import BucketMedia

        return BucketMedia(self._clients.storage)

    @LockedCachedProperty
    def provisions(self) -> AssetDependencies:
        from shared.adapters.gcp.project.asset_dependencies import CloudAssetDependencies

        return CloudAssetDependencies(self._clients.storage, self._clients.publisher)


class InspectionWiring(_Group):
    """What `rollback doctor` and `rollback replay` read of the installation."""

    @LockedCachedProperty
    def dead_letters(self) -> DeadLetters:
        from shared.adapters.gcp.pubsub.dead_letters import PubSubDeadLetters

        return PubSubDeadLetters(self._clients.subscriber, self._clients.publisher, self._settings.project)

    @LockedCachedProperty
    def installation(self) -> operations_project.OperationsProject:
        from shared.adapters.gcp.project.operations_project import CloudOperationsProject

        return CloudOperationsProject(
            self._clients.publisher,
            self._clients.subscriber,
            self._clients.functions,
            self._clients.storage,
            self._settings.project,
        )

    @LockedCachedProperty
    def apis(self) -> operations_project.EnabledApis:
        from shared.adapters.gcp.project import quotas

        return quotas.ServiceApis(self._clients.rest(quotas.HOST))

    @LockedCachedProperty
    def timetable(self) -> operations_project.SchedulerRuns:
        from shared.adapters.gcp.project import scheduler

        return scheduler.CloudSchedulerRuns(self._clients.rest(scheduler.HOST), self._settings.project)

    @LockedCachedProperty
    def accounts(self) -> Accounts:
        from shared.adapters.gcp.project import service_accounts

        rest = self._clients.rest
        return service_accounts.ProjectAccounts(
            rest(service_accounts.HOST), rest(service_accounts.IAM_HOST), self._settings.project
        )

    @synchronized
    def monitoring(self, project: str) -> operations_project.MonitoringSettings:
        from shared.adapters.gcp.monitoring import configuration

        return configuration.CloudMonitoring(self._clients.rest(configuration.HOST), project)


class SystemWiring(_Group):
    """What reaches into the project of one protected system."""

    def __init__(self, connections: Connections, system: str, buckets: BucketWiring) -> None:
        super().__init__(connections)
        self._policy = connections.policies[system]
        self._buckets = buckets

    @LockedCachedProperty
    def bus(self) -> Bus:
        from shared.adapters.gcp.pubsub.publisher import PubSubBus

        return PubSubBus(self._clients.publisher, self._policy.project)

    @LockedCachedProperty
    def platform(self) -> Platform:
        from shared.adapters.gcp.run.platform import CloudPlatform

        return CloudPlatform(
            self._clients.functions,
            self._clients.services,
            self._clients.revisions,
            self._policy.project,
            self._policy.region,
        )

    @LockedCachedProperty
    def builder(self) -> Builder:
        from shared.adapters.gcp.run.builder import CloudBuilder

        policy = self._policy
        return CloudBuilder(
            self._clients.functions,
            lambda: self._buckets.values,
            self._connections.clock,
            policy.project,
            policy.region,
        )

    @LockedCachedProperty
    def resources(self) -> ProtectedResources:
        from shared.adapters.gcp.resources import CloudResources

        policy = self._policy
        return CloudResources(self._clients, policy.project, policy.region)

    @LockedCachedProperty
    def metrics(self) -> Metrics:
        from shared.adapters.gcp.monitoring.metrics import RouterMetrics

        monitoring, policy = self._clients.monitoring, self._policy
        return RouterMetrics(monitoring, policy.system, policy.project, policy.region)

    @LockedCachedProperty
    def quotas(self) -> operations_project.Quotas:
        from shared.adapters.gcp.project import quotas

        return quotas.ServiceQuotas(self._clients.rest(quotas.HOST), self._policy.project)

    @LockedCachedProperty
    def alert_states(self) -> AlertStates:
        from shared.adapters.gcp.monitoring import alert_states

        return alert_states.MonitoringAlerts(self._clients.rest(alert_states.HOST), self._policy.project)

    @LockedCachedProperty
    def exports(self) -> Exports:
        from shared.adapters.gcp.firestore.exports import FirestoreExports

        return FirestoreExports(self._clients.firestore_admin, self._policy.project)

    @LockedCachedProperty
    def backups(self) -> Backups:
        from shared.adapters.gcp.firestore.backups import FirestoreBackups

        return FirestoreBackups(self._clients.firestore_admin, self._policy.project)

    @LockedCachedProperty
    def restores(self) -> Restores:
        from shared.adapters.gcp.firestore.restores import FirestoreRestores

        return FirestoreRestores(self._clients.firestore_admin, self._clients.firestore, self._policy.project)

    @LockedCachedProperty
    def documents(self) -> Documents:
        from shared.adapters.gcp.firestore.documents import FirestoreDocuments

        return FirestoreDocuments(self._clients.firestore, self._policy.project)

    @LockedCachedProperty
    def rewrites(self) -> Rewrites:
        from shared.adapters.gcp.firestore.rewrites import FirestoreRewrites

        return FirestoreRewrites(self._clients.firestore, self._policy.project)
