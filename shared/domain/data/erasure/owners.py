"""Whose documents they are, by what is declared of erasure. Pure."""

from collections.abc import Iterator

from shared.domain.data.document import DocumentSnapshot, documents_above, is_document_id, is_in_scope
from shared.domain.data.erasure.ledger import person_ids
from shared.domain.policy.erasure_rules import ErasureRules


def owners_by_name(rules: ErasureRules, path: str) -> set[str]:
    """Whom a document belongs to by its own name, or by that of one that it stands below."""
    return {
        one.rpartition("/")[2]
        for place in rules.documents
        for one in (*documents_above(path), path)
        if not place.field and is_in_scope(place.scope, one)
    }


def has_owner_field(rules: ErasureRules, path: str) -> bool:
    """Whether a field of the document says whose it is."""
    return any(place.field and is_in_scope(place.scope, path) for place in rules.documents)


def owning_ancestors(rules: ErasureRules, path: str) -> list[str]:
    """The documents that it stands below whose fields say whose they are, and whose it is so."""
    return [one for one in documents_above(path) if has_owner_field(rules, one)]


def owner_fields(rules: ErasureRules, collection: str) -> list[str]:
    """The fields of a collection's documents that say whose they are."""
    document = f"{collection}/-"
    return [one.field for one in rules.documents if one.field and is_in_scope(one.scope, document)]


def owners_by_field(rules: ErasureRules, version: DocumentSnapshot) -> Iterator[str]:
    """Whom its fields name; what can be nobody's id, since the document is damaged, is left out."""
    for place in rules.documents:
        if place.field and is_in_scope(place.scope, version.path):
            yield from (one for one in person_ids(place, version) if is_document_id(one))
