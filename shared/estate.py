"""What the product needs of what a system has beside its functions: Protocols of a verb or two.

As the other ports (`shared.ports`), each verb answers within a deadline of its adapter, or raises
Unavailable (nothing is known) or Rejected (the answer is no).
"""

from __future__ import annotations

from typing import Any, Protocol

from shared.inventory import (
    HostingSite,
    Index,
    RemoteConfigTemplate,
    RulesRelease,
    Schedule,
    SecretVersion,
)


class Hosting(Protocol):
    """The sites of Firebase Hosting."""

    def site(self, name: str) -> HostingSite | None:
        """What a site serves; None when there is no such site."""
        ...


class RemoteConfig(Protocol):
    """The client template of Firebase Remote Config."""

    def template(self) -> RemoteConfigTemplate:
        """What is published."""
        ...


class Rules(Protocol):
    """Firebase Rules."""

    def releases(self) -> dict[str, RulesRelease]:
        """Every release of the project, by name."""
        ...


class Identity(Protocol):
    """The configuration of Identity Platform."""

    def settings(self) -> dict[str, Any]:
        """Each setting by its path, without secrets."""
        ...


class Indexes(Protocol):
    """Composite indexes of Firestore."""

    def of(self, database: str) -> dict[str, Index]:
        """Those of one database, by definition."""
        ...


class Secrets(Protocol):
    """Secret Manager, without what the secrets hold."""

    def names(self) -> list[str]:
        """The short name of every secret of the project."""
        ...

    def versions(self, secret: str) -> dict[str, SecretVersion]:
        """The versions of one secret, by number; none when it is gone."""
        ...


class Schedules(Protocol):
    """Cloud Scheduler."""

    def jobs(self) -> dict[str, Schedule]:
        """Every job of the region, by short name."""
        ...


class Accounts(Protocol):
    """What service accounts may do in the project."""

    def roles(self) -> dict[str, tuple[str, ...]]:
        """The roles of each service account that has any, by its address."""
        ...


class Estate(Protocol):
    """What one protected system has beside its functions, each built when it is asked for."""

    @property
    def hosting(self) -> Hosting:
        """Its sites."""
        ...

    @property
    def remote_config(self) -> RemoteConfig:
        """Its client configuration."""
        ...

    @property
    def rules(self) -> Rules:
        """Its security rules."""
        ...

    @property
    def identity(self) -> Identity:
        """How people sign in to it."""
        ...

    @property
    def indexes(self) -> Indexes:
        """Its indexes."""
        ...

    @property
    def secrets(self) -> Secrets:
        """Its secrets."""
        ...

    @property
    def schedules(self) -> Schedules:
        """Its jobs."""
        ...

    @property
    def accounts(self) -> Accounts:
        """Its service accounts."""
        ...
