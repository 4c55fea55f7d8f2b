"""Settings to adapters: each one is imported and built when it is first asked for."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.estate import Estate
from shared.installation import Installation
from shared.policy import Policy
from shared.ports import (
    AlertStates,
    Bus,
    Clock,
    Identity,
    Ids,
    Letters,
    Metrics,
    Objects,
    Platform,
    Prober,
    Sender,
    Store,
)
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.gcp.channels import Clients
    from shared.gcp.identity import GoogleIdentity
    from shared.pool import ThreadPool

POOL_WORKERS = 16
"""Calls beside each other: at one to two seconds a call, several times the default write quota."""


class Wiring:
    """The world of one process. Without a local cloud and emulators in its settings: Google's.

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

    @cached_property
    def clients(self) -> Clients:
        """Google's clients, wired to whatever is local."""
        from shared.gcp.channels import Clients

        return Clients(self._addresses(), deployed=self._deployed)

    @cached_property
    def clock(self) -> Clock:
        """The machine's time, or that of the local cloud."""
        from shared.clock import FollowedClock, SystemClock

        if self._settings.local_cloud is None:
            return SystemClock()
        return FollowedClock(self._settings.local_cloud)

    @cached_property
    def store(self) -> Store:
        """The responders' own database, whose audit events are logged."""
        from shared.gcp.store import FirestoreStore
        from shared.logged import LoggedStore

        database = f"projects/{self._settings.project}/databases/{self._settings.database}"
        return LoggedStore(FirestoreStore(self.clients.firestore, database, self.clock, Random()))

    @cached_property
    def bus(self) -> Bus:
        """The responders' own topics."""
        from shared.gcp.bus import PubSubBus

        return PubSubBus(self.clients.publisher, self._settings.project)

    @cached_property
    def letters(self) -> Letters:
        """The dead letters of the responders' topics, for a person's hands."""
        from shared.gcp.letters import PubSubLetters

        return PubSubLetters(
            self.clients.subscriber, self.clients.publisher, self._settings.project
        )

    @cached_property
    def anchors(self) -> Objects | None:
        """The bucket of anchored heads; None where the settings name none."""
        if self._settings.audit_bucket is None:
            return None
        from shared.gcp.objects import BucketObjects

        return BucketObjects(self.clients.storage, self._settings.audit_bucket)

    @cached_property
    def installation(self) -> Installation:
        """What the responders are made of, for a person's eyes."""
        from shared.gcp.installation import CloudInstallation

        clients = self.clients
        return CloudInstallation(
            clients.publisher, clients.subscriber, clients.functions, self._settings.project
        )

    @property
    def project(self) -> str:
        """The operations project."""
        return self._settings.project

    @property
    def is_local(self) -> bool:
        """Whether messages are carried on this machine, where nobody is asked for proof."""
        return bool(self._settings.local_cloud or self._settings.pubsub_emulator)

    def platform(self, system: str) -> Platform:
        """The functions of a protected system. Raises: KeyError for an unknown one."""
        if system not in self._platforms:
            from shared.gcp.platform import CloudPlatform

            policy, clients = self.policies[system], self.clients
            self._platforms[system] = CloudPlatform(
                clients.functions,
                clients.services,
                clients.revisions,
                policy.project,
                policy.region,
            )
        return self._platforms[system]

    def estate(self, system: str) -> Estate:
        """What a protected system has beside its functions. Raises: KeyError."""
        if system not in self._estates:
            from shared.gcp.estate import CloudEstate

            policy = self.policies[system]
            self._estates[system] = CloudEstate(self.clients, policy.project, policy.region)
        return self._estates[system]

    def metrics(self, system: str) -> Metrics:
        """The router counts of a protected system. Raises: KeyError for an unknown one."""
        if system not in self._metrics:
            from shared.gcp.metrics import RouterMetrics

            policy = self.policies[system]
            self._metrics[system] = RouterMetrics(
                self.clients.monitoring, policy.project, policy.region
            )
        return self._metrics[system]

    def alert_states(self, system: str) -> AlertStates:
        """The alerts of a protected system. Raises: KeyError for an unknown one."""
        from shared.gcp import alerts

        return alerts.MonitoringAlerts(
            self.clients.rest(alerts.HOST), self.policies[system].project
        )

    @cached_property
    def prober(self) -> Prober:
        """A look at the declared addresses; a local cloud plays all of them."""
        from shared.clock import FollowedClock
        from shared.prober import HttpProber

        clock = self.clock
        if isinstance(clock, FollowedClock):
            return HttpProber(self._resolve, pace=clock.pace)
        return HttpProber()

    @cached_property
    def sender(self) -> Sender:
        """The channels to people; a local cloud takes what is meant for their addresses."""
        from shared.sender import ChannelSender

        return ChannelSender(self._resolve)

    @cached_property
    def _google_identity(self) -> GoogleIdentity:
        from shared.gcp.identity import GoogleIdentity

        settings = self._settings
        project = settings.identity_project or settings.project
        return GoogleIdentity(project, anonymous=settings.local_cloud is not None)

    @property
    def identity(self) -> Identity:
        """Who speaks; an embedded cloud is reached by the proxy that the environment names."""
        return self._google_identity

    @property
    def ids(self) -> Ids:
        """Random ids of 32 hexadecimal digits."""
        return _random_id

    def pool(self) -> ThreadPool:
        """A new pool of threads, for one invocation, which closes it."""
        from shared.pool import ThreadPool

        return ThreadPool(POOL_WORKERS, self.clock)

    def close(self) -> None:
        """Close the connections to Google's services."""
        if "clients" in self.__dict__:
            self.clients.close()
        if "_google_identity" in self.__dict__:
            self._google_identity.close()

    def _resolve(self, _host: str) -> str | None:
        """Who plays a host of the web: the local cloud plays all of them."""
        return played_at(self._settings)

    def _addresses(self) -> dict[str, str]:
        """Where what is local listens, by service; an emulator of one's own wins."""
        addresses: dict[str, str] = {}
        if self._settings.local_cloud is not None:
            from shared.local_cloud import addresses_of

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


def played_at(settings: Settings) -> str | None:
    """Where a local cloud plays the hosts of the web, `host:port`; None: they are themselves."""
    return urlsplit(settings.local_cloud).netloc if settings.local_cloud else None


def _random_id() -> str:
    return uuid.uuid4().hex
