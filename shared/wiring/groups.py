"""The adapters of the operations project, in the groups of `shared.ports.groups`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from shared.core.errors import BadConfiguration
from shared.core.lazy import Once, alone
from shared.core.store import Objects
from shared.ports.backups import Mirrors
from shared.ports.identity import Entrance, SecretValues, TokenVerifier, Voice
from shared.ports.messaging import Forms, Letters, Sender
from shared.ports.operations_project import Apis, Installation, Monitoring, Timetable
from shared.ports.platform import Services
from shared.ports.resources import Accounts
from shared.ports.storage import Media, Pages, Provisions, Vault
from shared.wiring.connections import Connections, played_at

if TYPE_CHECKING:
    from shared.adapters.gcp.firebase.id_tokens import GoogleIdentity
    from shared.adapters.gcp.firebase.messaging import FirebasePush


class OperatorWiring:
    """How operators sign in, and how the console speaks for them."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._settings = connections.settings

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
        """The service account that publishes for operators; "" where the settings name none."""
        return self._settings.console_account or ""

    @Once
    def sign_in(self) -> Entrance:
        """Where operators sign in. Raises: BadConfiguration, where no web API key is known."""
        from shared.adapters.sign_in import SignIn

        policies = self._connections.policies.values()
        stated = {policy.identity.api_key for policy in policies} - {""}
        known = {self._settings.api_key} if self._settings.api_key else stated
        if len(known) != 1:
            raise BadConfiguration("ROLLBACK_API_KEY is not set, and the policies state not one")
        return SignIn(known.pop(), played_at(self._settings))

    @Once
    def own_token(self) -> Voice:
        """This instance's own account. Raises: BadConfiguration, where it is not named."""
        from shared.adapters.gcp.project import own_id_token

        if self._settings.console_account is None:
            raise BadConfiguration("ROLLBACK_CONSOLE_ACCOUNT is not set")
        return own_id_token.AccountVoice(
            self._connections.clients.rest(own_id_token.HOST), self._settings.console_account
        )

    def close(self) -> None:
        """Close the connection for public keys, if there is one."""
        if "_google_identity" in self.__dict__:
            self._google_identity.close()

    @Once
    def _google_identity(self) -> GoogleIdentity:
        from shared.adapters.gcp.firebase.id_tokens import GoogleIdentity

        anonymous = self._settings.local_cloud is not None
        return GoogleIdentity(self.identity_project, anonymous=anonymous)


class NoticeWiring:
    """How people are notified."""

    def __init__(self, connections: Connections, secrets: Callable[[], SecretValues]) -> None:
        self._connections = connections
        self._settings = connections.settings
        self._secrets = secrets

    @Once
    def sender(self) -> Sender:
        """The channels; a local cloud takes what is meant for their addresses."""
        from shared.adapters.channels.sender import ChannelSender

        local = played_at(self._settings)
        if local is not None:
            return ChannelSender(lambda _host: local)
        return ChannelSender(secrets=self._secrets(), push=self._push)

    @Once
    def templates(self) -> Forms:
        """The templates of notices; those beside the policies win."""
        from shared.domain.presentation.notice_templates import Templates

        return Templates(Path(self._settings.policies) / "templates")

    @Once
    def pages(self) -> Pages | None:
        """The bucket of the status pages; None where the settings name none."""
        if self._settings.status_bucket is None:
            return None
        from shared.adapters.gcp.storage.public_pages import BucketPages

        return BucketPages(self._connections.clients.storage, self._settings.status_bucket)

    def close(self) -> None:
        """Close the connections to Firebase, if there are any."""
        for push in self.__dict__.get("_push", {}).values():
            push.close()

    @Once
    def _push(self) -> dict[str, FirebasePush]:
        """By system."""
        from shared.adapters.gcp.firebase.messaging import FirebasePush

        policies = self._connections.policies
        return {system: FirebasePush(policy.project) for system, policy in policies.items()}


