"""Values of a kind, from JSON, MessagePack or built-in values: how all threads decode.

msgspec 0.22.0 learns a Struct, dataclass, NamedTuple or TypedDict when it is first decoded,
converted to, inspected, or given to a `Decoder`, and leaves the half of it where every thread finds
it: one that decodes meanwhile follows a null pointer, and the process dies. So a kind is learnt
here, whole, under one lock, before anybody does so; afterwards that costs a look into a set.
Encoding and `structs` learn nothing. What is learnt stays with the class; with `Box[int]`, of a
generic one, only while `typing` keeps that alias: decode none.

ruff refuses msgspec's own ways elsewhere (`pyproject.toml`).
"""

from __future__ import annotations

from threading import Lock
from typing import Any, TypeVar, overload

import msgspec
from msgspec import inspect

T = TypeVar("T")

_learnt: set[Any] = set()
_learning = Lock()


@overload
def from_json(content: bytes | str, kind: type[T]) -> T: ...
@overload
def from_json(content: bytes | str, kind: Any = Any) -> Any: ...
def from_json(content: bytes | str, kind: Any = Any) -> Any:
    """The value of that kind. Raises: as `msgspec.json.decode`."""
    return msgspec.json.decode(content, type=_whole(kind))


def from_msgpack(content: bytes, kind: type[T]) -> T:
    """The value of that kind. Raises: as `msgspec.msgpack.decode`."""
    return msgspec.msgpack.decode(content, type=_whole(kind))


def from_builtins(value: Any, kind: type[T]) -> T:
    """The value of that kind. Raises: as `msgspec.convert`."""
    return msgspec.convert(value, _whole(kind))


def shape(kind: Any) -> inspect.Type:
    """What a kind is made of."""
    return inspect.type_info(_whole(kind))


def schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a kind."""
    return msgspec.json.schema(_whole(kind))


def _whole(kind: type[T]) -> type[T]:
    """The kind itself, when msgspec knows it and all that is in it."""
    if kind not in _learnt:
        with _learning:
            msgspec.json.Decoder(kind)
            _learnt.add(kind)
    return kind
