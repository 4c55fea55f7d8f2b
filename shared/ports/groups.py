"""All ports of the product, grouped by what they are for.

Real adapters are in shared/adapters; the fakes of the tests pass the same contract suites. Every
call answers within a deadline of its adapter, or raises Unavailable (nothing is known), Rejected
(the answer is no) or Moved (a precondition failed). Each port is built when it is first used.
"""

from typing import Protocol

from shared.core.runtime import Clock, Ids, Pool
from shared.core.store import ObjectStore, Store
from shared.domain.policy.system_policy import Policies
from shared.ports.backups import Backups, Exports, Mirrors, Restores
from shared.ports.documents import Documents, Rewrites
from shared.ports.identity import IdTokenSource, OperatorSignIn, TokenVerifier
from shared.ports.messaging import Bus, NoticeRenderer, Sender
from shared.ports.platform import AlertStates, Builder, Metrics, Platform, Prober, Services
from shared.ports.resources import ProtectedResources
from shared.ports.storage import AssetDependencies, Media, Pages, Vault, VersionedObjects


class OperatorPorts(Protocol):
    """How operators sign in, and how the console speaks for them."""

    @property
    def tokens(self) -> TokenVerifier: ...
    @property
    def console_account(self) -> str:
        """The service account that publishes for operators; "": none does."""

    @property
    def sign_in(self) -> OperatorSignIn: ...
    @property
    def own_token(self) -> IdTokenSource: ...


class NoticePorts(Protocol):
    """How people are notified."""

    @property
    def sender(self) -> Sender: ...
    @property
    def templates(self) -> NoticeRenderer: ...
    @property
    def pages(self) -> Pages | None:
        """The bucket of the status pages; None: there is none."""


class BucketPorts(Protocol):
    """The buckets of the operations project; each is None where the settings name none."""

    @property
    def anchors(self) -> ObjectStore | None:
        """Anchored heads of audit chains."""

    @property
    def sources(self) -> Vault | None:
        """Copies of the source of functions."""

    @property
    def values(self) -> Vault | None:
        """Values of plain variables of functions; on_work alone may read them."""

    @property
    def quarantine(self) -> Vault | None:
        """Documents as they were before a repair changed them."""

    @property
    def policies(self) -> VersionedObjects | None:
        """The published policies; responders only read them."""


class ProjectPorts(Protocol):
    """Resources in any project that the account may use, of systems without a policy too."""

    @property
    def services(self) -> Services: ...
    @property
    def export_buckets(self) -> Mirrors:
        """The buckets that exports are in."""

    @property
    def media(self) -> Media: ...
    @property
    def provisions(self) -> AssetDependencies: ...


class SystemPorts(Protocol):
    """What reaches into the project of one protected system."""

    @property
    def bus(self) -> Bus:
        """The application's own topics that its policy declares."""

    @property
    def platform(self) -> Platform: ...
    @property
    def builder(self) -> Builder: ...
    @property
    def resources(self) -> ProtectedResources: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def alert_states(self) -> AlertStates: ...
    @property
    def exports(self) -> Exports: ...
    @property
    def backups(self) -> Backups: ...
    @property
    def restores(self) -> Restores: ...
    @property
    def documents(self) -> Documents: ...
    @property
    def rewrites(self) -> Rewrites: ...


class Ports(Protocol):
    """The ports of one process."""

    @property
    def store(self) -> Store:
        """The state of the rollback system."""

    @property
    def bus(self) -> Bus:
        """The topics of the rollback system."""

    @property
    def clock(self) -> Clock: ...
    @property
    def ids(self) -> Ids: ...
    @property
    def prober(self) -> Prober: ...
    @property
    def policies(self) -> Policies:
        """The policies in the functions' archive, by system."""

    @property
    def operators(self) -> OperatorPorts: ...
    @property
    def notices(self) -> NoticePorts: ...
    @property
    def buckets(self) -> BucketPorts: ...
    @property
    def projects(self) -> ProjectPorts: ...

    def system(self, name: str) -> SystemPorts:
        """Return the ports of one protected system. Raises: KeyError for an unknown one."""

    def pool(self) -> Pool:
        """Return a new pool for one invocation; the caller closes it."""
