"""Which documents of a collection a query finds, and in which order: Firestore's rules."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from shared.ports import Query
from tests.fakes.values import order_key

_MISSING = object()
_COMPARE = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def matching(query: Query, documents: Mapping[str, dict[str, Any]]) -> list[str]:
    """Paths of what matches; a document without a field that is asked or ordered by is left out."""
    order = _order(query)
    found: list[tuple[list[tuple[int, Any]], str]] = []
    for path, fields in documents.items():
        keys = [value(fields, name) for name in order]
        if _MISSING in keys or not all(_holds(fields, *condition) for condition in query.where):
            continue
        found.append(([order_key(key) for key in keys], path))
    return [path for _, path in sorted(found)][: query.limit]


def value(fields: Mapping[str, Any], name: str) -> Any:
    """What stands at a field's dotted path, or the mark of nothing."""
    found: Any = fields
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return _MISSING
        found = found[part]
    return found


def _order(query: Query) -> list[str]:
    """The field asked for, then every field under an inequality: the service's implicit order."""
    ranged = sorted({name for name, comparison, _ in query.where if comparison != "=="})
    return list(dict.fromkeys([*([query.order_by] if query.order_by else []), *ranged]))


def _holds(fields: Mapping[str, Any], name: str, comparison: str, wanted: Any) -> bool:
    found = value(fields, name)
    if found is _MISSING:
        return False
    left, right = order_key(found), order_key(wanted)
    return left[0] == right[0] and bool(_COMPARE[comparison](left, right))
