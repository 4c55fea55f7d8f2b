"""What is kept and shown of a message: never a secret."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from shared.errors import Refused
from shared.json_object import read_object

LIMIT_BYTES = 10 * 1024 * 1024
REMOVED = "[removed]"
_TOKEN = r"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){1,2}"  # noqa: S105 - its pattern
"""A JSON Web Token, also one that was cut: `eyJ` is how its header's `{"` looks in base64."""
_IN_TEXT = re.compile(_TOKEN)
_IN_BYTES = re.compile(_TOKEN.encode())


def without_tokens(text: str) -> str:
    """The text without the web tokens in it."""
    return _IN_TEXT.sub(REMOVED, text)


def tokens_removed(data: bytes) -> bytes:
    """The data without the web tokens in it; JSON stays JSON."""
    return _IN_BYTES.sub(REMOVED.encode(), data)


def scrubbed(data: bytes) -> bytes:
    """The data verbatim, but for the values of token fields, however deep, and for web tokens.

    What is no JSON object has no fields; web tokens are found there too.
    """
    try:
        content = read_object(data, LIMIT_BYTES)
    except Refused:
        return tokens_removed(data)
    return msgspec.json.encode(content) if _clean(content) else data


def holds_token(content: dict[str, Any]) -> bool:
    """Whether a web token stands anywhere in it, written in whatever way JSON has."""
    return _IN_BYTES.search(msgspec.json.encode(content)) is not None


def _clean(content: dict[str, Any]) -> bool:
    """Whether there were secrets; they are gone now."""
    found = False
    parts: list[Any] = [content]
    while parts:
        part = parts.pop()
        if isinstance(part, dict | list):
            places = list(part.items()) if isinstance(part, dict) else list(enumerate(part))
            for place, value in places:
                clean = _cleaned(place, value)
                if clean is not value:
                    part[place], found = clean, True
                parts.append(clean)
        if isinstance(part, dict):
            for name in [name for name in part if without_tokens(name) != name]:
                part[without_tokens(name)], found = part.pop(name), True
    return found


def _cleaned(place: str | int, value: Any) -> Any:
    """The value itself where there is no secret in it."""
    if isinstance(place, str) and _is_token(place):
        return REMOVED
    if isinstance(value, str) and (clean := without_tokens(value)) != value:
        return clean
    return value


def _is_token(name: str) -> bool:
    return "token" in name.lower() or name.lower() == "authorization"
