"""What is kept of functions so that they can be built again."""

import msgspec
import pytest
from msgspec.structs import replace

from shared.core.codec import from_json
from shared.domain.deployments.inventory.inventory_parts import (
    Configuration,
    FunctionState,
    Generation,
    SourceObject,
    WholeInventory,
    values_hash,
)
from shared.domain.deployments.source_copies import (
    VariableValues,
    carry_over_copies,
    decode_values,
    encode_values,
    exclude_absent_copies,
    is_missing_source_copy,
    is_missing_values,
    source_object_name,
    stored_object_names,
    values_object_name,
)

VALUES = VariableValues({"A": "1"}, {"B": "2"})
FOUND = FunctionState(
    "pay",
    Generation.SECOND,
    source=SourceObject("sources", "pay.zip", 7),
    configuration=Configuration(variables=("A",), variables_hash=values_hash({"A": "1"})),
    build_variables=("B",),
    build_variables_hash=values_hash({"B": "2"}),
)
COPY, OBJECT = SourceObject("ours", "pay.zip", 1), SourceObject("ours", "pay.json", 2)
KEPT = replace(FOUND, copy=COPY, configuration=replace(FOUND.configuration, values=OBJECT))
BARE = FunctionState("pay", Generation.SECOND)


def whole(one: FunctionState) -> WholeInventory:
    return WholeInventory(functions={"pay": one})


@pytest.mark.parametrize(
    ("function", "copy", "values"),
    [
        (FOUND, True, True),
        (KEPT, False, False),
        (BARE, False, False),
        (replace(BARE, build_variables=("B",)), False, True),
    ],
)
def test_what_is_lacking(function: FunctionState, copy: bool, values: bool) -> None:
    """Where there is a source, a copy of it; where there are plain variables, their values."""
    assert (is_missing_source_copy(function), is_missing_values(function)) == (copy, values)


@pytest.mark.parametrize(
    ("live", "before", "wanted"),
    [
        (whole(FOUND), whole(KEPT), whole(KEPT)),
        (whole(KEPT), whole(FOUND), whole(KEPT)),
        (whole(FOUND), WholeInventory(functions={}), whole(FOUND)),
        (whole(FOUND), WholeInventory(), whole(FOUND)),
        (WholeInventory(), whole(KEPT), WholeInventory()),
        (
            whole(replace(FOUND, source=SourceObject("sources", "pay.zip", 8))),
            whole(KEPT),
            whole(replace(KEPT, source=SourceObject("sources", "pay.zip", 8), copy=None)),
        ),
        (
            whole(replace(FOUND, build_variables_hash="other")),
            whole(KEPT),
            whole(replace(FOUND, build_variables_hash="other", copy=COPY)),
        ),
    ],
)
def test_what_was_kept_is_known_again(
    live: WholeInventory, before: WholeInventory, wanted: WholeInventory
) -> None:
    """Of just that source, and of just those values; of nothing else."""
    assert carry_over_copies(live, before) == wanted


def test_another_source_and_other_values_have_another_name() -> None:
    """What is kept under a name is never anything else; no name tells a value."""
    other = replace(FOUND, source=SourceObject("sources", "pay.zip", 8), build_variables_hash="other")

    assert (
        source_object_name("shop", FOUND)
        == source_object_name("shop", KEPT)
        != source_object_name("shop", other)
    )
    assert (
        values_object_name("shop", FOUND)
        == values_object_name("shop", KEPT)
        != values_object_name("shop", other)
    )
    assert source_object_name("shop", FOUND).startswith("shop/pay/")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (VALUES, True),
        (VariableValues({"A": "1"}), False),
        (VariableValues({"A": "2"}, {"B": "2"}), False),
        (VariableValues({"A": "1"}, {"B": "3"}), False),
    ],
)
def test_whose_values_they_are(values: VariableValues, expected: bool) -> None:
    """Those that the record was made with, all of them; a redeployment meanwhile has others."""
    assert values.is_recorded_for(FOUND) is expected


def test_values_are_shown_nowhere() -> None:
    """Neither in a text nor in an error: only what is written into their object has them."""
    secret = VariableValues({"KEY": "hidden"}, {"B": "hidden"})

    assert "hidden" not in f"{secret} {secret!r}"
    assert from_json(msgspec.json.encode(secret), VariableValues) == secret


def test_values_that_were_kept() -> None:
    """They come back for the function that they are of, and for no other."""
    assert decode_values(encode_values(VALUES), KEPT) == VALUES


@pytest.mark.parametrize("content", [b"hidden", b'{"variables":{"A":"hidden"}}', b"{}"])
def test_what_is_not_what_was_kept(content: bytes) -> None:
    """The error does not tell what it is."""
    with pytest.raises(ValueError, match="stored") as raised:
        decode_values(content, KEPT)

    assert "hidden" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("sources", "values", "wanted"),
    [
        ({"pay.zip"}, {"pay.json"}, KEPT),
        (set(), {"pay.json"}, replace(KEPT, copy=None)),
        ({"pay.zip"}, set(), replace(FOUND, copy=COPY)),
        (None, None, KEPT),  # could not be looked at
    ],
)
def test_what_is_there_no_more(
    sources: set[str] | None, values: set[str] | None, wanted: FunctionState
) -> None:
    """It is not kept; what could not be looked at is, as far as anybody knows."""
    assert exclude_absent_copies(whole(KEPT), sources, values) == whole(wanted)


def test_the_names_of_all_that_is_kept() -> None:
    """Of sources and of values."""
    assert set(stored_object_names(whole(KEPT))) == {"pay.zip", "pay.json"}
    assert set(stored_object_names(whole(FOUND))) == set(stored_object_names(WholeInventory())) == set()
