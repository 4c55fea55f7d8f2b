"""The permissions of each entry point: which adapter needs them, and in which scope.

An adapter states its permissions beside its calls. Terraform grants what stands here
(`terraform/iam.tf`, `terraform/application_roles.tf`); `rollback doctor` checks the roles in
applications.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from enum import Enum
from importlib import import_module

from shared.core.codec import FrozenStruct
from shared.core.topics import CONSOLE_ENTRY_POINT
from shared.domain.policy.channels import ChannelKind
from shared.domain.policy.system_policy import Policy


class ApplicationScope(FrozenStruct):
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


class Grant(FrozenStruct):
    """The permissions of an adapter in a scope."""

    adapter: str
    """Module and constant, below this package."""
    scope: ApplicationScope | GrantScope

    def permissions(self) -> tuple[str, ...]:
        """Return the permissions. Imports the adapter, and Google's client with it."""
        module, _, constant = self.adapter.rpartition(".")
        found: tuple[str, ...] = getattr(import_module(f"{__package__}.{module}"), constant)
        return found


def _grants(scope: ApplicationScope | GrantScope, *adapters: str) -> tuple[Grant, ...]:
    """Return the grants of these adapters' permissions in one scope."""
    return tuple(Grant(adapter, scope) for adapter in adapters)


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
    *_grants(
        GrantScope.OPERATIONS_PROJECT,
        "firestore.store.PERMISSIONS",
        # On the topics of `shared.core.topics.PUBLISHES` alone.
        "pubsub.publisher.PERMISSIONS",
    ),
    *_grants(GrantScope.POLICY_BUCKET, "storage.objects.READ_PERMISSIONS"),
)

