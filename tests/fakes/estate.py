"""Everything that a system has beside its functions, in memory."""

from __future__ import annotations

from typing import Any

from shared.inventory import (
    HostingSite,
    Index,
    RemoteConfigTemplate,
    RulesRelease,
    Schedule,
    SecretVersion,
)
from tests.fakes.hooks import Hook, around, no_hook

EMPTY_TEMPLATE = RemoteConfigTemplate("0", "etag-0", "")


class FakeEstate:
    """An Estate that is what a test sets it to; at the beginning there is nothing in it.

    It is each of its own parts. Verbs for the hook: hosting.site, remote_config.template,
    rules.releases, identity.settings, indexes.of, secrets.names, secrets.versions,
    schedules.jobs, accounts.roles.
    """

    def __init__(self, hook: Hook = no_hook) -> None:
        self.hook = hook
        self.sites: dict[str, HostingSite] = {}
        self.published = EMPTY_TEMPLATE
        self.released: dict[str, RulesRelease] = {}
        self.configured: dict[str, Any] = {}
        self.declared: list[Index] = []
        self.kept: dict[str, dict[str, SecretVersion]] = {}
        self.scheduled: dict[str, Schedule] = {}
        self.granted: dict[str, tuple[str, ...]] = {}
        self.hosting = self.remote_config = self.rules = self.identity = self
        self.indexes = self.secrets = self.schedules = self.accounts = self

    def site(self, name: str) -> HostingSite | None:
        """What a site serves; None when there is no such site."""
        with around(self.hook, "hosting.site"):
            return self.sites.get(name)

    def template(self) -> RemoteConfigTemplate:
        """What is published."""
        with around(self.hook, "remote_config.template"):
            return self.published

    def releases(self) -> dict[str, RulesRelease]:
        """Every release, by name."""
        with around(self.hook, "rules.releases"):
            return dict(self.released)

    def settings(self) -> dict[str, Any]:
        """Each setting by its path."""
        with around(self.hook, "identity.settings"):
            return dict(self.configured)

    def of(self, database: str) -> dict[str, Index]:
        """The indexes of one database, by definition."""
        with around(self.hook, "indexes.of"):
            return {one.definition: one for one in self.declared if one.database == database}

    def names(self) -> list[str]:
        """The name of every secret."""
        with around(self.hook, "secrets.names"):
            return sorted(self.kept)

    def versions(self, secret: str) -> dict[str, SecretVersion]:
        """The versions of one secret, by number; none when it is gone."""
        with around(self.hook, "secrets.versions"):
            return dict(self.kept.get(secret, {}))

    def jobs(self) -> dict[str, Schedule]:
        """Every job, by name."""
        with around(self.hook, "schedules.jobs"):
            return dict(self.scheduled)

    def roles(self) -> dict[str, tuple[str, ...]]:
        """The roles of each service account, by its address."""
        with around(self.hook, "accounts.roles"):
            return dict(self.granted)
