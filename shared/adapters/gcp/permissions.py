"""The permissions of each entry point: which adapter needs them, and in which scope.

An adapter states its permissions beside its calls. Terraform grants what stands here
(`terraform/iam.tf`, `terraform/application_roles.tf`); `rollback doctor` checks the roles in
applications.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from enum import Enum
from importlib import import_module
from typing import Final

from msgspec import Struct

from shared.core.topics import CONSOLE_ENTRY_POINT
from shared.domain.policy.channels import ChannelKind
from shared.domain.policy.system_policy import Policy


class ApplicationRole(Struct, frozen=True):
    """A custom role in the project of each application that has a use for it."""

    name: str
    is_needed: Callable[[Policy], bool] = lambda policy: True


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
    scope: ApplicationRole | GrantScope

    def permissions(self) -> tuple[str, ...]:
        """Return the permissions. Imports the adapter, and Google's client with it."""
        module, _, constant = self.adapter.rpartition(".")
        found: tuple[str, ...] = getattr(import_module(f"{__package__}.{module}"), constant)
        return found


ALERTS: Final = ApplicationRole("alerts")
ASSETS: Final = ApplicationRole(
    "assets", lambda policy: bool(policy.assets.replicated or policy.assets.regenerated)
)
BACKUPS: Final = ApplicationRole(
    "backups", lambda policy: policy.backups.bucket is not None or policy.backups.native
)
CONFIGURATIONS: Final = ApplicationRole("configurations")
COPIES: Final = ApplicationRole("copies", lambda policy: policy.backups.copies is not None)
COPIES_MADE: Final = ApplicationRole("copies_made", COPIES.is_needed)
DATA: Final = ApplicationRole("data", lambda policy: bool(policy.collections))
ESTATE: Final = ApplicationRole("estate")
IMAGES: Final = ApplicationRole("images")
INVENTORY: Final = ApplicationRole("inventory")
MAIL: Final = ApplicationRole(
    "mail", lambda policy: any(one.kind is ChannelKind.TRIGGER_EMAIL for one in policy.channels)
)
MEDIA: Final = ApplicationRole("media", lambda policy: any(one.media for one in policy.collections.values()))
METRICS: Final = ApplicationRole("metrics")
PAST: Final = ApplicationRole(
    "past", lambda policy: policy.backups.copies is not None or bool(policy.collections)
)
PROOFS: Final = ApplicationRole("proofs", lambda policy: policy.backups.proof is not None)
PROOFS_SCRATCH: Final = ApplicationRole("proofs_scratch", PROOFS.is_needed)
PUSH: Final = ApplicationRole(
    "push", lambda policy: any(one.kind is ChannelKind.PUSH for one in policy.channels)
)
PUSHED_TO: Final = ApplicationRole(
    "pushed_to", lambda policy: any(one.users is not None for one in policy.channels)
)
REBUILD: Final = ApplicationRole("rebuild")
REPAIR: Final = ApplicationRole("repair", DATA.is_needed)
SHIFT: Final = ApplicationRole("shift")
SOURCES: Final = ApplicationRole("sources")
WAYS_BACK: Final = ApplicationRole("ways_back")

EVERY_RESPONDER: Final = (
    Grant("firestore.store.PERMISSIONS", GrantScope.OPERATIONS_PROJECT),
    # On the topics of `shared.core.topics.PUBLISHES` alone.
    Grant("pubsub.publisher.PERMISSIONS", GrantScope.OPERATIONS_PROJECT),
    Grant("storage.objects.READ_PERMISSIONS", GrantScope.POLICY_BUCKET),
)

