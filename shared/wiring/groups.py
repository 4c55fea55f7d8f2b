"""The adapters of the operations project, in the groups of `shared.ports.groups`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from shared.core.errors import BadConfiguration
from shared.core.lazy import LockedCachedProperty, synchronized
from shared.core.store import ObjectStore
from shared.ports.backups import Mirrors
from shared.ports.identity import IdTokenSource, OperatorSignIn, SecretValues, TokenVerifier
from shared.ports.messaging import DeadLetters, NoticeRenderer, Sender
from shared.ports.operations_project import EnabledApis, MonitoringSettings, OperationsProject, SchedulerRuns
from shared.ports.platform import Services
from shared.ports.resources import Accounts
from shared.ports.storage import AssetDependencies, Media, Pages, Vault, VersionedObjects
from shared.wiring.google_clients import Connections, local_cloud_address

if TYPE_CHECKING:
    from shared.adapters.gcp.firebase.id_tokens import GoogleIdentity
    from shared.adapters.gcp.firebase.messaging import FirebasePush


class _Group:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._settings = connections.settings

    def _pages(self, bucket: str | None) -> Pages | None:
        if bucket is None:
            return None
        from shared.adapters.gcp.storage.public_pages import BucketPages

        return BucketPages(self._connections.clients.storage, bucket)


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

        policies = self._connections.policies.values()
        stated = {policy.identity.api_key for policy in policies} - {""}
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
            self._connections.clients.rest(service_account_token.HOST), self._settings.console_account
        )

    def close(self) -> None:
        """Close the connection for public keys, if there is one."""
        if "_google_identity" in self.__dict__:
            self._google_identity.close()

    @LockedCachedProperty
    def _google_identity(self) -> GoogleIdentity:
        from shared.adapters.gcp.firebase.id_tokens import GoogleIdentity

        anonymous = self._settings.local_cloud is not None
        return GoogleIdentity(self.identity_project, anonymous=anonymous)


class NoticeWiring(_Group):
    """How people are notified."""

    def __init__(self, connections: Connections, secrets: Callable[[], SecretValues]) -> None:
        super().__init__(connections)
        self._secrets = secrets

    @LockedCachedProperty
    def sender(self) -> Sender:
        """The channels; a local cloud takes what is meant for their addresses."""
        from shared.adapters.channels.sender import ChannelSender

        local = local_cloud_address(self._settings)
        if local is not None:
            return ChannelSender(lambda _host: local)
        return ChannelSender(secrets=self._secrets(), push=self._push)

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

        policies = self._connections.policies
        return {system: FirebasePush(policy.project) for system, policy in policies.items()}


class BucketWiring(_Group):
    """The buckets of the operations project; each is None where the settings name none."""

    @LockedCachedProperty
    def anchors(self) -> ObjectStore | None:
        if self._settings.audit_bucket is None:
            return None
        from shared.adapters.gcp.storage.objects import BucketObjects

        return BucketObjects(self._connections.clients.storage, self._settings.audit_bucket)

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

        return BucketVault(self._connections.clients.storage, bucket)


class ProjectWiring(_Group):
    """Resources in any project that the account may use."""

    @LockedCachedProperty
    def services(self) -> Services:
        from shared.adapters.gcp.run.platform import CloudServices

        return CloudServices(self._connections.clients.services)

    @LockedCachedProperty
    def export_buckets(self) -> Mirrors:
        from shared.adapters.gcp.storage.mirrors import BucketMirrors

        return BucketMirrors(self._connections.clients.storage)

    @LockedCachedProperty
    def media(self) -> Media:
        from shared.adapters.gcp.storage.media import BucketMedia

        return BucketMedia(self._connections.clients.storage)

    @LockedCachedProperty
    def provisions(self) -> AssetDependencies:
        from shared.adapters.gcp.project.asset_dependencies import CloudAssetDependencies

        clients = self._connections.clients
        return CloudAssetDependencies(clients.storage, clients.publisher)


class InspectionWiring(_Group):
    """What `rollback doctor` and `rollback replay` read of the installation."""

    @LockedCachedProperty
    def dead_letters(self) -> DeadLetters:
        from shared.adapters.gcp.pubsub.dead_letters import PubSubDeadLetters

        clients = self._connections.clients
        return PubSubDeadLetters(clients.subscriber, clients.publisher, self._settings.project)

    @LockedCachedProperty
    def installation(self) -> OperationsProject:
        from shared.adapters.gcp.project.operations_project import CloudOperationsProject

        clients = self._connections.clients
        return CloudOperationsProject(
            clients.publisher, clients.subscriber, clients.functions, clients.storage, self._settings.project
        )

    @LockedCachedProperty
    def apis(self) -> EnabledApis:
        from shared.adapters.gcp.project import quotas

        return quotas.ServiceApis(self._connections.clients.rest(quotas.HOST))

    @LockedCachedProperty
    def timetable(self) -> SchedulerRuns:
        from shared.adapters.gcp.project import scheduler_runs

        rest = self._connections.clients.rest(scheduler_runs.HOST)
        return scheduler_runs.CloudSchedulerRuns(rest, self._settings.project)

    @LockedCachedProperty
    def accounts(self) -> Accounts:
        from shared.adapters.gcp.project import service_accounts

        rest = self._connections.clients.rest
        return service_accounts.ProjectAccounts(
            rest(service_accounts.HOST), rest(service_accounts.IAM_HOST), self._settings.project
        )

    @synchronized
    def monitoring(self, project: str) -> MonitoringSettings:
        from shared.adapters.gcp.monitoring import configuration

        return configuration.CloudMonitoring(self._connections.clients.rest(configuration.HOST), project)
