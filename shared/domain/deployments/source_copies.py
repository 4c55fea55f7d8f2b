"""What we keep of functions so that they can be built again: names, and what is lacking; pure."""

from collections.abc import Container, Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from shared.core.codec import FrozenStruct, from_json
from shared.domain.deployments.build_recipe import Recipe
from shared.domain.deployments.inventory.inventory_parts import (
    FunctionState,
    WholeInventory,
    json_fingerprint,
    values_hash,
)


class VariableValues(FrozenStruct):
    """The values of a function's plain variables. Shown nowhere: its text does not hold them."""

    variables: dict[str, str] = {}
    """Those that its code runs with."""
    build_variables: dict[str, str] = {}

    def __repr__(self) -> str:
        return "Values(...)"

    def is_recorded_for(self, function: FunctionState | Recipe) -> bool:
        """Whether they are those that its record was made with."""
        return (values_hash(self.variables), values_hash(self.build_variables)) == _hashes(function)


def encode_values(values: VariableValues) -> bytes:
    """The content of their object."""
    return msgspec.json.encode(values)


def decode_values(content: bytes, function: FunctionState | Recipe) -> VariableValues:
    """Decode the values that a function was recorded with. Raises: ValueError."""
    try:
        values = from_json(content, VariableValues)
    except msgspec.MsgspecError:
        raise ValueError("the stored object holds no values") from None
    if not values.is_recorded_for(function):
        raise ValueError("the stored values differ from the recorded ones")
    return values


def source_object_name(system: str, function: FunctionState) -> str:
    """Where its source is kept: another one, or another generation of it, has another name."""
    return f"{system}/{function.name}/{json_fingerprint(function.source)}.zip"


def values_object_name(system: str, function: FunctionState) -> str:
    """Where the values of its plain variables are kept: other values have another name."""
    return f"{system}/{function.name}/{json_fingerprint(_hashes(function))}.json"


def is_missing_source_copy(function: FunctionState) -> bool:
    """Whether there is a source of which we have none."""
    return function.source is not None and function.copy is None


def is_missing_values(function: FunctionState) -> bool:
    """Whether there are values of plain variables which we do not keep."""
    has_some = bool(function.configuration.variables or function.build_variables)
    return has_some and function.configuration.values is None


def rebuild_obstacles(functions: Iterable[FunctionState], unkept: Mapping[str, str]) -> Iterator[str]:
    """Why functions could not be built again, one line each; `unkept` has the reasons by what."""
    for one in sorted(functions, key=lambda function: function.name):
        if one.source is None:
            yield f"{one.name}: its source is not in Cloud Storage"
        if is_missing_source_copy(one):
            yield _append_reason(f"{one.name}: no copy of its source", unkept.get(f"copy {one.name}"))
        if is_missing_values(one):
            told = f"{one.name}: the values of its variables are not stored"
            yield _append_reason(told, unkept.get(f"values {one.name}"))


def rebuild_obstacle(function: FunctionState) -> str:
    """Why a function could not be built again as it is, in words; empty: it could."""
    return ", ".join(line.removeprefix(f"{function.name}: ") for line in rebuild_obstacles([function], {}))


def _append_reason(told: str, reason: str | None) -> str:
    return f"{told}: {reason}" if reason else told


def carry_over_copies(whole: WholeInventory, before: WholeInventory) -> WholeInventory:
    """The inventory with what `before` knows to be kept of just these sources and values."""
    if not whole.functions or not before.functions:
        return whole
    kept = before.functions
    found = {
        name: _carry_over_copy(one, kept[name]) if name in kept else one
        for name, one in whole.functions.items()
    }
    return replace(whole, functions=found)


def exclude_absent_copies(
    whole: WholeInventory, sources: Container[str] | None, values: Container[str] | None
) -> WholeInventory:
    """The inventory without what is kept under no name any more; None: it could not be looked."""
    functions = {}
    for name, one in whole.function_states.items():
        if one.copy and sources is not None and one.copy.object not in sources:
            one = replace(one, copy=None)
        kept = one.configuration.values
        if kept and values is not None and kept.object not in values:
            one = replace(one, configuration=replace(one.configuration, values=None))
        functions[name] = one
    return replace(whole, functions=functions) if functions else whole


def stored_object_names(whole: WholeInventory) -> Iterator[str]:
    """The names of all that is said to be kept, of sources and of values alike."""
    for one in whole.function_states.values():
        for kept in (one.copy, one.configuration.values):
            if kept is not None:
                yield kept.object


def _carry_over_copy(one: FunctionState, before: FunctionState) -> FunctionState:
    if is_missing_source_copy(one) and one.source == before.source:
        one = replace(one, copy=before.copy)
    if is_missing_values(one) and _hashes(one) == _hashes(before):
        one = replace(one, configuration=replace(one.configuration, values=before.configuration.values))
    return one


def _hashes(function: FunctionState | Recipe) -> tuple[str, str]:
    return function.configuration.variables_hash, function.build_variables_hash
