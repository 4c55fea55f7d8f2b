"""What a stored field may hold, and how values compare: Firestore's rules, for what we store."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.core.errors import Rejected
from shared.core.store import SERVER_TIME

DOCUMENT_LIMIT_BYTES = 1024 * 1024
"""https://firebase.google.com/docs/firestore/quotas, read 2026-11; measured here on MessagePack."""

Keep = Callable[[Any, datetime | None], Any]
_LEAST, _MOST = -(2**63), 2**63 - 1
"""What an integer may be."""
_PLAIN = frozenset({type(None), bool, float, bytes, str})
"""What is kept as it is, and most values are: asked first, because every test stores a lot."""
_ENCODER = msgspec.msgpack.Encoder()
_COMPARED_AS_THEY_ARE: dict[type, int] = {bool: 1, int: 2, float: 2, datetime: 3, str: 4, bytes: 5}
"""Their place in the order of types."""
_names: set[str] = set()
"""Names of fields that were found good: the same ones come again and again."""


def to_stored_fields(fields: dict[str, Any], now: datetime | None) -> dict[str, Any]:
    """A copy as the store keeps it: SERVER_TIME is `now`, tuples are lists.

    `now` is None below a list, where SERVER_TIME has no address.
    Raises: TypeError for a type that the store does not know, Rejected for a value it refuses.
    """
    if not _names.issuperset(fields):
        _names.update(_field(name) for name in fields)
    copy = dict(fields)
    if _PLAIN.issuperset(map(type, fields.values())):
        return copy
    for name, value in fields.items():
        kind = type(value)
        if kind in _PLAIN or (kind is datetime and value.tzinfo is UTC):
            continue
        if kind is int and _LEAST <= value <= _MOST:
            continue
        copy[name] = _KEEP[kind](value, now)
    return copy


def require_size(fields: dict[str, Any]) -> None:
    """Raises: Rejected for a document that is too large."""
    if len(_ENCODER.encode(fields)) > DOCUMENT_LIMIT_BYTES:
        raise Rejected("a document is larger than 1 MiB")


def copy_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """A copy that its reader may change."""
    copy: dict[str, Any] = msgspec.to_builtins(fields, builtin_types=(datetime, bytes))
    return copy


def order_key(value: Any) -> tuple[int, Any]:
    """What sorts values of all types as Firestore does: by type, then by value."""
    rank = _COMPARED_AS_THEY_ARE.get(type(value))
    if rank is not None:
        return rank, value
    match value:
        case None:
            return 0, 0
        case str():
            return 4, value
        case list() | tuple():
            return 6, tuple(order_key(item) for item in value)
        case dict():
            return 7, tuple((name, order_key(value[name])) for name in sorted(value))
    raise TypeError(f"a query cannot compare {type(value).__name__}")


class _Keepers(dict[type, Keep]):
    """How values are kept that are not plain; a subclass as what it is one of."""

    def __missing__(self, kind: type) -> Keep:
        self[kind] = next((self[known] for known in kind.__mro__ if known in self), _odd)
        return self[kind]


def _odd(value: Any, now: datetime | None) -> Any:
    """What no value but one is: the store's own time."""
    if value is not SERVER_TIME:
        raise TypeError(f"a field cannot hold {type(value).__name__}")
    if now is None:
        raise Rejected("a list cannot hold SERVER_TIME")
    return now


def _list(value: Sequence[Any], now: datetime | None) -> list[Any]:
    copy = list(value)
    if _PLAIN.issuperset(map(type, copy)):
        return copy
    for place, item in enumerate(copy):
        kind = type(item)
        if kind is dict:
            copy[place] = to_stored_fields(item, None)
        elif kind not in _PLAIN:
            copy[place] = _item(item, kind)
    return copy


def _item(value: Any, kind: type) -> Any:
    if issubclass(kind, list | tuple):
        raise Rejected("a list cannot hold a list")
    return _KEEP[kind](value, None)


def _integer(value: int, now: datetime | None) -> int:
    if not _LEAST <= value <= _MOST:
        raise Rejected("an integer does not fit into 64 bits")
    return int(value)


def _utc(moment: datetime, now: datetime | None) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise TypeError("a field cannot hold a time without a zone")
    return moment.astimezone(UTC)


def _field(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a field's name is a string, not {type(name).__name__}")
    if not name or (name.startswith("__") and name.endswith("__")):
        raise Rejected(f"a field cannot be called {name!r}")
    return name


_KEEP = _Keepers(
    {
        dict: to_stored_fields,
        int: _integer,
        datetime: _utc,
        list: _list,
        tuple: _list,
        str: lambda text, now: str(text),
    }
)
