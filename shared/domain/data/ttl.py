"""By what documents expire, and whether one has. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from shared.core.codec import FrozenStruct
from shared.domain.data.document import DocumentSnapshot, collection_of
from shared.domain.data.integrity.validator import nested_values
from shared.domain.policy.data_rules import Collection


class TtlField(FrozenStruct):
    """The field by which the documents of all collections of one id expire, wherever they are.

    https://firebase.google.com/docs/firestore/ttl (read 2026-11-27).
    """

    group: str
    """That id."""
    field: tuple[str, ...]
    """Names, each below the one before."""
    after: timedelta = timedelta()
    """So long after the time that stands there."""


def declared_ttl_fields(collections: Mapping[str, Collection]) -> list[TtlField]:
    """What a policy says of them."""
    return [TtlField(name, tuple(one.expires.split("."))) for name, one in collections.items() if one.expires]


def has_expired(expiries: Iterable[TtlField], version: DocumentSnapshot, now: datetime) -> bool:
    """Whether one of these says that the document's time is over."""
    group = collection_of(version.path).rpartition("/")[2]
    return any(
        isinstance(at, datetime) and at <= now - one.after
        for one in expiries
        if one.group == group
        for at in nested_values(version.fields, one.field)
    )
