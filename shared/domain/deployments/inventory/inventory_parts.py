"""What is live, as compared and stored: no values, no secrets, but (guessable) fingerprints."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from shared.core.codec import FrozenStruct, JsonObject
from shared.domain.deployments.inventory.traffic import Scaling, Traffic

LIVE_CHANNEL = "live"
"""The channel of Hosting that everybody sees."""
MAX_STORED_TEXT_BYTES = 128 * 1024
"""What a text may take of a record once it is compressed. A record is one document, of 1 MiB at
most; rules have 256 KB of text at most, a template a million characters."""
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


class Generation(StrEnum):
    """Of a function; the 1st has no Cloud Run service, and no traffic to split."""

    FIRST = "GEN_1"
    SECOND = "GEN_2"


class SecretUse(FrozenStruct):
    """A version of a secret where a function finds it."""

    place: str
    """The environment variable, or the path of the file."""
    secret: str
    """Short name."""
    version: str
    """Its number, or `latest`: whatever that was when the instance started."""


class SourceObject(FrozenStruct):
    """An object in Cloud Storage: where the source of a build lies, or what we keep."""

    bucket: str
    object: str
    generation: int = 0
    """0: not said, so that the object may have been overwritten since."""


class Configuration(FrozenStruct):
    """What code runs with."""

    account: str = ""
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
    values: SourceObject | None = None
    """Where the values of plain variables are kept, for `on_work` alone; of a revision: never."""


class RevisionState(FrozenStruct):
    """A revision that can be reached: by a share of the requests, or by a tag."""

    created_at: datetime
    image: str
    """By digest, as far as the platform says it so."""
    configuration: Configuration


class FunctionState(FrozenStruct):
    """One function, of either generation."""

    name: str
    generation: Generation
    runtime: str = ""
    entry_point: str = ""
    source: SourceObject | None = None
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
    definition: JsonObject = {}
    """All that it was deployed with, verbatim, as Functions v2 writes it in JSON, to be deployed
    again: without values of plain variables, where its source lies, traffic, and what the platform
    alone says."""
    build_variables: tuple[str, ...] = ()
    """Names of the plain variables of its build, in order."""
    build_variables_hash: str = ""
    copy: SourceObject | None = None
    """Our own copy of its source; None: there is none."""
    scaling: Scaling = Scaling()
    """Of its service, whichever revisions serve."""
    trigger: str = ""
    """Full name of the Eventarc trigger that brings it events; empty: none."""

    @property
    def is_retried(self) -> bool:
        """Whether events that it failed are delivered again."""
        trigger: JsonObject = self.definition.get("eventTrigger", {})
        return trigger.get("retryPolicy") == "RETRY_POLICY_RETRY"

    @property
    def codebase(self) -> str:
        """The codebase that Firebase deployed it from; "": it was deployed otherwise.

        By its labels; the default codebase has none (firebase/firebase-tools
        src/functions/constants.ts, read 2026-12).
        """
        labels: dict[str, str] = self.definition.get("labels", {})
        is_of_firebase = labels.get("deployment-tool", "").startswith("cli-firebase")
        return labels.get("firebase-functions-codebase", "default" if is_of_firebase else "")

    @property
    def has_queue(self) -> bool:
        """Whether Cloud Tasks gives it tasks, from a queue that is called as it is.

        By the label that Firebase deploys it with (firebase/firebase-tools
        src/gcp/cloudfunctionsv2.ts, read 2026-11).
        """
        labels: dict[str, str] = self.definition.get("labels", {})
        return labels.get("deployment-taskqueue") == "true"


def codebases_of(functions: Mapping[str, FunctionState]) -> dict[str, str]:
    """Return the codebase of each function, by name."""
    return {name: function.codebase for name, function in functions.items()}


def accounts_of(functions: Iterable[FunctionState]) -> set[str]:
    """The service accounts that functions and their revisions run as, by address."""
    return {
        configuration.account
        for function in functions
        for configuration in (
            function.configuration,
            *(revision.configuration for revision in function.revisions.values()),
        )
        if configuration.account
    }


class AccountState(StrEnum):
    """Whether anything can run as a service account."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    """It is given no credentials: what starts as it reaches nothing of Google's
    (https://cloud.google.com/iam/docs/service-accounts-disable-enable, read 2026-11)."""
    GONE = "GONE"


class HostingSite(FrozenStruct):
    """What a site serves."""

    version: str
    """Short name of the live version; empty: nothing is released, or the site is disabled."""
    released_at: datetime | None = None
    channels: dict[str, str] = {}
    """The versions of the other channels, by channel."""

    @property
    def served_versions(self) -> dict[str, str]:
        """The version of each channel, the live one among them."""
        return {LIVE_CHANNEL: self.version, **self.channels}


class RemoteConfigTemplate(FrozenStruct):
    """The published template."""

    version: str
    etag: str
    hash: str
    """Over what it says, without its version."""
    content: str = ""
    """What it says, as JSON, to be published again; empty: it is larger than what is kept."""


class RulesFile(FrozenStruct):
    """One file of a ruleset."""

    name: str
    content: str


RulesSource = tuple[RulesFile, ...]
Grants = dict[str, tuple[str, ...]]
"""What IAM policies give: roles or members, by account, role or function."""


class RulesRelease(FrozenStruct):
    """Which ruleset is in force."""

    ruleset: str
    updated_at: datetime
    source: RulesSource = ()
    """Our copy of what it says, to make it again; empty: there is none."""


class IndexField(FrozenStruct):
    """One field of an index."""

    path: str
    mode: str
    """ASCENDING, DESCENDING, CONTAINS; or a description of something newer."""


class Index(FrozenStruct):
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


def is_creatable(index: Index) -> bool:
    """Whether its definition is known well enough to make it again: not one of vectors."""
    return all(one.mode in ("ASCENDING", "DESCENDING", "CONTAINS") for one in index.fields)


class SecretVersion(FrozenStruct):
    """A version of a secret, without what it holds."""

    state: str
    """ENABLED, DISABLED or DESTROYED."""
    created_at: datetime


class SchedulerJob(FrozenStruct):
    """A Cloud Scheduler job."""

    schedule: str
    """In cron's form, with its time zone."""
    target: str
    """An address without its query, or a topic."""
    state: str
    hash: str
    """Over all that it was told to do."""


class WholeInventory(FrozenStruct):
    """Every part by its names. None: could not look; empty: nothing there, or not protected."""

    functions: dict[str, FunctionState] | None = None
    sites: dict[str, HostingSite] | None = None
    remote_config: dict[str, RemoteConfigTemplate] | None = None
    """By namespace."""
    rules: dict[str, RulesRelease] | None = None
    """By release: `cloud.firestore`, `firebase.storage/BUCKET`."""
    identity: JsonObject | None = None
    """Each setting of Identity Platform by its path, `signIn.email.enabled`; no secrets."""
    indexes: dict[str, Index] | None = None
    """By definition."""
    secrets: dict[str, SecretVersion] | None = None
    """By `SECRET/VERSION`."""
    schedules: dict[str, SchedulerJob] | None = None
    accounts: Grants | None = None
    """Roles in the project, by service account; under a condition, with it."""
    invokers: Grants | None = None
    """Who holds which role on a function's service, `allUsers roles/run.invoker`, by function."""

    @property
    def function_states(self) -> dict[str, FunctionState]:
        """The functions by name; empty, too, where `functions` says that they were not read."""
        return self.functions or {}


def stored_text(text: str) -> str:
    """The text, where a record has the room for it; else empty."""
    return text if len(zlib.compress(text.encode())) <= MAX_STORED_TEXT_BYTES else ""


def json_fingerprint(value: Any) -> str:
    """SHA-256 over JSON that does not depend on the order of keys."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def values_hash(variables: Mapping[str, str]) -> str:
    """Over names and values of plain variables; empty: there are none."""
    return json_fingerprint(dict(variables)) if variables else ""


def build_configuration(
    variables: Mapping[str, str], secrets: Iterator[SecretUse], **rest: Any
) -> Configuration:
    """A configuration whose variables are known by value here, and nowhere after."""
    return Configuration(
        variables=tuple(sorted(variables)),
        variables_hash=values_hash(variables),
        secrets=tuple(sorted(secrets, key=lambda use: use.place)),
        **rest,
    )


def flatten_settings(config: Mapping[str, Any], prefix: str = "") -> JsonObject:
    """Return each setting by its path; secrets are left out, so their change is not seen."""
    found: JsonObject = {}
    for name, value in config.items():
        if isinstance(value, Mapping) and value and name not in _SECRET:
            found |= flatten_settings(value, f"{prefix}{name}.")
        elif name not in _SECRET:
            found[f"{prefix}{name}"] = value
    return found


def is_secret_path(path: str) -> bool:
    """Whether a setting's path leads to, or through, what holds a secret."""
    return not _SECRET.isdisjoint(path.split("."))
