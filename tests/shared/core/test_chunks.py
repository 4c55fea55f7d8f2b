"""Many things in parts that one request or one document holds."""

import pytest

from shared.core.chunks import split_into_chunks


@pytest.mark.parametrize(
    ("things", "parts"),
    [
        ([], []),
        (["a", "b"], [["a", "b"]]),
        (["a", "b", "c", "d"], [["a", "b", "c"], ["d"]]),
        (["aa", "bb", "c"], [["aa", "bb"], ["c"]]),
        (["aaaaa", "b"], [["aaaaa"], ["b"]]),
        (["a", "aaaaa"], [["a"], ["aaaaa"]]),
    ],
)
def test_parts(things: list[str], parts: list[list[str]]) -> None:
    """At most three, at most four bytes; what is larger by itself is a part of its own."""
    assert list(split_into_chunks(things, 3, 4, len)) == parts
