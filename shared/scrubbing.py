"""What is kept and shown of a message: never a secret."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.errors import Refused
from shared.json_object import read_object

LIMIT_BYTES = 10 * 1024 * 1024
REMOVED = "[removed]"


def scrubbed(data: bytes) -> bytes:
    """The data verbatim, but for the values of token fields, however deep they stand.

    What is no JSON object has no fields, and stays as it is.
    """
    try:
        content = read_object(data, LIMIT_BYTES)
    except Refused:
        return data
    return msgspec.json.encode(content) if _clean(content) else data


def _clean(content: dict[str, Any]) -> bool:
    """Whether there were token fields; their values are gone now."""
    found = False
    parts: list[Any] = [content]
    while parts:
        part = parts.pop()
        if isinstance(part, list):
            parts += part
        elif isinstance(part, dict):
            for name in part:
                if _is_token(name):
                    part[name], found = REMOVED, True
            parts += part.values()
    return found


def _is_token(name: str) -> bool:
    return "token" in name.lower() or name.lower() == "authorization"
