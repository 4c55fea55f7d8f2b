"""Which documents of a collection a query finds, and in which order: Firestore's rules."""

import operator
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from shared.core.store import Query
from tests.support.fakes.firestore.values import order_key

_MISSING = object()
Compare = Callable[[Any, Any], bool]
_COMPARE: dict[str, Compare] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def matching_paths(query: Query, documents: Iterable[tuple[str, dict[str, Any]]]) -> list[str]:
    """Paths of what matches; a document without a field that is asked or ordered by is left out."""
    order, places = _order(query.order_by, tuple([(name, how) for name, how, _ in query.where]))
    conditions = []
    for place in places:
        name, how, wanted = query.where[place]
        conditions.append((name, _COMPARE[how], *order_key(wanted)))
    found: list[tuple[list[tuple[int, Any]], str]] = []
    unordered: list[str] = []
    for path, fields in documents:
        for name, compare, rank, wanted in conditions:
            there = field_value(fields, name) if "." in name else fields.get(name, _MISSING)
            if there is _MISSING or (there is None and rank):
                break
            its_rank, key = order_key(there)
            if its_rank != rank or not compare(key, wanted):
                break
        else:
            if not order:
                unordered.append(path)
                continue
            keys = [field_value(fields, name) for name in order]
            if _MISSING not in keys:
                found.append(([order_key(key) for key in keys], path))
    found.sort()
    return (sorted(unordered) or [path for _, path in found])[: query.limit]


def field_value(fields: Mapping[str, Any], name: str) -> Any:
    """What stands at a field's dotted path, or the mark of nothing."""
    if "." not in name:
        return fields.get(name, _MISSING)
    found: Any = fields
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            return _MISSING
        found = found[part]
    return found


@cache
def _order(order_by: str | None, where: tuple[tuple[str, str], ...]) -> tuple[list[str], list[int]]:
    """The field asked for, then every field under an inequality: the service's implicit order.

    And the order in which the conditions are tried: inequalities first, they leave out most.
    """
    ranged = sorted({name for name, comparison in where if comparison != "=="})
    places = sorted(range(len(where)), key=lambda place: where[place][1] == "==")
    return list(dict.fromkeys([*([order_by] if order_by else []), *ranged])), places
