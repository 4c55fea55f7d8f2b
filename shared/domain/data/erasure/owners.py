"""Whose documents they are, by what is declared of erasure. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from shared.domain.data.document import Version, covers, documents_above, is_id
from shared.domain.data.erasure.ledger import persons
from shared.domain.policy.erasure_rules import ErasureRules


def by_name(rules: ErasureRules, path: str) -> set[str]:
    """Whom a document belongs to by its own name, or by that of one that it stands below."""
    return {
        one.rpartition("/")[2]
        for place in rules.documents
        for one in (*documents_above(path), path)
        if not place.field and covers(place.scope, one)
    }


def is_by_field(rules: ErasureRules, path: str) -> bool:
    """Whether a field of the document says whose it is."""
    return any(place.field and covers(place.scope, path) for place in rules.documents)


def above(rules: ErasureRules, path: str) -> list[str]:
    """The documents that it stands below whose fields say whose they are, and whose it is so."""
    return [one for one in documents_above(path) if is_by_field(rules, one)]


def fields(rules: ErasureRules, collection: str) -> list[str]:
    """The fields of a collection's documents that say whose they are."""
    document = f"{collection}/-"
    return [one.field for one in rules.documents if one.field and covers(one.scope, document)]


def by_field(rules: ErasureRules, version: Version) -> Iterator[str]:
    """Whom its fields name; what can be nobody's id, since the document is damaged, is left out."""
    for place in rules.documents:
        if place.field and covers(place.scope, version.path):
            yield from (one for one in persons(place, version) if is_id(one))
