"""What is kept and shown of a message: never a secret."""

import base64
import binascii
import json
import re
from typing import Any

import msgspec

from shared.core.codec import JsonObject, read_object
from shared.core.errors import Refused
from shared.core.redaction import REDACTION_MARK, is_secret_field, redact_secrets

MAX_MESSAGE_BYTES = 10 * 1024 * 1024

_BASE64_RUN = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}", re.ASCII)


def redact_message(data: bytes) -> bytes:
    """Remove secrets at any depth and in base64; without a JSON object, field names are unknown."""
    try:
        return _redact_object(data)
    except Refused:
        text = data.decode("latin-1")  # any bytes, one sign each
        clean = redact_secrets(text)
        return data if clean == text else clean.encode("latin-1")


def _redact_object(data: bytes) -> bytes:
    """The JSON object without secrets. Raises: Refused, where the text holds none."""
    content = read_object(data, MAX_MESSAGE_BYTES)
    is_changed = _redact_in_place(content) or _has_repeated_key(data)
    return msgspec.json.encode(content) if is_changed else data


def _has_repeated_key(data: bytes) -> bool:
    """Return whether a key stands twice in an object: then not every value was read."""
    repetitions = list[int]()

    def count(pairs: list[tuple[str, object]]) -> None:
        repetitions.append(len(pairs) - len(dict(pairs)))

    try:
        json.loads(data.decode(), object_pairs_hook=count, parse_int=len, parse_float=len)
    except RecursionError:  # nested as deeply as the other reader alone takes
        return True
    return any(repetitions)


def _redact_in_place(content: JsonObject) -> bool:
    """Whether there were secrets; they are gone now."""
    found = False
    parts: list[Any] = [content]
    while parts:
        part = parts.pop()
        for place, value in list(part.items() if isinstance(part, dict) else enumerate(part)):
            after = (
                REDACTION_MARK if isinstance(place, str) and is_secret_field(place) else _redact_text(value)
            )
            if after is not value:
                part[place], found = after, True
            elif isinstance(value, dict | list):
                parts.append(value)
            if isinstance(place, str) and (name := redact_secrets(place)) != place:
                part[name], found = part.pop(place), True
    return found


def _redact_text(value: Any) -> Any:
    """The value itself, unless it is a text with secrets."""
    if not isinstance(value, str):
        return value
    try:
        is_json = value.lstrip().startswith("{")
        clean = _redact_object(value.encode()).decode() if is_json else redact_secrets(value)
    except Refused:
        clean = redact_secrets(value)
    if clean != value:
        return clean
    return REDACTION_MARK if _has_encoded_secret(value) else value


def _has_encoded_secret(text: str) -> bool:
    if not _BASE64_RUN.fullmatch(text):
        return False
    try:
        inside = base64.b64decode(text.translate({45: 43, 95: 47}), validate=True)
    except binascii.Error:
        return False
    return redact_message(inside) is not inside
