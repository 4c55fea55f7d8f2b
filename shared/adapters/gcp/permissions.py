"""The permissions of each entry point: which adapter needs them, and in which scope.

An adapter states its permissions beside its calls. Terraform grants what stands here
(`terraform/iam.tf`, `terraform/application_roles.tf`); `rollback doctor` checks the roles in
applications.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from enum import Enum
from importlib import import_module

from msgspec import Struct

from shared.core.topics import CONSOLE_ENTRY_POINT
from shared.domain.policy.channels import ChannelKind
from shared.domain.policy.system_policy import Policy


class ApplicationScope(Struct, frozen=True):
    """The project of each application that has a use for it."""

    is_needed: Callable[[Policy], bool] = lambda policy: True
    role: str | None = None
    """The custom role, where a condition narrows it; None: that of the entry point."""


class GrantScope(Enum):
    """A scope outside the projects of applications, or narrower than one of them."""

    OPERATIONS_PROJECT = "operations project"
    IDENTITY_PROJECT = "project in which operators sign in"
    AUDIT_BUCKET = "audit bucket"
    EXPORT_BUCKETS = "export buckets"
    SECOND_BUCKETS = "second export buckets"
    POLICY_BUCKET = "policy bucket"
    QUARANTINE_BUCKET = "quarantine bucket"
    SOURCES_BUCKET = "sources bucket"
    STATUS_BUCKET = "status bucket"
    VALUES_BUCKET = "values bucket"
    CHANNEL_SECRETS = "secrets that channels name"
    PROBE_SECRETS = "secrets of the probes' test accounts"
    DERIVED_TOPICS = "topics that policies declare for derived data"


class Grant(Struct, frozen=True):
    """The permissions of an adapter in a scope."""

    adapter: str
    """Module and constant, below this package."""
    scope: ApplicationScope | GrantScope

    def permissions(self) -> tuple[str, ...]:
        """Return the permissions. Imports the adapter, and Google's client with it."""
        module, _, constant = self.adapter.rpartition(".")
        found: tuple[str, ...] = getattr(import_module(f"{__package__}.{module}"), constant)
        return found


APPLICATION = ApplicationScope()
ASSETS = ApplicationScope(lambda policy: bool(policy.assets.replicated or policy.assets.regenerated))
BACKUPS = ApplicationScope(lambda policy: policy.backups.bucket is not None or policy.backups.native)
COPIES = ApplicationScope(lambda policy: policy.backups.copies is not None)
DATA = ApplicationScope(lambda policy: bool(policy.collections))
MAIL = ApplicationScope(lambda policy: any(one.kind is ChannelKind.TRIGGER_EMAIL for one in policy.channels))
MEDIA = ApplicationScope(lambda policy: any(one.media for one in policy.collections.values()), "media")
PAST = ApplicationScope(lambda policy: policy.backups.copies is not None or bool(policy.collections))
PROOFS = ApplicationScope(lambda policy: policy.backups.proof is not None)
PUSH = ApplicationScope(lambda policy: any(one.kind is ChannelKind.PUSH for one in policy.channels))
PUSHED_TO = ApplicationScope(lambda policy: any(one.users is not None for one in policy.channels))
SCRATCH = ApplicationScope(
    lambda policy: policy.backups.copies is not None or policy.backups.proof is not None, "scratch"
)
SOURCES = ApplicationScope(role="sources")

EVERY_RESPONDER = (
    Grant("firestore.store.PERMISSIONS", GrantScope.OPERATIONS_PROJECT),
    # On the topics of `shared.core.topics.PUBLISHES` alone.
    Grant("pubsub.publisher.PERMISSIONS", GrantScope.OPERATIONS_PROJECT),
    Grant("storage.objects.READ_PERMISSIONS", GrantScope.POLICY_BUCKET),
)

