"""What the product needs of what a system has beside its functions: Protocols of a verb or two.

As the other ports (`shared.ports.groups`), each verb answers within a deadline of its adapter, or
raises Unavailable (nothing is known) or Rejected (the answer is no). A verb that changes something
is sent once, without a transport's own retry; besides Rejected it raises Ambiguous (it may have
taken effect), Throttled (it has not) and Moved (look again).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from shared.core.codec import FrozenStruct, JsonObject
from shared.domain.data.events.document_triggers import EventarcTrigger
from shared.domain.data.ttl import TtlField
from shared.domain.deployments.images import Cleanup, StoredImage
from shared.domain.deployments.inventory.inventory_parts import (
    AccountState,
    Generation,
    Grants,
    HostingSite,
    Index,
    RemoteConfigTemplate,
    RulesRelease,
    RulesSource,
    SchedulerJob,
    SecretVersion,
)


class Hosting(Protocol):
    """The sites of Firebase Hosting."""

    def site(self, name: str) -> HostingSite | None:
        """What a site serves; None when there is no such site."""

    def version(self, site: str, version: str) -> str | None:
        """The status of a version, FINALIZED or why it serves no more; None when it is gone."""

    def release(self, site: str, channel: str, version: str, message: str) -> None:
        """Release a version to a channel, unconditionally. Raises: Moved (live, or not ready)."""


class RemoteConfig(Protocol):
    """The client template of Firebase Remote Config."""

    def template(self) -> RemoteConfigTemplate:
        """What is published."""

    def publish(self, content: str, etag: str, *, dry_run: bool = False) -> None:
        """Publish a template (JSON) over the one at `etag`. Raises: Moved on another etag."""


class Rules(Protocol):
    """Firebase Rules."""

    def releases(self) -> dict[str, RulesRelease]:
        """Every release of the project, by name, without what its ruleset says."""

    def ruleset(self, name: str) -> RulesSource | None:
        """What a ruleset says, which never changes; None when it is gone."""

    def create_ruleset(self, source: RulesSource) -> str:
        """The short name of a new ruleset, which is in force nowhere yet."""

    def enforce(self, release: str, ruleset: str, *, new: bool = False) -> None:
        """Let a release lead to a ruleset: nothing makes it conditional. New: make the release.

        Raises: Exists for a new release that is there; Rejected when the ruleset, or the release
        that should be there, is gone.
        """


class AuthSettings(Protocol):
    """The configuration of Identity Platform."""

    def settings(self) -> JsonObject:
        """Each setting by its path, without secrets."""

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Set these settings, and no others; None clears one. Nothing makes it conditional.

        Raises: Rejected for an unknown path, and for what holds a secret.
        """


class UserPage(FrozenStruct):
    """Some of those who sign in."""

    older: tuple[str, ...]
    """The ids of those who may have sessions of before."""
    cursor: str
    """Where the next ones begin; empty: there are no more."""


class Sessions(Protocol):
    """The sessions of those who sign in."""

    def people(self, cursor: str, since: datetime) -> UserPage:
        """The next people, and whose sessions of before that second still count."""

    def end(self, person: str, since: datetime) -> None:
        """Let no session of before that second count any more; again it changes nothing.

        Tokens that were given out already count until they expire, for an hour at most. Raises:
        Rejected when there is no such person.
        """


class Indexes(Protocol):
    """What Firestore keeps of fields: composite indexes, and by which of them documents expire."""

    def of(self, database: str) -> dict[str, Index]:
        """Those of one database, by definition."""

    def create(self, index: Index) -> str:
        """Begin to make an index; the operation's name. Raises: Exists for one that is there."""

    def expiries(self, database: str) -> list[TtlField]:
        """By what documents of one database expire, in the order of their collections' ids."""


class SecretVersions(Protocol):
    """Secret Manager, without what the secrets hold."""

    def names(self) -> list[str]:
        """The short name of every secret of the project."""

    def versions(self, secret: str) -> dict[str, SecretVersion]:
        """The versions of one secret, by number; none when it is gone."""


class Schedules(Protocol):
    """Cloud Scheduler."""

    def jobs(self) -> dict[str, SchedulerJob]:
        """Every job of the region, by short name."""


class Triggers(Protocol):
    """Eventarc."""

    def list_triggers(self) -> list[EventarcTrigger]:
        """Every trigger of the project, wherever it lies, those of functions among them.

        Raises: Unavailable also where one location alone gave no answer.
        """


class Accounts(Protocol):
    """What service accounts may do in the project."""

    def roles(self) -> Grants:
        """The roles of each service account that has any, by its address."""

    def permissions(self, role: str) -> frozenset[str]:
        """Return the permissions of a custom role, by its full name; none of a deleted one."""

    def grants(self) -> Grants:
        """Whom the project's own policy gives each role, under a condition or not."""

    def state(self, account: str) -> AccountState:
        """Whether anything can run as the account of that address."""


class Images(Protocol):
    """The container images of Artifact Registry."""

    def list_images(self, repository: str) -> dict[str, StoredImage]:
        """List images by digest and tag in `LOCATION-docker.pkg.dev/PROJECT/REPOSITORY`, if any."""

    def cleanup(self, repository: str) -> Cleanup:
        """Return how that repository is cleaned up; no policies where it is not there."""


class Runtimes(Protocol):
    """What Cloud Functions can run."""

    def list_runtimes(self) -> frozenset[tuple[Generation, str]]:
        """Every runtime of the region that is not decommissioned, by generation and name."""


class ProtectedResources(Protocol):
    """What one protected system has beside its functions, each built when it is asked for."""

    @property
    def hosting(self) -> Hosting: ...
    @property
    def remote_config(self) -> RemoteConfig: ...
    @property
    def rules(self) -> Rules: ...
    @property
    def identity(self) -> AuthSettings: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def indexes(self) -> Indexes: ...
    @property
    def secrets(self) -> SecretVersions: ...
    @property
    def schedules(self) -> Schedules: ...
    @property
    def triggers(self) -> Triggers: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def images(self) -> Images: ...
    @property
    def runtimes(self) -> Runtimes: ...
