"""Structured log lines, as Cloud Logging reads them from standard error."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from shared.core.redaction import PERSONS, REMOVED, is_secret, without_personal, without_secrets

LONGEST_TEXT = 2_000
MOST_ITEMS = 50
DEEPEST = 6
LONGEST_LINE = 200_000
"""An entry of Cloud Logging may have 256 KB (cloud.google.com/logging/quotas, read 2026-11)."""

_SPECIAL = {
    "labels": "logging.googleapis.com/labels",
    "trace": "logging.googleapis.com/trace",
    "span": "logging.googleapis.com/spanId",
    "sampled": "logging.googleapis.com/trace_sampled",
}
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")

_WRITTEN = json.JSONEncoder(default=str).encode

_context: ContextVar[Mapping[str, Any]] = ContextVar("log context", default={})  # noqa: B039 - never changed


@contextmanager
def context(**fields: Any) -> Iterator[None]:
    """The body, each of whose lines carries these fields."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def about(name: str) -> str:
    """The field of that name that each line carries here; empty without one."""
    return str(_context.get().get(name, ""))


def write(severity: str, message: str, **fields: Any) -> None:
    """One line of JSON; `severity` is one of Cloud Logging's (DEBUG, INFO, WARNING, ERROR, …).

    `labels`, `trace`, `span` and `sampled` become the entry's own; every other field is one of its
    payload. Texts are bounded, without secrets, and without personal data but for a field `actor`.
    Format: https://cloud.google.com/logging/docs/structured-logging, special fields.
    """
    said = {**_context.get(), **fields}
    content = {_SPECIAL.get(name, name): _shown(name, value) for name, value in said.items()}
    line = {"severity": severity, "message": _shown("message", message), **content}
    written = _WRITTEN(line)
    if len(written) > LONGEST_LINE:
        written = _WRITTEN({**line, "facts": "too long to be logged"})
    sys.stderr.write(written + "\n")


def traced(headers: Mapping[str, str], project: str) -> dict[str, Any]:
    """The fields that tie a line to its request's trace; none where the request names none.

    By W3C's `traceparent`, which Cloud Run passes on (cloud.google.com/trace/docs/trace-context,
    read 2026-11).
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    found = _TRACEPARENT.fullmatch(lowered.get("traceparent", ""))
    if found is None:
        return {}
    trace, span, flags = found.groups()
    where = f"projects/{project}/traces/{trace}"
    return {"trace": where, "span": span, "sampled": bool(int(flags, 16) & 1)}


def _shown(name: str, value: Any, depth: int = 0) -> Any:
    """The value as it may be logged."""
    if isinstance(value, str):
        clean = without_secrets if name in PERSONS else without_personal
        return clean(value[: 2 * LONGEST_TEXT])[:LONGEST_TEXT]
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth == DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        named = [(str(key), one) for key, one in list(value.items())[:MOST_ITEMS]]
        return {
            _shown("", key): REMOVED if is_secret(key) else _shown(key, one, depth + 1)
            for key, one in named
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(name, one, depth + 1) for one in list(value)[:MOST_ITEMS]]
    return _shown(name, str(value))
