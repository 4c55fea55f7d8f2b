"""What is really live in a protected system, whole, in the form that is compared and kept.

Values of environment variables, secrets and credentials are in none of it: names and fingerprints
are. A fingerprint of something short can be guessed by whoever reads it and tries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from shared.traffic import Traffic


class Generation(StrEnum):
    """Of a function; the 1st has no Cloud Run service, and no traffic to split."""

    FIRST = "GEN_1"
    SECOND = "GEN_2"


class SecretUse(Struct, frozen=True):
    """A version of a secret where a function finds it."""

    place: str
    """The environment variable, or the path of the file."""
    secret: str
    """Short name."""
    version: str
    """Its number, or `latest`: whatever that was when the instance started."""


class Configuration(Struct, frozen=True):
    """What code runs with."""

    account: str = ""
    """The service account that it runs as."""
    variables: tuple[str, ...] = ()
    """Names of the plain environment variables, in order."""
    variables_hash: str = ""
    """Over their names and values."""
    secrets: tuple[SecretUse, ...] = ()
    """In the order of their places."""
    min_instances: int = 0
    max_instances: int = 0
    """0: not limited by itself."""
    concurrency: int = 0
    """Requests at once of one instance; 0: the platform's default."""


class Source(Struct, frozen=True):
    """Where the source of a build lies, in Cloud Storage."""

    bucket: str
    object: str
    generation: int = 0
    """0: not said, so that the object may have been overwritten since."""


class RevisionState(Struct, frozen=True):
    """A revision that can be reached: by a share of the requests, or by a tag."""

    created_at: datetime
    image: str
    """By digest, as far as the platform says it so."""
    configuration: Configuration


class FunctionState(Struct, frozen=True):
    """One function, of either generation."""

    name: str
    generation: Generation
    runtime: str = ""
    entry_point: str = ""
    source: Source | None = None
    """Of the newest build; None: built from somewhere else."""
    configuration: Configuration = Configuration()
    """Of the newest deployment, whether it serves or not."""
    service: str = ""
    """Full name of its Cloud Run service; empty: it has none."""
    traffic: Traffic = ()
    """Verbatim."""
    revisions: dict[str, RevisionState] = {}
    """By short name, LATEST resolved."""
    latest: str = ""
    """Short name of the newest revision that is ready: where LATEST leads."""


class HostingSite(Struct, frozen=True):
    """What a site serves."""

    version: str
    """Short name of the live version; empty: nothing is released, or the site is disabled."""
    released_at: datetime | None = None
    channels: dict[str, str] = {}
    """The versions of the other channels, by channel."""


class RemoteConfigTemplate(Struct, frozen=True):
    """The published template."""

    version: str
    etag: str
    hash: str
    """Over what it says, without its version."""


class RulesRelease(Struct, frozen=True):
    """Which ruleset is in force."""

    ruleset: str
    """Short name."""
    updated_at: datetime


class IndexField(Struct, frozen=True):
    """One field of an index."""

    path: str
    mode: str
    """ASCENDING, DESCENDING, CONTAINS; or a description of something newer."""


class Index(Struct, frozen=True):
    """A composite index of a database."""

    database: str
    group: str
    """The collection group."""
    scope: str
    fields: tuple[IndexField, ...]
    state: str = "READY"

    @property
    def definition(self) -> str:
        """What it indexes, in one line: the same for an index that was dropped and made again."""
        fields = ", ".join(f"{one.path} {one.mode}" for one in self.fields)
        return f"{self.database} {self.group} {self.scope}: {fields}"


class SecretVersion(Struct, frozen=True):
    """A version of a secret, without what it holds."""

    state: str
    """ENABLED, DISABLED or DESTROYED."""
    created_at: datetime


class Schedule(Struct, frozen=True):
    """A Cloud Scheduler job."""

    schedule: str
    """In cron's form, with its time zone."""
    target: str
    """An address without its query, or a topic."""
    state: str
    hash: str
    """Over all that it was told to do."""


class WholeInventory(Struct, frozen=True):
    """Every part by its names. None: could not look; empty: nothing there, or not protected."""

    functions: dict[str, FunctionState] | None = None
    sites: dict[str, HostingSite] | None = None
    remote_config: dict[str, RemoteConfigTemplate] | None = None
    """By namespace."""
    rules: dict[str, RulesRelease] | None = None
    """By release: `cloud.firestore`, `firebase.storage/BUCKET`."""
    identity: dict[str, Any] | None = None
    """Each setting of Identity Platform by its path, `signIn.email.enabled`; no secrets."""
    indexes: dict[str, Index] | None = None
    """By definition."""
    secrets: dict[str, SecretVersion] | None = None
    """By `SECRET/VERSION`."""
    schedules: dict[str, Schedule] | None = None
    accounts: dict[str, tuple[str, ...]] | None = None
    """Roles in the project, by service account; under a condition, with it."""


def fingerprint(value: Any) -> str:
    """SHA-256 over JSON that does not depend on the order of keys."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def configured(
    variables: Mapping[str, str], secrets: Iterator[SecretUse], **rest: Any
) -> Configuration:
    """A configuration whose variables are known by value here, and nowhere after."""
    return Configuration(
        variables=tuple(sorted(variables)),
        variables_hash=fingerprint(dict(variables)) if variables else "",
        secrets=tuple(sorted(secrets, key=lambda use: use.place)),
        **rest,
    )


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Each setting of a nested configuration by its path; secrets are left out by their names.

    A change of a secret alone is therefore not seen.
    """
    return dict(_settings(config, ""))


_SECRET = frozenset(
    {
        "apiKey",
        "clientSecret",
        "password",
        "privateKey",
        "saltSeparator",
        "signerKey",
        "testPhoneNumbers",  # each with the code that signs it in
    }
)
"""Fields of Identity Platform's Config and of what it embeds that hold a secret
(https://cloud.google.com/identity-platform/docs/reference/rest/v2/Config, read 2026-11)."""


def _settings(config: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if name in _SECRET:
            continue
        if isinstance(value, Mapping) and value:
            yield from _settings(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
