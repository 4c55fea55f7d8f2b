"""What we keep of functions so that they can be built again, as a record tells it."""

from collections.abc import Mapping

from msgspec.structs import replace

from shared.domain.deployments.inventory.inventory_parts import FunctionState, SourceObject, WholeInventory


def with_source_copies(function: FunctionState) -> FunctionState:
    """The function with our copies of its source and of its variables' values."""
    values = SourceObject("copies", f"{function.name}.json", 1)
    return replace(
        function,
        copy=SourceObject("copies", f"{function.name}.zip", 1),
        definition=function.definition or {"buildConfig": {"runtime": function.runtime}},
        configuration=replace(function.configuration, values=values),
    )


def build_record_with_copies(functions: Mapping[str, FunctionState]) -> WholeInventory:
    """All that was live, of functions, with copies of everything."""
    return WholeInventory(functions={name: with_source_copies(one) for name, one in functions.items()})
