"""Values to stored documents and back."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from shared.typed import from_builtins

T = TypeVar("T")

SCHEMA = 1
"""Version of every stored document; a reader that does not know it takes nothing."""


def encode(value: msgspec.Struct) -> dict[str, Any]:
    """The fields of a document: plain maps, lists and scalars; times stay aware datetimes."""
    fields: dict[str, Any] = msgspec.to_builtins(value, builtin_types=(datetime,))
    return fields


def decode(kind: type[T], fields: dict[str, Any] | None) -> T:
    """The value that a document holds.

    Raises: msgspec.ValidationError when the fields are not of that kind.
    """
    return from_builtins(fields, kind)
