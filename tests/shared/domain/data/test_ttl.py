"""Which documents have expired."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.data.document import DocumentSnapshot
from shared.domain.data.ttl import TtlField, declared_ttl_fields, has_expired
from shared.domain.policy.data_rules import Collection

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def version(path: str, **fields: object) -> DocumentSnapshot:
    return DocumentSnapshot(path, fields, NOW, NOW)


@pytest.mark.parametrize(
    ("path", "until", "is_over"),
    [
        ("u/a", NOW, True),
        ("u/a", NOW + MINUTE, False),
        ("u/a", "2020", False),
        ("other/a", NOW, False),
        ("kept/a", NOW, False),
        ("v/b/u/a", NOW, True),
    ],
)
def test_expired_documents(path: str, until: object, is_over: bool) -> None:
    """By the field that the policy names for them, where that holds a moment that is over."""
    known = declared_ttl_fields({"u": Collection(expires="until"), "kept": Collection()})
    assert has_expired(known, version(path, until=until), NOW) == is_over


@pytest.mark.parametrize(
    ("expiry", "is_over"),
    [
        (TtlField("u", ("a.b", "until"), MINUTE), True),
        (TtlField("u", ("a.b", "until"), MINUTE + timedelta(microseconds=1)), False),
        (TtlField("u", ("a", "b", "until"), MINUTE), False),
        (TtlField("v", ("a.b", "until"), MINUTE), False),
    ],
)
def test_some_time_after_what_a_field_below_others_says(expiry: TtlField, is_over: bool) -> None:
    """Not a moment sooner, and a dot within a name joins nothing."""
    known = version("u/a", **{"a.b": {"until": NOW - MINUTE}})
    assert has_expired([expiry], known, NOW) == is_over


def test_the_last_moment_that_there_is() -> None:
    """However long after it a document expires, it has not."""
    known = version("u/a", until=datetime.max.replace(tzinfo=UTC))
    assert not has_expired([TtlField("u", ("until",), timedelta(days=24855))], known, NOW)
