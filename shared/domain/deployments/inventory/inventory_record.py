"""All that is live as it was last seen: one document per system, and one below each deployment."""

import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from shared.core.codec import DocumentFields, StoredDocument, documents_of, from_builtins, from_json
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.system_policy import Policy

inventory_path = documents_of("inventory")


class InventoryRecord(StoredDocument):
    """What was live when all of it was last read."""

    system: str
    read_at: datetime
    """It was read no earlier; by the store's clock."""
    due_at: datetime
    """When it is to be read again, hint or not."""
    live: WholeInventory
    unknown: tuple[InventoryPart, ...] = ()
    """Parts that gave no answer then: they are as they were seen before, or unknown."""
    rolling_out: str = ""
    """The deployment that has not settled yet."""
    wrote: dict[str, str] = {}
    """The functions that are where a rollback of ours has put them, and which one."""
    unkept: dict[str, str] = {}
    """Why something of a function is not kept, by `copy FUNCTION` and `values FUNCTION`."""
    old_secrets: tuple[str, ...] = ()
    """Those in use that nobody has renewed for too long, in order."""
    codebases: dict[str, str] = {}
    """Of every live function of the project and region, the policy's or not, by name."""
    deleted: dict[str, str] = {}
    """The same of the functions that were deleted since the newest stable deployment."""
    ungrouped: tuple[str, ...] = ()
    """The live functions that no group covers, in order."""


def known_functions(fields: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the functions that groups are resolved over, from the fields of its document."""
    return {**(fields or {}).get("deleted", {}), **(fields or {}).get("codebases", {})}


def encode(stock: InventoryRecord) -> DocumentFields:
    """The fields of its document; `id` is what it is handed on by."""
    fields: DocumentFields = msgspec.to_builtins(
        replace(stock, live=WholeInventory()), builtin_types=(datetime,)
    )
    return {**fields, "id": stock.system, "live": pack_inventory(stock.live)}


def decode(fields: Mapping[str, Any]) -> InventoryRecord:
    """The value of its document. Raises: msgspec.ValidationError."""
    return from_builtins({**fields, "live": unpack_inventory(fields["live"])}, InventoryRecord)


def pack_inventory(whole: WholeInventory) -> bytes:
    """An inventory in the room that a document has: 1,000 functions take about a third of it."""
    return zlib.compress(msgspec.json.encode(whole))


def unpack_inventory(content: bytes) -> WholeInventory:
    """The inventory again. Raises: msgspec.ValidationError, msgspec.DecodeError, zlib.error."""
    return from_json(zlib.decompress(content), WholeInventory)


def filter_protected(whole: WholeInventory, policy: Policy) -> WholeInventory:
    """Of an inventory what the policy protects: a project has functions of others, too."""
    if whole.functions is None:
        return whole
    ours = {name: one for name, one in whole.functions.items() if name in policy.functions}
    return replace(whole, functions=ours)


def unknown_parts(whole: WholeInventory) -> tuple[InventoryPart, ...]:
    """The parts that gave no answer."""
    return tuple(part for part in InventoryPart if getattr(whole, part) is None)


def outdated_secrets(live: WholeInventory, policy: Policy, now: datetime) -> tuple[str, ...]:
    """Return used secrets whose newest enabled version is too old; none of unread secrets."""
    newest: dict[str, datetime] = {}
    for name, version in (live.secrets or {}).items():
        secret = name.partition("/")[0]
        if version.state == "ENABLED":
            newest[secret] = max(version.created_at, newest.get(secret, version.created_at))
    used = {use.secret for one in live.function_states.values() for use in one.configuration.secrets}
    limit = now - policy.deployments.secrets_renewed_within
    return tuple(sorted(secret for secret in used if newest.get(secret, now) < limit))


def fill_unknown_parts(live: WholeInventory, before: WholeInventory) -> WholeInventory:
    """What is live; parts that gave no answer are taken to be as they were."""
    return replace(live, **{part.value: getattr(before, part) for part in unknown_parts(live)})
