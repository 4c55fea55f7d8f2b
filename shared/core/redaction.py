"""Texts without secrets, and without personal data where none is meant to be.

docs/decisions/0012-what-is-removed-from-texts.md says what is removed where. Every pattern is
bounded, so that no text takes more than linear time.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

REDACTION_MARK = "[removed]"
PERSON_FIELDS = frozenset({"actor"})
"""Fields in which a person's name or address is meant to stand."""

_WEB_TOKEN = r"eyJ[\w-]{5,}(?:\.[\w-]*){0,4}"  # noqa: S105 - its pattern
"""A JSON Web Token, cut off or not: `eyJ` is how its header's `{"` looks in base64."""
_SECRETS = tuple(
    (mark, re.compile(pattern, re.ASCII))
    for mark, pattern in (
        ("eyJ", _WEB_TOKEN),
        ("://", r"(?P<keep>://)[^/\s@]{1,256}@"),  # user and password in an address
        ("earer", r"[Bb]earer\s{1,4}[\w.~+/=-]{8,}"),
        ("AIza", r"AIza[\w-]{10,}"),  # Google: API key, tokens, client secret
        ("ya29.", r"ya29\.[\w.-]{8,}"),
        ("1//", r"\b1//[\w-]{16,}"),
        ("GOCSPX-", r"GOCSPX-[\w-]{8,}"),
        ("gh", r"gh[opsur]_\w{16,}"),
        ("github_pat_", r"github_pat_\w{16,}"),
        ("xox", r"xox[abeoprs]-[\w-]{8,}"),  # Slack
        ("hooks.slack.com/", r"hooks\.slack\.com/[\w/-]{8,}"),
        ("k_live_", r"[sr]k_live_\w{8,}"),  # Stripe
        ("k_test_", r"[sr]k_test_\w{8,}"),
        ("AKIA", r"AKIA[0-9A-Z]{12,}"),
        ("PRIVATE KEY", r"-----BEGIN[ A-Z]{0,30}PRIVATE KEY-----[\w+/=\s\\]{0,8000}"),
    )
)
"""What a secret looks like; a text without the mark is not searched any further."""
_NAMES = ("passw", "passphrase", "secret", "api", "authoriz", "token", "sig", "credential")
_NAMED = re.compile(
    r"""
    (?P<keep>
        (?: password | passwd | passphrase | secret | api[_-]?key | authorization | token
            | signature | sig(?![a-z]) | credential )
        [\w-]{0,12} \\{0,15} ["']? \s{0,4} [=:] \s{0,4} \\{0,15}+ ["']?
    )
    (?! projects/ | \[removed\] | \s )
    [^\s"'&,;]{3,4000}
    """,
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)
"""A value behind the name of a secret, as in `?api_key=` or `password: `; not the full name of a
secret in Secret Manager, which is none."""
_MAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?![\w.-]{0,200}gserviceaccount\.com)"
    r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}",
    re.ASCII,
)
"""An address of mail; those of service accounts are nobody's."""
_PHONE = re.compile(
    r"(?<![\w+])\+[1-9](?:[ ().-]{0,2}\d){7,14}(?!\d)"
    r"|(?<![\w.-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w.-])",
    re.ASCII,
)
"""International, and North American."""
_TOKEN_FIELDS = frozenset(
    {"authorization", "password", "passwd", "secret", "client_secret", "api_key", "apikey"}
    | {"private_key", "cookie"}
)


def has_web_token(text: str) -> bool:
    """Whether a web token stands anywhere in it."""
    return re.search(_WEB_TOKEN, text, re.ASCII) is not None


def redact_secrets(text: str) -> str:
    """The text without what opens a door: tokens, keys, passwords."""
    for mark, pattern in _SECRETS:
        if mark in text:
            text = pattern.sub(_replacement, text)
    if "=" not in text and ":" not in text:
        return text
    lowered = text.lower()
    return _NAMED.sub(_replacement, text) if any(name in lowered for name in _NAMES) else text


def redact_personal_data(text: str) -> str:
    """The text without secrets, and without addresses and numbers of persons."""
    clean = redact_secrets(text)
    if "@" in clean:
        clean = _MAIL.sub(REDACTION_MARK, clean)
    return _PHONE.sub(REDACTION_MARK, clean)


def redact_value(value: Any, clean: Callable[[str], str] = redact_secrets) -> Any:
    """Redact each text in our maps, lists and scalars; names of people lose only secrets."""
    match value:
        case str():
            return clean(value)
        case int() | float() | None:
            return value
        case list() | tuple():
            return [redact_value(one, clean) for one in value]
        case dict() | Mapping():  # nearly every map is a dict, which is asked for in no time
            return {name: _redact_field(name, one, clean) for name, one in value.items()}
        case _:
            return value


def _redact_field(name: str, value: Any, clean: Callable[[str], str]) -> Any:
    if is_secret_field(name) and value:
        return REDACTION_MARK
    return redact_value(value, redact_secrets if name in PERSON_FIELDS else clean)


def is_secret_field(name: str) -> bool:
    """Whether a field of that name holds a secret; a hash of one is none."""
    lowered = name.lower().replace("-", "_")
    is_named_so = "token" in lowered or lowered in _TOKEN_FIELDS
    return is_named_so and not lowered.endswith(("_sha256", "_hash"))


def _replacement(found: re.Match[str]) -> str:
    """What stands in its place; where it stood is kept."""
    kept = found.groupdict().get("keep")
    if kept is None:
        return REDACTION_MARK
    return f"{kept}{REDACTION_MARK}@" if kept == "://" else f"{kept}{REDACTION_MARK}"
