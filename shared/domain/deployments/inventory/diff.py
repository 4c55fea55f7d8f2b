"""What differs between a recorded inventory and the live one. Unknown is no difference."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from shared.core.codec import FrozenStruct
from shared.domain.deployments.inventory.inventory_parts import FunctionState, WholeInventory
from shared.domain.deployments.inventory.products import PRODUCTS, InventoryPart


class ChangeKind(StrEnum):
    """What became of one thing."""

    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"


class Difference(FrozenStruct, order=True):
    """One thing that is not what was recorded."""

    part: InventoryPart
    name: str
    change: ChangeKind
    aspects: tuple[str, ...] = ()
    """Which fields of it differ, when it is changed and has fields."""


def differences(recorded: WholeInventory, live: WholeInventory) -> tuple[Difference, ...]:
    """Every difference, by part and name; of a part that either side does not know, none."""
    return tuple(found for part in InventoryPart for found in _find_part_differences(part, recorded, live))


def _find_part_differences(
    part: InventoryPart, recorded: WholeInventory, live: WholeInventory
) -> Iterator[Difference]:
    before: Mapping[str, Any] | None = getattr(recorded, part)
    now: Mapping[str, Any] | None = getattr(live, part)
    if before is None or now is None:
        return
    for name in sorted(before.keys() | now.keys()):
        if name not in before:
            yield Difference(part, name, ChangeKind.CREATED)
        elif name not in now:
            yield Difference(part, name, ChangeKind.DELETED)
        else:
            aspects = _differing_fields(part, before[name], now[name])
            if aspects is not None:
                yield Difference(part, name, ChangeKind.CHANGED, aspects)


def _differing_fields(part: InventoryPart, before: Any, now: Any) -> tuple[str, ...] | None:
    """The fields that differ; None when nothing does that counts."""
    if not isinstance(before, Struct) or not isinstance(now, Struct):
        return None if before == now else ()
    if isinstance(before, FunctionState) and isinstance(now, FunctionState):
        before, now = _without_stored_values(before), _without_stored_values(now)
    was, passing = asdict(before), PRODUCTS[part].passing
    differing = (name for name, value in asdict(now).items() if value != was[name] and name not in passing)
    return tuple(differing) or None


def _without_stored_values(function: FunctionState) -> FunctionState:
    """Return a function without the place where the values of its variables are stored."""
    return replace(function, configuration=replace(function.configuration, values=None))
