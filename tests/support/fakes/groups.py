"""The groups of ports, filled with fakes."""

from dataclasses import dataclass

from shared.core.store import ObjectStore
from shared.ports.backups import Backups, Exports, Mirrors, Restores
from shared.ports.documents import Documents, Rewrites
from shared.ports.identity import IdTokenSource, OperatorSignIn, TokenVerifier
from shared.ports.messaging import Bus, NoticeRenderer, Sender
from shared.ports.platform import AlertStates, Builder, Metrics, Platform, Services
from shared.ports.resources import ProtectedResources
from shared.ports.storage import AssetDependencies, Media, Pages, Vault, VersionedObjects


@dataclass(frozen=True)
class OperatorFakes:
    """The OperatorPorts of a world."""

    tokens: TokenVerifier
    console_account: str
    sign_in: OperatorSignIn
    own_token: IdTokenSource


@dataclass(frozen=True)
class NoticeFakes:
    """The NoticePorts of a world."""

    sender: Sender
    templates: NoticeRenderer
    pages: Pages | None


@dataclass(frozen=True)
class BucketFakes:
    """The BucketPorts of a world."""

    anchors: ObjectStore | None
    sources: Vault | None
    values: Vault | None
    quarantine: Vault | None
    policies: VersionedObjects | None = None


@dataclass(frozen=True)
class ProjectFakes:
    """The ProjectPorts of a world."""

    services: Services
    export_buckets: Mirrors
    media: Media
    provisions: AssetDependencies


@dataclass(frozen=True)
class SystemFakes:
    """The SystemPorts of the one system of a world."""

    bus: Bus
    platform: Platform
    builder: Builder
    resources: ProtectedResources
    metrics: Metrics
    alert_states: AlertStates
    exports: Exports
    backups: Backups
    restores: Restores
    documents: Documents
    rewrites: Rewrites
