"""JSON from strangers, read so that nothing but a stated refusal can come of it."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.errors import Refused
from shared.typed import from_json

MAX_VALUES = 300_000
"""More than any text of 256 KB holds. A value takes up to thirty times the memory of its text."""


def read_object(text: bytes, limit: int) -> dict[str, Any]:
    """The JSON object that `text` holds; of a key that stands twice, the last.

    Raises: Refused when it is empty, longer than `limit` bytes, of more than `MAX_VALUES` values,
    not UTF-8, not JSON (NaN and lone surrogates are not), nested too deeply, or not an object.
    """
    if not text:
        raise Refused("empty")
    if len(text) > limit:
        raise Refused(f"{len(text)} bytes long: at most {limit} are read")
    if sum(map(text.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise Refused(f"JSON of too many values: at most {MAX_VALUES} are read")
    try:
        value = from_json(text)
    except RecursionError as error:
        raise Refused("JSON that is nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Refused(f"JSON, but no object: {type(value).__name__}")
    return value
