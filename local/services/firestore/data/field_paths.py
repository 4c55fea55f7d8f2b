"""Field paths (`a.b`, `` `a-b`.c ``), and what they reach in a document."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, TypeAlias

from local.services.firestore.messages import Document, DocumentMask, Value
from local.services.firestore.statuses import invalid_argument

Path: TypeAlias = tuple[str, ...]
NAME_PATH: Path = ("__name__",)

_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_SEGMENT = re.compile(r"([A-Za-z_][A-Za-z_0-9]*)|`((?:[^`\\]|\\.)+)`", re.DOTALL)


@lru_cache(maxsize=4096)
def parse_field_path(text: str) -> Path:
    """A field path in its segments.

    Raises: Refused INVALID_ARGUMENT.
    """
    segments = []
    position = 0
    while match := _SEGMENT.match(text, position):
        segments.append(match[1] or re.sub(r"\\(.)", r"\1", match[2]))
        position = match.end()
        if position == len(text):
            return tuple(segments)
        if text[position] != ".":
            break
        position += 1
    raise invalid_argument(f'Invalid property path "{text}".')


def format_field_path(path: Path) -> str:
    """A path as `parse_field_path` reads it."""
    return ".".join(
        one if _SIMPLE.fullmatch(one) else "`" + re.sub(r"([`\\])", r"\\\1", one) + "`" for one in path
    )


def lookup(document: Document, path: Path) -> Value | None:
    """The value at a path, `__name__` included; None where there is none."""
    if path == NAME_PATH:
        return Value(reference_value=document.name)
    fields = document.fields
    for segment in path[:-1]:
        parent = fields.get(segment)
        if parent is None or not parent.HasField("map_value"):
            return None
        fields = parent.map_value.fields
    return fields.get(path[-1])


def assign(document: Document, path: Path, value: Value) -> None:
    """Put a value at a path; what stands in the way and is no map becomes one."""
    fields = document.fields
    for segment in path[:-1]:
        parent = fields[segment]
        parent.map_value.SetInParent()
        fields = parent.map_value.fields
    fields[path[-1]].CopyFrom(value)


def remove(document: Document, path: Path) -> None:
    """Take away what is at a path, if anything is."""
    fields: Any = document.fields
    for segment in path[:-1]:
        parent = fields.get(segment)
        if parent is None or not parent.HasField("map_value"):
            return
        fields = parent.map_value.fields
    fields.pop(path[-1], None)


def project(document: Document, paths: Iterable[Path]) -> Document:
    """A copy that holds nothing but these paths: name and times stay."""
    part = Document(name=document.name, create_time=document.create_time, update_time=document.update_time)
    for path in paths:
        value = lookup(document, path)
        if value is not None and path != NAME_PATH:
            assign(part, path, value)
    return part


def apply_mask(document: Document, mask: DocumentMask | None) -> Document:
    """The document as a mask shows it; without a mask, the document itself."""
    if mask is None:
        return document
    return project(document, [parse_field_path(path) for path in mask.field_paths])