GRANTS: Mapping[str, tuple[Grant, ...]] = {
    "on_alert": EVERY_RESPONDER,
    "on_command": (
        *EVERY_RESPONDER,
        *_grants(GrantScope.IDENTITY_PROJECT, "firebase.id_tokens.PERMISSIONS"),
        *_grants(PAST, "firestore.backups.PAST_PERMISSIONS"),
    ),
    "on_override": (*EVERY_RESPONDER, *_grants(PAST, "firestore.backups.PAST_PERMISSIONS")),
    "on_clock": (
        *EVERY_RESPONDER,
        *_grants(GrantScope.PROBE_SECRETS, "project.secret_manager.VALUES_PERMISSIONS"),
        *_grants(GrantScope.AUDIT_BUCKET, "storage.objects.CREATE_PERMISSIONS"),
        *_grants(BACKUPS, "firestore.exports.PERMISSIONS", "firestore.backups.PERMISSIONS"),
        *_grants(
            GrantScope.EXPORT_BUCKETS,
            "storage.mirrors.SOURCE_PERMISSIONS",
            "storage.mirrors.WRITE_PERMISSIONS",
        ),
        *_grants(GrantScope.SECOND_BUCKETS, "storage.mirrors.TARGET_PERMISSIONS"),
        *_grants(PROOFS, "firestore.restores.PERMISSIONS", "firestore.documents.PERMISSIONS"),
        *_grants(
            COPIES,
            "firestore.restores.PERMISSIONS",
            "firestore.restores.CLONE_PERMISSIONS",
            "firestore.documents.PERMISSIONS",
        ),
        *_grants(SCRATCH, "firestore.restores.SCRATCH_PERMISSIONS"),
        *_grants(DATA, "firestore.documents.PERMISSIONS"),
        *_grants(MEDIA, "storage.media.PERMISSIONS"),
        *_grants(ASSETS, "project.asset_dependencies.PERMISSIONS"),
    ),
    "on_deployment": (
        *EVERY_RESPONDER,
        *_grants(GrantScope.PROBE_SECRETS, "project.secret_manager.VALUES_PERMISSIONS"),
        *_grants(
            APPLICATION,
            "run.platform.INVENTORY_PERMISSIONS",
            "run.platform.VALUES_PERMISSIONS",
            "run.images.PERMISSIONS",
            "monitoring.metrics.PERMISSIONS",
            "run.platform.INVOKERS_PERMISSIONS",
            "project.service_accounts.PERMISSIONS",
            "firebase.hosting.PERMISSIONS",
            "firebase.auth_config.PERMISSIONS",
            "firestore.indexes.PERMISSIONS",
            "firebase.remote_config.PERMISSIONS",
            "firebase.rules.PERMISSIONS",
            "project.scheduler.PERMISSIONS",
            "project.secret_manager.PERMISSIONS",
        ),
        *_grants(SOURCES, "storage.vault.COPY_PERMISSIONS"),
        *_grants(GrantScope.SOURCES_BUCKET, "storage.vault.KEEPER_PERMISSIONS"),
        *_grants(GrantScope.VALUES_BUCKET, "storage.vault.KEEPER_PERMISSIONS"),
    ),
    "on_work": (
        *EVERY_RESPONDER,
        *_grants(GrantScope.PROBE_SECRETS, "project.secret_manager.VALUES_PERMISSIONS"),
        *_grants(
            APPLICATION,
            "run.platform.PERMISSIONS",
            "run.builder.PERMISSIONS",
            "monitoring.metrics.PERMISSIONS",
            "run.images.PERMISSIONS",
            "monitoring.alert_states.PERMISSIONS",
            "firebase.hosting.WRITE_PERMISSIONS",
            "firebase.auth_config.WRITE_PERMISSIONS",
            "firestore.indexes.WRITE_PERMISSIONS",
            "firebase.remote_config.WRITE_PERMISSIONS",
            "firebase.rules.WRITE_PERMISSIONS",
            "firebase.sessions.PERMISSIONS",
        ),
        *_grants(GrantScope.SOURCES_BUCKET, "storage.vault.READ_PERMISSIONS"),
        # No other entry point reads this bucket.
        *_grants(GrantScope.VALUES_BUCKET, "storage.vault.READ_PERMISSIONS"),
        # A legal hold.
        *_grants(GrantScope.EXPORT_BUCKETS, "storage.mirrors.HOLD_PERMISSIONS"),
        *_grants(GrantScope.SECOND_BUCKETS, "storage.mirrors.HOLD_PERMISSIONS"),
        *_grants(
            DATA,
            "firestore.documents.PERMISSIONS",
            "firestore.backups.PAST_PERMISSIONS",
            "firestore.rewrites.PERMISSIONS",
            "pubsub.eventarc_triggers.PERMISSIONS",
        ),
        *_grants(GrantScope.QUARANTINE_BUCKET, "storage.vault.QUARANTINE_PERMISSIONS"),
        *_grants(MEDIA, "storage.media.PERMISSIONS"),
        *_grants(GrantScope.DERIVED_TOPICS, "pubsub.publisher.PERMISSIONS"),
    ),
    "on_notice": (
        *EVERY_RESPONDER,
        *_grants(GrantScope.STATUS_BUCKET, "storage.public_pages.PERMISSIONS"),
        *_grants(GrantScope.CHANNEL_SECRETS, "project.secret_manager.VALUES_PERMISSIONS"),
        *_grants(PUSH, "firebase.messaging.PERMISSIONS"),
        *_grants(PUSHED_TO, "firestore.documents.PERMISSIONS"),
        *_grants(MAIL, "firestore.rewrites.CREATE_PERMISSIONS"),
    ),
    CONSOLE_ENTRY_POINT: (
        *_grants(
            GrantScope.OPERATIONS_PROJECT,
            "firestore.store.READ_PERMISSIONS",
            "pubsub.publisher.PERMISSIONS",
            # On its own service account alone: a token that proves who publishes.
            "project.service_account_token.PERMISSIONS",
        ),
        *_grants(GrantScope.IDENTITY_PROJECT, "firebase.id_tokens.PERMISSIONS"),
        *_grants(GrantScope.AUDIT_BUCKET, "storage.objects.READ_PERMISSIONS"),
        *_grants(GrantScope.POLICY_BUCKET, "storage.objects.READ_PERMISSIONS"),
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