GRANTS: Final[Mapping[str, tuple[Grant, ...]]] = {
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
        Grant("firestore.restores.SCRATCH_PERMISSIONS", PROOFS_SCRATCH),
        Grant("firestore.restores.PERMISSIONS", COPIES),
        Grant("firestore.restores.CLONE_PERMISSIONS", COPIES),
        Grant("firestore.documents.PERMISSIONS", COPIES),
        Grant("firestore.restores.SCRATCH_PERMISSIONS", COPIES_MADE),
        Grant("firestore.documents.PERMISSIONS", DATA),
        Grant("storage.media.PERMISSIONS", MEDIA),
        Grant("project.asset_dependencies.PERMISSIONS", ASSETS),
    ),
    "on_deployment": (
        *EVERY_RESPONDER,
        Grant("project.secret_manager.VALUES_PERMISSIONS", GrantScope.PROBE_SECRETS),
        Grant("run.platform.INVENTORY_PERMISSIONS", INVENTORY),
        Grant("run.platform.VALUES_PERMISSIONS", CONFIGURATIONS),
        Grant("run.runtimes.PERMISSIONS", CONFIGURATIONS),
        Grant("storage.vault.COPY_PERMISSIONS", SOURCES),
        Grant("run.images.PERMISSIONS", IMAGES),
        Grant("monitoring.metrics.PERMISSIONS", METRICS),
        Grant("run.platform.INVOKERS_PERMISSIONS", ESTATE),
        Grant("project.service_accounts.PERMISSIONS", ESTATE),
        Grant("firebase.hosting.PERMISSIONS", ESTATE),
        Grant("firebase.auth_config.PERMISSIONS", ESTATE),
        Grant("firestore.indexes.PERMISSIONS", ESTATE),
        Grant("firebase.remote_config.PERMISSIONS", ESTATE),
        Grant("firebase.rules.PERMISSIONS", ESTATE),
        Grant("project.scheduler.PERMISSIONS", ESTATE),
        Grant("project.secret_manager.PERMISSIONS", ESTATE),
        Grant("storage.vault.KEEPER_PERMISSIONS", GrantScope.SOURCES_BUCKET),
        Grant("storage.vault.KEEPER_PERMISSIONS", GrantScope.VALUES_BUCKET),
    ),
    "on_work": (
        *EVERY_RESPONDER,
        Grant("project.secret_manager.VALUES_PERMISSIONS", GrantScope.PROBE_SECRETS),
        # To act as the functions' accounts is granted on each of these accounts, not by the roles.
        Grant("run.platform.PERMISSIONS", SHIFT),
        Grant("run.builder.PERMISSIONS", REBUILD),
        Grant("monitoring.metrics.PERMISSIONS", METRICS),
        Grant("run.images.PERMISSIONS", IMAGES),
        Grant("monitoring.alert_states.PERMISSIONS", ALERTS),
        Grant("storage.vault.READ_PERMISSIONS", GrantScope.SOURCES_BUCKET),
        # No other entry point reads this bucket.
        Grant("storage.vault.READ_PERMISSIONS", GrantScope.VALUES_BUCKET),
        # A legal hold.
        Grant("storage.mirrors.HOLD_PERMISSIONS", GrantScope.EXPORT_BUCKETS),
        Grant("storage.mirrors.HOLD_PERMISSIONS", GrantScope.SECOND_BUCKETS),
        Grant("firebase.hosting.WRITE_PERMISSIONS", WAYS_BACK),
        Grant("firebase.auth_config.WRITE_PERMISSIONS", WAYS_BACK),
        Grant("firestore.indexes.WRITE_PERMISSIONS", WAYS_BACK),
        Grant("firebase.remote_config.WRITE_PERMISSIONS", WAYS_BACK),
        Grant("firebase.rules.WRITE_PERMISSIONS", WAYS_BACK),
        Grant("firebase.sessions.PERMISSIONS", WAYS_BACK),
        Grant("firestore.documents.PERMISSIONS", REPAIR),
        Grant("firestore.backups.PAST_PERMISSIONS", REPAIR),
        Grant("firestore.rewrites.PERMISSIONS", REPAIR),
        Grant("pubsub.eventarc_triggers.PERMISSIONS", REPAIR),
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


def application_roles(policy: Policy) -> dict[str, set[str]]:
    """Return the roles in the application of a policy, by the entry point that has them."""
    found: dict[str, set[str]] = defaultdict(set)
    for entry_point, grants in GRANTS.items():
        for one in grants:
            if isinstance(one.scope, ApplicationRole) and one.scope.is_needed(policy):
                found[entry_point].add(f"projects/{policy.project}/roles/rollback_{one.scope.name}")
    return dict(found)
