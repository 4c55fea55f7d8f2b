"""How this instance is wired: read once from its environment, refused whole."""

import re
from collections.abc import Iterator, Mapping
from typing import Self
from urllib.parse import urlsplit

from shared.adapters.gcp.clients import is_loopback
from shared.core.codec import FrozenStruct
from shared.core.errors import BadConfiguration

EMULATOR_VARIABLES = (
    "FIRESTORE_EMULATOR_HOST",
    "PUBSUB_EMULATOR_HOST",
    "FIREBASE_AUTH_EMULATOR_HOST",
    "FIREBASE_DATABASE_EMULATOR_HOST",
    "STORAGE_EMULATOR_HOST",
    "CLOUD_TASKS_EMULATOR_HOST",
)
"""Variables that send Google's clients to a place without authentication. With the one for Auth,
firebase-admin accepts unsigned tokens."""

LOCAL_CLOUD_VARIABLE = "ROLLBACK_LOCAL_CLOUD"
PROXY_VARIABLES = (
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
"""Variables that lead HTTPS somewhere else, or have it trust somebody else: whoever sets them could
sign tokens with keys of their own."""

_PROJECT = re.compile(r"(?:[a-z0-9.-]{1,63}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"), "a project id"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]"), "the name of a bucket"
_ACCOUNT = re.compile(r"[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com"), "the address of a service account"
_FORMS = {
    "GOOGLE_CLOUD_PROJECT": _PROJECT,
    "ROLLBACK_IDENTITY_PROJECT": _PROJECT,
    "ROLLBACK_DATABASE": (re.compile(r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]"), "a database id"),
    "ROLLBACK_AUDIT_BUCKET": _BUCKET,
    "ROLLBACK_POLICY_BUCKET": _BUCKET,
    "ROLLBACK_QUARANTINE_BUCKET": _BUCKET,
    "ROLLBACK_SOURCES_BUCKET": _BUCKET,
    "ROLLBACK_STATUS_BUCKET": _BUCKET,
    "ROLLBACK_VALUES_BUCKET": _BUCKET,
    "ROLLBACK_CONSOLE_ACCOUNT": _ACCOUNT,
    "ROLLBACK_PUSH_ACCOUNT": _ACCOUNT,
    "ROLLBACK_PUSH_AUDIENCE": (
        re.compile(r"https://\{function\}[a-z0-9.-]+"),
        "https://{function}-NUMBER.REGION.run.app",
    ),
}
"""What a variable must look like, and what that is."""


class Settings(FrozenStruct):
    """One instance's wiring; None for what runs against Google's own services."""

    project: str
    """Where the responders run: their database and topics are here."""
    database: str = "rollback"
    policies: str = "policies"
    identity_project: str | None = None
    """Where people sign in; None: `project`."""
    audit_bucket: str | None = None
    """Where heads of audit chains are anchored; None: nowhere."""
    sources_bucket: str | None = None
    """Where our copies of the functions' sources are; None: none are made."""
    values_bucket: str | None = None
    """Where values of plain variables are, for on_work alone to read; None: none are kept."""
    quarantine_bucket: str | None = None
    """Where documents that a repair changes are, as they were before, for on_work alone; None:
    nothing is repaired."""
    policy_bucket: str | None = None
    """Where the published policies are; None: the files in the folder `policies` are in force."""
    status_bucket: str | None = None
    """Where the status pages are written; None: nowhere."""
    push_account: str | None = None
    """The service account whose token each push carries; None: no push is accepted."""
    push_audience: str | None = None
    """The audience of that token, with `{function}` for the name of the function."""
    console_account: str | None = None
    """Whose word on_command takes for an operator's, and whom the console speaks as; None: there is
    no console."""
    api_key: str | None = None
    """The web API key of the project that operators sign in to; None: the policies state it."""
    local_cloud: str | None = None
    """The control address of an embedded cloud, `http://127.0.0.1:PORT`."""
    firestore_emulator: str | None = None
    """HOST:PORT on loopback."""
    pubsub_emulator: str | None = None
    storage_emulator: str | None = None

    @classmethod
    def from_mapping(cls, environ: Mapping[str, str]) -> Self:
        """Return an environment's settings; empty is absent. Raises: BadConfiguration."""
        present = {name: value for name, value in environ.items() if value}
        if faults := tuple(_faults(present)):
            raise BadConfiguration(*faults)
        known = {field: present.get(variable_name(field)) for field in cls.__struct_fields__}
        return cls(**{field: value for field, value in known.items() if value is not None})


def variable_name(field: str) -> str:
    """Return the environment variable that sets a field."""
    if field == "project":
        return "GOOGLE_CLOUD_PROJECT"
    return f"{field.upper()}_HOST" if field.endswith("_emulator") else f"ROLLBACK_{field.upper()}"


def _faults(environ: Mapping[str, str]) -> Iterator[str]:
    if "GOOGLE_CLOUD_PROJECT" not in environ:
        yield "GOOGLE_CLOUD_PROJECT is not set"
    for name, (form, what) in _FORMS.items():
        if name in environ and not form.fullmatch(environ[name]):
            yield f"{name} {environ[name]!r} is not {what}"
    yield from _endpoint_faults(environ)


def _endpoint_faults(environ: Mapping[str, str]) -> Iterator[str]:
    local = [name for name in (LOCAL_CLOUD_VARIABLE, *EMULATOR_VARIABLES) if name in environ]
    for name in local:
        # HOST:PORT, as emulators are named; STORAGE_EMULATOR_HOST is written with http://.
        is_bare = name != LOCAL_CLOUD_VARIABLE and not environ[name].startswith("http://")
        if not _is_loopback(f"http://{environ[name]}" if is_bare else environ[name]):
            yield f"{name} {environ[name]!r} is not on loopback"
        if "K_SERVICE" in environ:
            yield f"{name} is set on Cloud Run (K_SERVICE): local wiring is refused there"
    if "K_SERVICE" in environ:
        for name in PROXY_VARIABLES:
            if name in environ:
                yield f"{name} is set on Cloud Run (K_SERVICE): it could vouch for any token"


def _is_loopback(url: str) -> bool:
    """Whether a URL is `http://HOST:PORT` on loopback with nothing but a path behind it."""
    if not url.startswith("http://"):
        return False
    try:
        parts = urlsplit(url)
        has_port = bool(parts.port)
    except ValueError:
        return False
    if not has_port or parts.username is not None or parts.query or parts.fragment:
        return False
    return is_loopback(parts.netloc)
