"""What a protected system has beside its functions, over Google's APIs."""

from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.firebase import auth_config, hosting, remote_config, rules, sessions
from shared.adapters.gcp.project import scheduler, secret_manager, service_accounts
from shared.adapters.gcp.pubsub import eventarc_triggers
from shared.adapters.gcp.run import images, runtimes
from shared.core.lazy import LockedCachedProperty
from shared.ports import resources


class CloudResources:
    """ProtectedResources over one project and region, each part built when it is asked for."""

    def __init__(self, clients: Clients, project: str, region: str) -> None:
        self._clients = clients
        self._project = project
        self._region = region

    @LockedCachedProperty
    def hosting(self) -> resources.Hosting:
        return hosting.FirebaseHosting(self._clients.rest(hosting.HOST))

    @LockedCachedProperty
    def remote_config(self) -> resources.RemoteConfig:
        return remote_config.FirebaseRemoteConfig(self._clients.rest(remote_config.HOST), self._project)

    @LockedCachedProperty
    def rules(self) -> resources.Rules:
        return rules.FirebaseRules(self._clients.rest(rules.HOST), self._project)

    @LockedCachedProperty
    def identity(self) -> resources.AuthSettings:
        return auth_config.IdentityPlatform(self._clients.rest(auth_config.HOST), self._project)

    @LockedCachedProperty
    def sessions(self) -> resources.Sessions:
        return sessions.FirebaseSessions(self._clients.rest(sessions.HOST), self._project)

    @LockedCachedProperty
    def indexes(self) -> resources.Indexes:
        from shared.adapters.gcp.firestore.indexes import FirestoreIndexes  # half a second of Google's

        return FirestoreIndexes(self._clients.firestore_admin, self._project)

    @LockedCachedProperty
    def secrets(self) -> resources.SecretVersions:
        return secret_manager.SecretManager(self._clients.rest(secret_manager.HOST), self._project)

    @LockedCachedProperty
    def schedules(self) -> resources.Schedules:
        return scheduler.CloudScheduler(self._clients.rest(scheduler.HOST), self._project, self._region)

    @LockedCachedProperty
    def triggers(self) -> resources.Triggers:
        return eventarc_triggers.EventarcTriggers(self._clients.rest(eventarc_triggers.HOST), self._project)

    @LockedCachedProperty
    def accounts(self) -> resources.Accounts:
        rest, iam = (self._clients.rest(service_accounts.HOST), self._clients.rest(service_accounts.IAM_HOST))
        return service_accounts.ProjectAccounts(rest, iam, self._project)

    @LockedCachedProperty
    def images(self) -> resources.Images:
        return images.ArtifactRegistry(self._clients.rest(images.HOST))

    @LockedCachedProperty
    def runtimes(self) -> resources.Runtimes:
        return runtimes.FunctionRuntimes(self._clients.rest(runtimes.HOST), self._project, self._region)
