"""Structured log lines, as Cloud Logging reads them from standard error."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from shared.core import redaction

MAX_TEXT_CHARACTERS = 2_000
MAX_ITEMS = 50
MAX_DEPTH = 6
MAX_LINE_CHARACTERS = 200_000
"""An entry of Cloud Logging may have 256 KB (cloud.google.com/logging/quotas, read 2026-11)."""

_SPECIAL = {
    "labels": "logging.googleapis.com/labels",
    "trace": "logging.googleapis.com/trace",
    "span": "logging.googleapis.com/spanId",
    "sampled": "logging.googleapis.com/trace_sampled",
}
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")

_encode_json = json.JSONEncoder(default=str).encode

_context: ContextVar[Mapping[str, Any]] = ContextVar("log context", default={})  # noqa: B039 - never changed


@contextmanager
def context(**fields: Any) -> Iterator[None]:
    """The body, each of whose lines carries these fields."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def context_field(name: str) -> str:
    """The field of that name that each line carries here; empty without one."""
    return str(_context.get().get(name, ""))


def write(severity: str, message: str, **fields: Any) -> None:
    """One line of JSON; `severity` is one of Cloud Logging's (DEBUG, INFO, WARNING, ERROR, …).

    `labels`, `trace`, `span` and `sampled` become the entry's own; every other field is one of its
    payload. Texts are bounded, without secrets, and without personal data but for a field `actor`.
    Format: https://cloud.google.com/logging/docs/structured-logging, special fields.
    """
    said = {**_context.get(), **fields}
    content = {_SPECIAL.get(name, name): _loggable_value(name, value) for name, value in said.items()}
    line = {"severity": severity, "message": _loggable_value("message", message), **content}
    written = _encode_json(line)
    if len(written) > MAX_LINE_CHARACTERS:
        written = _encode_json({**line, "facts": "too long to be logged"})
    sys.stderr.write(written + "\n")


def trace_fields(headers: Mapping[str, str], project: str) -> dict[str, Any]:
    """The fields that tie a line to its request's trace; none where the request names none.

    By W3C's `traceparent`, which Cloud Run passes on (cloud.google.com/trace/docs/trace-context,
    read 2026-11).
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    found = _TRACEPARENT.fullmatch(lowered.get("traceparent", ""))
    if found is None:
        return {}
    trace, span, flags = found.groups()
    return {"trace": f"projects/{project}/traces/{trace}", "span": span, "sampled": bool(int(flags, 16) & 1)}


def _loggable_value(name: str, value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        clean = (
            redaction.redact_secrets if name in redaction.PERSON_FIELDS else redaction.redact_personal_data
        )
        return clean(value[: 2 * MAX_TEXT_CHARACTERS])[:MAX_TEXT_CHARACTERS]
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth == MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        named = [(str(key), one) for key, one in list(value.items())[:MAX_ITEMS]]
        return {
            _loggable_value("", key): redaction.REDACTION_MARK
            if redaction.is_secret_field(key)
            else _loggable_value(key, one, depth + 1)
            for key, one in named
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_loggable_value(name, one, depth + 1) for one in list(value)[:MAX_ITEMS]]
    return _loggable_value(name, str(value))
