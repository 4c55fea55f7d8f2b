"""Settings to adapters: each one is imported and built when it is first asked for."""

from __future__ import annotations

import uuid
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.core.errors import BadConfiguration
from shared.core.lazy import Once, alone
from shared.core.runtime import Clock, Ids
from shared.core.store import Objects, Store
from shared.ports.backups import Mirrors
from shared.ports.identity import Entrance, SecretValues, TokenVerifier, Voice
from shared.ports.messaging import Bus, Forms, Letters, Sender
from shared.ports.operations_project import Apis, Installation, Monitoring, Timetable
from shared.ports.platform import Builder
from shared.ports.probe import Prober
from shared.ports.resources import Accounts
from shared.ports.storage import Media, Pages, Provisions, Vault
from shared.wiring.settings import Settings
from shared.wiring.systems import SystemsWiring

if TYPE_CHECKING:
    from shared.adapters.gcp.firebase.id_tokens import GoogleIdentity
    from shared.adapters.gcp.firebase.messaging import FirebasePush
    from shared.adapters.thread_pool import ThreadPool

POOL_WORKERS = 16
"""Calls beside each other: at one to two seconds a call, several times the default write quota."""


class Wiring(SystemsWiring):
    """The world of one process. Without a local cloud and emulators in its settings: Google's."""

    @Once
    def clock(self) -> Clock:
        """The machine's time, or that of the local cloud."""
        from shared.adapters.clock import FollowedClock, SystemClock

        if self._settings.local_cloud is None:
            return SystemClock()
        return FollowedClock(self._settings.local_cloud)

    @Once
    def store(self) -> Store:
        """The responders' own database, whose audit events are logged."""
        from shared.adapters.gcp.firestore.store import FirestoreStore
        from shared.adapters.logging_store import LoggedStore

        database = f"projects/{self._settings.project}/databases/{self._settings.database}"
        return LoggedStore(FirestoreStore(self.clients.firestore, database, self.clock, Random()))

    @Once
    def bus(self) -> Bus:
        """The responders' own topics."""
        from shared.adapters.gcp.pubsub.publisher import PubSubBus

        return PubSubBus(self.clients.publisher, self._settings.project)

    @Once
    def letters(self) -> Letters:
        """The dead letters of the responders' topics, for a person's hands."""
        from shared.adapters.gcp.pubsub.dead_letters import PubSubLetters

        return PubSubLetters(
            self.clients.subscriber, self.clients.publisher, self._settings.project
        )

    @Once
    def anchors(self) -> Objects | None:
        """The bucket of anchored heads; None where the settings name none."""
        if self._settings.audit_bucket is None:
            return None
        from shared.adapters.gcp.storage.objects import BucketObjects

        return BucketObjects(self.clients.storage, self._settings.audit_bucket)

    @Once
    def sources(self) -> Vault | None:
        """The bucket of our copies of sources; None where the settings name none."""
        return self._vault(self._settings.sources_bucket)

    @Once
    def values(self) -> Vault | None:
        """The bucket of values of plain variables; None where the settings name none."""
        return self._vault(self._settings.values_bucket)

    @Once
    def quarantine(self) -> Vault | None:
        """The bucket of what repairs have changed; None where the settings name none."""
        return self._vault(self._settings.quarantine_bucket)

    @Once
    def pages(self) -> Pages | None:
        """The bucket of the status pages; None where the settings name none."""
        if self._settings.status_bucket is None:
            return None
        from shared.adapters.gcp.storage.public_pages import BucketPages

        return BucketPages(self.clients.storage, self._settings.status_bucket)

    @Once
    def installation(self) -> Installation:
        """What the responders are made of, for a person's eyes."""
        from shared.adapters.gcp.project.operations_project import CloudInstallation

        clients = self.clients
        return CloudInstallation(
            clients.publisher,
            clients.subscriber,
            clients.functions,
            clients.storage,
            self._settings.project,
        )

    @Once
    def apis(self) -> Apis:
        """Which APIs are on, for a person's eyes."""
        from shared.adapters.gcp.project import quotas

        return quotas.ServiceApis(self.clients.rest(quotas.HOST))

    @Once
    def timetable(self) -> Timetable:
        """What is called at set times, for a person's eyes."""
        from shared.adapters.gcp.project import scheduler_runs

        return scheduler_runs.JobTimetable(
            self.clients.rest(scheduler_runs.HOST), self._settings.project
        )

    @alone
    def monitoring(self, project: str) -> Monitoring:
        """How a project is watched, for a person's eyes."""
        from shared.adapters.gcp.monitoring import configuration

        return configuration.CloudMonitoring(self.clients.rest(configuration.HOST), project)

    @property
    def values_bucket(self) -> str | None:
        """The name of the bucket of values; None where the settings name none."""
        return self._settings.values_bucket

    @property
    def project(self) -> str:
        """The operations project."""
        return self._settings.project

    @property
    def identity_project(self) -> str:
        """Where whoever commands signs in."""
        return self._settings.identity_project or self._settings.project

    @property
    @alone
    def own_accounts(self) -> Accounts:
        """Who holds which role in the operations project, for a person's eyes."""
        from shared.adapters.gcp.project import service_accounts

        rest = self.clients.rest
        return service_accounts.ProjectAccounts(
            rest(service_accounts.HOST), rest(service_accounts.IAM_HOST), self._settings.project
        )

    @property
    def is_local(self) -> bool:
        """Whether messages are carried on this machine, where nobody is asked for proof."""
        return bool(self._settings.local_cloud or self._settings.pubsub_emulator)

    @alone
    def builder(self, system: str) -> Builder:
        """The deployments of a protected system's functions. Raises: KeyError."""
        from shared.adapters.gcp.run.builder import CloudBuilder

        policy, functions = self.policies[system], self.clients.functions
        return CloudBuilder(
            functions, lambda: self.values, self.clock, policy.project, policy.region
        )

    @Once
    def mirrors(self) -> Mirrors:
        """Every bucket that the account may use."""
        from shared.adapters.gcp.storage.mirrors import BucketMirrors

        return BucketMirrors(self.clients.storage)

    @Once
    def media(self) -> Media:
        """Every bucket that the account may read."""
        from shared.adapters.gcp.storage.media import BucketMedia

        return BucketMedia(self.clients.storage)

    @Once
    def provisions(self) -> Provisions:
        """Every bucket and topic that the account may look at."""
        from shared.adapters.gcp.project.provisions import GoogleProvisions

        return GoogleProvisions(self.clients.storage, self.clients.publisher)

    @Once
    def prober(self) -> Prober:
        """A look at the declared addresses; a local cloud plays all of them."""
        from shared.adapters.embedded_cloud import LATENCY
        from shared.adapters.prober import HttpProber

        if self._settings.local_cloud is not None:
            return HttpProber(self._resolve, latency=LATENCY, secrets=lambda: self._secrets)
        return HttpProber(secrets=lambda: self._secrets)

    @Once
    def sender(self) -> Sender:
        """The channels to people; a local cloud takes what is meant for their addresses."""
        from shared.adapters.channels.sender import ChannelSender

        if self._settings.local_cloud is not None:
            return ChannelSender(self._resolve)
        return ChannelSender(secrets=self._secrets, push=self._push)

    @Once
    def _secrets(self) -> SecretValues:
        """What the operations project's secrets hold."""
        from shared.adapters.gcp.project import secret_values

        return secret_values.SecretValues(
            self.clients.rest(secret_values.HOST), self._settings.project
        )

    @Once
    def _push(self) -> dict[str, FirebasePush]:
        """By system."""
        from shared.adapters.gcp.firebase.messaging import FirebasePush

        return {system: FirebasePush(policy.project) for system, policy in self.policies.items()}

    @Once
    def forms(self) -> Forms:
        """The templates of notices; those beside the policies win."""
        from shared.domain.presentation.notice_templates import Templates

        return Templates(Path(self._settings.policies) / "templates")

    @Once
    def _google_identity(self) -> GoogleIdentity:
        from shared.adapters.gcp.firebase.id_tokens import GoogleIdentity

        anonymous = self._settings.local_cloud is not None
        return GoogleIdentity(self.identity_project, anonymous=anonymous)

    @property
    def identity(self) -> TokenVerifier:
        """Who speaks; an embedded cloud is reached by the proxy that the environment names."""
        return self._google_identity

    @property
    def console(self) -> str:
        """Whose word is an operator's; "" where the settings name nobody."""
        return self._settings.console_account or ""

    @Once
    def entrance(self) -> Entrance:
        """Where operators sign in. Raises: BadConfiguration, where no web API key is known."""
        from shared.adapters.sign_in import SignIn

        stated = {policy.identity.api_key for policy in self.policies.values()} - {""}
        known = {self._settings.api_key} if self._settings.api_key else stated
        if len(known) != 1:
            raise BadConfiguration("ROLLBACK_API_KEY is not set, and the policies state not one")
        return SignIn(known.pop(), played_at(self._settings))

    @Once
    def voice(self) -> Voice:
        """This instance's own account. Raises: BadConfiguration, where it is not named."""
        from shared.adapters.gcp.project import own_id_token

        if self._settings.console_account is None:
            raise BadConfiguration("ROLLBACK_CONSOLE_ACCOUNT is not set")
        return own_id_token.AccountVoice(
            self.clients.rest(own_id_token.HOST), self._settings.console_account
        )

    @property
    def ids(self) -> Ids:
        """Random ids of 32 hexadecimal digits."""
        return lambda: uuid.uuid4().hex

    def pool(self) -> ThreadPool:
        """A new pool of threads, for one invocation, which closes it."""
        from shared.adapters.thread_pool import ThreadPool

        return ThreadPool(POOL_WORKERS, self.clock)

    def close(self) -> None:
        """Close the connections to Google's services."""
        if "clients" in self.__dict__:
            self.clients.close()
        for push in self.__dict__.get("_push", {}).values():
            push.close()
        if "_google_identity" in self.__dict__:
            self._google_identity.close()

    def _resolve(self, _host: str) -> str | None:
        """Who plays a host of the web: the local cloud plays all of them."""
        return played_at(self._settings)

    def _vault(self, bucket: str | None) -> Vault | None:
        if bucket is None:
            return None
        from shared.adapters.gcp.storage.vault import BucketVault

        return BucketVault(self.clients.storage, bucket)


def played_at(settings: Settings) -> str | None:
    """Where a local cloud plays the hosts of the web, `host:port`; None: they are themselves."""
    return urlsplit(settings.local_cloud).netloc if settings.local_cloud else None
