"""What does not come back with a function's code: compared with the record, and told; pure."""

from collections.abc import Collection, Iterator, Mapping

from shared.domain.deployments.deployment import Inventory
from shared.domain.deployments.inventory.diff import differences
from shared.domain.deployments.inventory.inventory_parts import FunctionState, Generation, WholeInventory
from shared.domain.deployments.inventory.products import PRODUCTS, InventoryPart

HOSTING_TAG = "fh-"
"""How the tags begin by which Firebase Hosting pins a rewrite to a revision
(firebase/firebase-tools src/hosting/runTags.ts, read 2026-11)."""
EVENT_RETRY_PERIODS: Mapping[Generation, str] = {Generation.FIRST: "7 days", Generation.SECOND: "a day"}
"""How long an event that failed is delivered again
(https://cloud.google.com/functions/docs/bestpractices/retries, read 2026-11)."""


def format_unrestored_lines(
    functions: Collection[str],
    inventory: Inventory,
    record: WholeInventory | None,
    live: WholeInventory | None,
) -> Iterator[str]:
    """Return a line for each difference beside the code that remains; `live`: as last seen."""
    yield from _format_hosting_pins(functions, inventory)
    if live is None:
        return
    was, now = record.function_states if record is not None else {}, live.function_states
    for name in sorted(set(functions) & now.keys()):
        if name in was:
            yield from _format_trigger_difference(name, was[name], now[name])
        if now[name].is_retried or now[name].has_queue:
            yield _format_queued_work(now[name])
    if record is None:
        return
    for one in differences(record, live):
        concerns = one.part is not InventoryPart.INVOKERS or one.name in functions
        called = PRODUCTS[one.part].unrestored_as
        if called and concerns:
            yield f"{called} {one.name}: {one.change.value} later, and not restored"


def _format_hosting_pins(functions: Collection[str], inventory: Inventory) -> Iterator[str]:
    for name in sorted(functions):
        if name not in inventory:
            continue
        tags = [one.tag for one in inventory[name].service.traffic]
        pins = [tag for tag in tags if tag.startswith(HOSTING_TAG)]
        if pins:
            yield f"{name}: Hosting routes to its tag {', '.join(pins)} until Hosting is rolled back"


def _format_trigger_difference(name: str, was: FunctionState, now: FunctionState) -> Iterator[str]:
    """A trigger is not touched: changing one loses the messages in flight."""
    if was.definition and was.definition.get("eventTrigger", {}) != now.definition.get("eventTrigger", {}):
        yield f"{name}: its trigger or retry setting was changed later, and is not restored"


def _format_queued_work(function: FunctionState) -> str:
    retried = (
        "tasks that failed are retried by the settings of its queue"
        if function.has_queue
        else f"events that failed are retried for {EVENT_RETRY_PERIODS[function.generation]}"
    )
    return f"{function.name}: {retried}; the old code will receive them"
