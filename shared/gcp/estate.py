"""What a protected system has beside its functions, over Google's APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.core.lazy import Once

if TYPE_CHECKING:
    from shared.gcp.accounts import ProjectAccounts
    from shared.gcp.channels import Clients
    from shared.gcp.hosting import FirebaseHosting
    from shared.gcp.identity_config import IdentityPlatform
    from shared.gcp.images import ArtifactRegistry
    from shared.gcp.indexes import FirestoreIndexes
    from shared.gcp.remote_config import FirebaseRemoteConfig
    from shared.gcp.rules import FirebaseRules
    from shared.gcp.runtimes import FunctionRuntimes
    from shared.gcp.schedules import CloudScheduler
    from shared.gcp.secrets import SecretManager
    from shared.gcp.sessions import FirebaseSessions
    from shared.gcp.triggers import EventarcTriggers


class CloudEstate:
    """An Estate over one project and region, each part imported when it is asked for."""

    def __init__(self, clients: Clients, project: str, region: str) -> None:
        self._clients = clients
        self._project = project
        self._region = region

    @Once
    def hosting(self) -> FirebaseHosting:
        """Its sites."""
        from shared.gcp import hosting

        return hosting.FirebaseHosting(self._clients.rest(hosting.HOST))

    @Once
    def remote_config(self) -> FirebaseRemoteConfig:
        """Its client configuration."""
        from shared.gcp import remote_config

        rest = self._clients.rest(remote_config.HOST)
        return remote_config.FirebaseRemoteConfig(rest, self._project)

    @Once
    def rules(self) -> FirebaseRules:
        """Its security rules."""
        from shared.gcp import rules

        return rules.FirebaseRules(self._clients.rest(rules.HOST), self._project)

    @Once
    def identity(self) -> IdentityPlatform:
        """How people sign in to it."""
        from shared.gcp import identity_config

        rest = self._clients.rest(identity_config.HOST)
        return identity_config.IdentityPlatform(rest, self._project)

    @Once
    def sessions(self) -> FirebaseSessions:
        """Of those who sign in to it."""
        from shared.gcp import sessions

        return sessions.FirebaseSessions(self._clients.rest(sessions.HOST), self._project)

    @Once
    def indexes(self) -> FirestoreIndexes:
        """Its indexes."""
        from shared.gcp.indexes import FirestoreIndexes

        return FirestoreIndexes(self._clients.firestore_admin, self._project)

    @Once
    def secrets(self) -> SecretManager:
        """Its secrets."""
        from shared.gcp import secrets

        return secrets.SecretManager(self._clients.rest(secrets.HOST), self._project)

    @Once
    def schedules(self) -> CloudScheduler:
        """Its jobs."""
        from shared.gcp import schedules

        rest = self._clients.rest(schedules.HOST)
        return schedules.CloudScheduler(rest, self._project, self._region)

    @Once
    def triggers(self) -> EventarcTriggers:
        """What brings it events."""
        from shared.gcp import triggers

        return triggers.EventarcTriggers(self._clients.rest(triggers.HOST), self._project)

    @Once
    def accounts(self) -> ProjectAccounts:
        """Its service accounts."""
        from shared.gcp import accounts

        rest, iam = self._clients.rest(accounts.HOST), self._clients.rest(accounts.IAM_HOST)
        return accounts.ProjectAccounts(rest, iam, self._project)

    @Once
    def images(self) -> ArtifactRegistry:
        """What its functions' revisions start from."""
        from shared.gcp import images

        return images.ArtifactRegistry(self._clients.rest(images.HOST))

    @Once
    def runtimes(self) -> FunctionRuntimes:
        """What its functions may be written for."""
        from shared.gcp import runtimes

        rest = self._clients.rest(runtimes.HOST)
        return runtimes.FunctionRuntimes(rest, self._project, self._region)