class BucketWiring:
    """The buckets of the operations project; each is None where the settings name none."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._settings = connections.settings

    @Once
    def anchors(self) -> Objects | None:
        """Anchored heads of audit chains."""
        if self._settings.audit_bucket is None:
            return None
        from shared.adapters.gcp.storage.objects import BucketObjects

        return BucketObjects(self._connections.clients.storage, self._settings.audit_bucket)

    @Once
    def sources(self) -> Vault | None:
        """Copies of the source of functions."""
        return self._vault(self._settings.sources_bucket)

    @Once
    def values(self) -> Vault | None:
        """Values of plain variables."""
        return self._vault(self._settings.values_bucket)

    @Once
    def quarantine(self) -> Vault | None:
        """Documents as they were before a repair changed them."""
        return self._vault(self._settings.quarantine_bucket)

    def _vault(self, bucket: str | None) -> Vault | None:
        if bucket is None:
            return None
        from shared.adapters.gcp.storage.vault import BucketVault

        return BucketVault(self._connections.clients.storage, bucket)


class ProjectWiring:
    """Resources in any project that the account may use."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @Once
    def services(self) -> Services:
        """Cloud Run services, of systems without a policy too."""
        from shared.adapters.gcp.run.platform import CloudServices

        return CloudServices(self._connections.clients.services)

    @Once
    def export_buckets(self) -> Mirrors:
        """The buckets that exports are in."""
        from shared.adapters.gcp.storage.mirrors import BucketMirrors

        return BucketMirrors(self._connections.clients.storage)

    @Once
    def media(self) -> Media:
        """The files of applications."""
        from shared.adapters.gcp.storage.media import BucketMedia

        return BucketMedia(self._connections.clients.storage)

    @Once
    def provisions(self) -> Provisions:
        """The buckets and topics that assets rely on."""
        from shared.adapters.gcp.project.provisions import GoogleProvisions

        clients = self._connections.clients
        return GoogleProvisions(clients.storage, clients.publisher)


class InspectionWiring:
    """What `rollback doctor` and `rollback replay` read of the installation."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._project = connections.settings.project

    @Once
    def dead_letters(self) -> Letters:
        """The dead-letter messages of the responders' topics."""
        from shared.adapters.gcp.pubsub.dead_letters import PubSubLetters

        clients = self._connections.clients
        return PubSubLetters(clients.subscriber, clients.publisher, self._project)

    @Once
    def installation(self) -> Installation:
        """Topics, subscriptions, functions and buckets of the operations project."""
        from shared.adapters.gcp.project.operations_project import CloudInstallation

        clients = self._connections.clients
        return CloudInstallation(
            clients.publisher,
            clients.subscriber,
            clients.functions,
            clients.storage,
            self._project,
        )

    @Once
    def apis(self) -> Apis:
        """Which APIs are enabled."""
        from shared.adapters.gcp.project import quotas

        return quotas.ServiceApis(self._connections.clients.rest(quotas.HOST))

    @Once
    def timetable(self) -> Timetable:
        """The runs of Cloud Scheduler jobs."""
        from shared.adapters.gcp.project import scheduler_runs

        rest = self._connections.clients.rest(scheduler_runs.HOST)
        return scheduler_runs.JobTimetable(rest, self._project)

    @Once
    def accounts(self) -> Accounts:
        """The role grants of the operations project."""
        from shared.adapters.gcp.project import service_accounts

        rest = self._connections.clients.rest
        return service_accounts.ProjectAccounts(
            rest(service_accounts.HOST), rest(service_accounts.IAM_HOST), self._project
        )

    @alone
    def monitoring(self, project: str) -> Monitoring:
        """Return the alert policies and dashboards of a project."""
        from shared.adapters.gcp.monitoring import configuration

        return configuration.CloudMonitoring(
            self._connections.clients.rest(configuration.HOST), project
        )
