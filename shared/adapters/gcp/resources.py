"""What a protected system has beside its functions, over Google's APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.core.lazy import LockedCachedProperty

if TYPE_CHECKING:
    from shared.adapters.gcp.clients import Clients
    from shared.adapters.gcp.firebase.auth_config import IdentityPlatform
    from shared.adapters.gcp.firebase.hosting import FirebaseHosting
    from shared.adapters.gcp.firebase.remote_config import FirebaseRemoteConfig
    from shared.adapters.gcp.firebase.rules import FirebaseRules
    from shared.adapters.gcp.firebase.sessions import FirebaseSessions
    from shared.adapters.gcp.firestore.indexes import FirestoreIndexes
    from shared.adapters.gcp.project.scheduler_jobs import CloudScheduler
    from shared.adapters.gcp.project.secret_versions import SecretManager
    from shared.adapters.gcp.project.service_accounts import ProjectAccounts
    from shared.adapters.gcp.pubsub.eventarc_triggers import EventarcTriggers
    from shared.adapters.gcp.run.images import ArtifactRegistry
    from shared.adapters.gcp.run.runtimes import FunctionRuntimes


class CloudResources:
    """ProtectedResources over one project and region, each part imported when it is asked for."""

    def __init__(self, clients: Clients, project: str, region: str) -> None:
        self._clients = clients
        self._project = project
        self._region = region

    @LockedCachedProperty
    def hosting(self) -> FirebaseHosting:
        from shared.adapters.gcp.firebase import hosting

        return hosting.FirebaseHosting(self._clients.rest(hosting.HOST))

    @LockedCachedProperty
    def remote_config(self) -> FirebaseRemoteConfig:
        from shared.adapters.gcp.firebase import remote_config

        rest = self._clients.rest(remote_config.HOST)
        return remote_config.FirebaseRemoteConfig(rest, self._project)

    @LockedCachedProperty
    def rules(self) -> FirebaseRules:
        from shared.adapters.gcp.firebase import rules

        return rules.FirebaseRules(self._clients.rest(rules.HOST), self._project)

    @LockedCachedProperty
    def identity(self) -> IdentityPlatform:
        from shared.adapters.gcp.firebase import auth_config

        rest = self._clients.rest(auth_config.HOST)
        return auth_config.IdentityPlatform(rest, self._project)

    @LockedCachedProperty
    def sessions(self) -> FirebaseSessions:
        from shared.adapters.gcp.firebase import sessions

        return sessions.FirebaseSessions(self._clients.rest(sessions.HOST), self._project)

    @LockedCachedProperty
    def indexes(self) -> FirestoreIndexes:
        from shared.adapters.gcp.firestore.indexes import FirestoreIndexes

        return FirestoreIndexes(self._clients.firestore_admin, self._project)

    @LockedCachedProperty
    def secrets(self) -> SecretManager:
        from shared.adapters.gcp.project import secret_versions

        return secret_versions.SecretManager(self._clients.rest(secret_versions.HOST), self._project)

    @LockedCachedProperty
    def schedules(self) -> CloudScheduler:
        from shared.adapters.gcp.project import scheduler_jobs

        rest = self._clients.rest(scheduler_jobs.HOST)
        return scheduler_jobs.CloudScheduler(rest, self._project, self._region)

    @LockedCachedProperty
    def triggers(self) -> EventarcTriggers:
        from shared.adapters.gcp.pubsub import eventarc_triggers

        return eventarc_triggers.EventarcTriggers(self._clients.rest(eventarc_triggers.HOST), self._project)

    @LockedCachedProperty
    def accounts(self) -> ProjectAccounts:
        from shared.adapters.gcp.project import service_accounts

        rest, iam = (self._clients.rest(service_accounts.HOST), self._clients.rest(service_accounts.IAM_HOST))
        return service_accounts.ProjectAccounts(rest, iam, self._project)

    @LockedCachedProperty
    def images(self) -> ArtifactRegistry:
        from shared.adapters.gcp.run import images

        return images.ArtifactRegistry(self._clients.rest(images.HOST))

    @LockedCachedProperty
    def runtimes(self) -> FunctionRuntimes:
        from shared.adapters.gcp.run import runtimes

        rest = self._clients.rest(runtimes.HOST)
        return runtimes.FunctionRuntimes(rest, self._project, self._region)
