"""What a protected system has beside its functions, over Google's APIs."""

from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.firebase import auth_config, hosting, remote_config, rules, sessions
from shared.adapters.gcp.project import scheduler, secret_manager, service_accounts
from shared.adapters.gcp.pubsub import eventarc_triggers
from shared.adapters.gcp.run import images, runtimes
from shared.core.lazy import LockedCachedProperty
from shared.ports import resources


class CloudResources:
    """ProtectedResources over one project and region."""

    def __init__(self, clients: Clients, project: str, region: str) -> None:
        rest = clients.rest
        self._clients = clients
        self._project = project
        self.hosting = hosting.FirebaseHosting(rest(hosting.HOST))
        self.remote_config = remote_config.FirebaseRemoteConfig(rest(remote_config.HOST), project)
        self.rules = rules.FirebaseRules(rest(rules.HOST), project)
        self.identity = auth_config.IdentityPlatform(rest(auth_config.HOST), project)
        self.sessions = sessions.FirebaseSessions(rest(sessions.HOST), project)
        self.secrets = secret_manager.SecretManager(rest(secret_manager.HOST), project)
        self.schedules = scheduler.CloudScheduler(rest(scheduler.HOST), project, region)
        self.triggers = eventarc_triggers.EventarcTriggers(rest(eventarc_triggers.HOST), project)
        self.accounts = service_accounts.ProjectAccounts(
            rest(service_accounts.HOST), rest(service_accounts.IAM_HOST), project
        )
        self.images = images.ArtifactRegistry(rest(images.HOST))
        self.runtimes = runtimes.FunctionRuntimes(rest(runtimes.HOST), project, region)

    @LockedCachedProperty
    def indexes(self) -> resources.Indexes:
        from shared.adapters.gcp.firestore.indexes import FirestoreIndexes  # half a second of Google's

        return FirestoreIndexes(self._clients.firestore_admin, self._project)