GRANTS: Mapping[str, tuple[Grant, ...]] = {
    "on_alert": EVERY_RESPONDER,
    "on_command": (
        *EVERY_RESPONDER,
        Grant("firebase.id_tokens.PERMISSIONS", GrantScope.IDENTITY_PROJECT),
        Grant("firestore.backups.PAST_PERMISSIONS", PAST),
    ),
    "on_override": (*EVERY_RESPONDER, Grant("firestore.backups.PAST_PERMISSIONS", PAST)),
    "on_clock": (
        *EVERY_RESPONDER,
        Grant("project.secret_manager.VALUES_PERMISSIONS", GrantScope.PROBE_SECRETS),
        Grant("storage.objects.CREATE_PERMISSIONS", GrantScope.AUDIT_BUCKET),
        Grant("firestore.exports.PERMISSIONS", BACKUPS),
        Grant("firestore.backups.PERMISSIONS", BACKUPS),
        Grant("storage.mirrors.SOURCE_PERMISSIONS", GrantScope.EXPORT_BUCKETS),
        Grant("storage.mirrors.WRITE_PERMISSIONS", GrantScope.EXPORT_BUCKETS),
        Grant("storage.mirrors.TARGET_PERMISSIONS", GrantScope.SECOND_BUCKETS),
        Grant("firestore.restores.PERMISSIONS", PROOFS),
        Grant("firestore.documents.PERMISSIONS", PROOFS),
        Grant("firestore.restores.PERMISSIONS", COPIES),
        Grant("firestore.restores.CLONE_PERMISSIONS", COPIES),
        Grant("firestore.documents.PERMISSIONS", COPIES),
        Grant("firestore.restores.SCRATCH_PERMISSIONS", SCRATCH),
        Grant("firestore.documents.PERMISSIONS", DATA),
        Grant("storage.media.PERMISSIONS", MEDIA),
        Grant("project.asset_dependencies.PERMISSIONS", ASSETS),
    ),
    "on_deployment": (
        *EVERY_RESPONDER,
        Grant("project.secret_manager.VALUES_PERMISSIONS", GrantScope.PROBE_SECRETS),
        Grant("run.platform.INVENTORY_PERMISSIONS", APPLICATION),
        Grant("run.platform.VALUES_PERMISSIONS", APPLICATION),
        Grant("storage.vault.COPY_PERMISSIONS", SOURCES),
        Grant("run.images.PERMISSIONS", APPLICATION),
        Grant("monitoring.metrics.PERMISSIONS", APPLICATION),
        Grant("run.platform.INVOKERS_PERMISSIONS", APPLICATION),
        Grant("project.service_accounts.PERMISSIONS", APPLICATION),
        Grant("firebase.hosting.PERMISSIONS", APPLICATION),
        Grant("firebase.auth_config.PERMISSIONS", APPLICATION),
        Grant("firestore.indexes.PERMISSIONS", APPLICATION),
        Grant("firebase.remote_config.PERMISSIONS", APPLICATION),
        Grant("firebase.rules.PERMISSIONS", APPLICATION),
        Grant("project.scheduler.PERMISSIONS", APPLICATION),
        Grant("project.secret_manager.PERMISSIONS", APPLICATION),
        Grant("storage.vault.KEEPER_PERMISSIONS", GrantScope.SOURCES_BUCKET),
        Grant("storage.vault.KEEPER_PERMISSIONS", GrantScope.VALUES_BUCKET),
    ),
    "on_work": (
        *EVERY_RESPONDER,
        Grant("project.secret_manager.VALUES_PERMISSIONS", GrantScope.PROBE_SECRETS),
        Grant("run.platform.PERMISSIONS", APPLICATION),
        Grant("run.builder.PERMISSIONS", APPLICATION),
        Grant("monitoring.metrics.PERMISSIONS", APPLICATION),
        Grant("run.images.PERMISSIONS", APPLICATION),
        Grant("monitoring.alert_states.PERMISSIONS", APPLICATION),
        Grant("storage.vault.READ_PERMISSIONS", GrantScope.SOURCES_BUCKET),
        # No other entry point reads this bucket.
        Grant("storage.vault.READ_PERMISSIONS", GrantScope.VALUES_BUCKET),
        # A legal hold.
        Grant("storage.mirrors.HOLD_PERMISSIONS", GrantScope.EXPORT_BUCKETS),
        Grant("storage.mirrors.HOLD_PERMISSIONS", GrantScope.SECOND_BUCKETS),
        Grant("firebase.hosting.WRITE_PERMISSIONS", APPLICATION),
        Grant("firebase.auth_config.WRITE_PERMISSIONS", APPLICATION),
        Grant("firestore.indexes.WRITE_PERMISSIONS", APPLICATION),
        Grant("firebase.remote_config.WRITE_PERMISSIONS", APPLICATION),
        Grant("firebase.rules.WRITE_PERMISSIONS", APPLICATION),
        Grant("firebase.sessions.PERMISSIONS", APPLICATION),
        Grant("firestore.documents.PERMISSIONS", DATA),
        Grant("firestore.backups.PAST_PERMISSIONS", DATA),
        Grant("firestore.rewrites.PERMISSIONS", DATA),
        Grant("pubsub.eventarc_triggers.PERMISSIONS", DATA),
        Grant("storage.vault.QUARANTINE_PERMISSIONS", GrantScope.QUARANTINE_BUCKET),
        Grant("storage.media.PERMISSIONS", MEDIA),
        Grant("pubsub.publisher.PERMISSIONS", GrantScope.DERIVED_TOPICS),
    ),
    "on_notice": (
        *EVERY_RESPONDER,
        Grant("storage.public_pages.PERMISSIONS", GrantScope.STATUS_BUCKET),
        Grant("project.secret_manager.VALUES_PERMISSIONS", GrantScope.CHANNEL_SECRETS),
        Grant("firebase.messaging.PERMISSIONS", PUSH),
        Grant("firestore.documents.PERMISSIONS", PUSHED_TO),
        Grant("firestore.rewrites.CREATE_PERMISSIONS", MAIL),
    ),
    CONSOLE_ENTRY_POINT: (
        Grant("firestore.store.READ_PERMISSIONS", GrantScope.OPERATIONS_PROJECT),
        Grant("pubsub.publisher.PERMISSIONS", GrantScope.OPERATIONS_PROJECT),
        Grant("firebase.id_tokens.PERMISSIONS", GrantScope.IDENTITY_PROJECT),
        # On its own service account alone: a token that proves who publishes.
        Grant("project.service_account_token.PERMISSIONS", GrantScope.OPERATIONS_PROJECT),
        Grant("storage.objects.READ_PERMISSIONS", GrantScope.AUDIT_BUCKET),
        Grant("storage.objects.READ_PERMISSIONS", GrantScope.POLICY_BUCKET),
    ),
}
"""By entry point of main.py."""


def application_roles(policy: Policy) -> dict[str, dict[str, set[str]]]:
    """Return the permissions in the application of a policy, by entry point and custom role."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for entry_point, grants in GRANTS.items():
        # on_override has the rights of on_command, as in terraform/iam.tf (role_names).
        own = ("on_command" if entry_point == "on_override" else entry_point).removeprefix("on_")
        for one in grants:
            if isinstance(one.scope, ApplicationScope) and one.scope.is_needed(policy):
                role = f"projects/{policy.project}/roles/rollback_{one.scope.role or own}"
                # To act as the functions' accounts is granted on each account, not by the role.
                found[entry_point][role].update({*one.permissions()} - {"iam.serviceAccounts.actAs"})
    return dict(found)
