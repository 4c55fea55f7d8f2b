"""One product's part of a plan, and what is reported of a part that cannot be compared."""

from __future__ import annotations

from msgspec import Struct

from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.rollback.plan import Step


class Portion(Struct, frozen=True):
    """One product's part of a plan."""

    steps: tuple[Step, ...] = ()
    reported: tuple[str, ...] = ()
    """What is left alone, and what is to be known of what is done, one line each."""


def unseen(part: InventoryPart, recorded: WholeInventory, live: WholeInventory) -> Portion | None:
    """What is said of a part that cannot be compared; None: it can."""
    if getattr(recorded, part) is None:
        return Portion(reported=(f"{part} was not recorded then: left as it is",))
    if getattr(live, part) is None:
        return Portion(reported=(f"{part} cannot be seen now: left as it is",))
    return None
