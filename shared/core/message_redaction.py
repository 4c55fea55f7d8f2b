"""What is kept and shown of a message: never a secret."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import msgspec

from shared.core.codec import read_object
from shared.core.errors import Refused
from shared.core.redaction import REMOVED, is_secret, without_secrets

LIMIT_BYTES = 10 * 1024 * 1024

_HIDING = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}", re.ASCII)


def scrubbed(data: bytes) -> bytes:
    """The data verbatim, but for secrets, however deep they stand, in base64 too.

    In what is no JSON object there are no fields whose name gives them away.
    """
    try:
        content = read_object(data, LIMIT_BYTES)
    except Refused:
        text = data.decode("latin-1")  # any bytes, one sign each
        clean = without_secrets(text)
        return data if clean == text else clean.encode("latin-1")
    return msgspec.json.encode(content) if _clean(content) else data


def _clean(content: dict[str, Any]) -> bool:
    """Whether there were secrets; they are gone now."""
    found = False
    parts: list[Any] = [content]
    while parts:
        part = parts.pop()
        places = list(part.items() if isinstance(part, dict) else enumerate(part))
        for place, value in places:
            after = REMOVED if isinstance(place, str) and is_secret(place) else _text(value)
            if after is not value:
                part[place], found = after, True
            elif isinstance(value, dict | list):
                parts.append(value)
            if isinstance(place, str) and (name := without_secrets(place)) != place:
                part[name], found = part.pop(place), True
    return found


def _text(value: Any) -> Any:
    """The value itself, unless it is a text with secrets."""
    if not isinstance(value, str):
        return value
    clean = without_secrets(value)
    if clean != value:
        return clean
    return REMOVED if _hides(value) else value


def _hides(text: str) -> bool:
    """Whether it is base64 of something with secrets."""
    if not _HIDING.fullmatch(text):
        return False
    try:
        inside = base64.b64decode(text.translate({45: 43, 95: 47}), validate=True)
    except binascii.Error:
        return False
    return scrubbed(inside) is not inside
