"""Can a deployment still be gone back to? What it needs, compared with what is there; pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from shared.deployment import Deployment, Inventory, Restorability
from shared.differences import Part
from shared.inventory import FunctionState, SecretVersion, WholeInventory

IMAGES = "images"
"""Nobody here can look into the registry: a revision that is ready has its image, as of then."""


def restorability(
    deployment: Deployment,
    record: WholeInventory,
    live: WholeInventory,
    inventory: Inventory | None,
    now: datetime,
) -> Restorability:
    """What stands in the way of going back, and what could not be looked at.

    `record` is all that was live in the deployment, `live` what is live now, each part None where
    it gave no answer; `inventory` has every revision that there is.
    """
    faults = [*_of_secrets(record, live), *_of_accounts(record, live), *_of_indexes(record, live)]
    unknown = [part.value for part in _looked_at(record) if getattr(live, part) is None]
    if inventory is None:
        unknown.append("revisions")
    else:
        faults += _of_revisions(deployment, inventory)
    return Restorability(now, tuple(sorted(set(faults))), (*sorted(unknown), IMAGES))


def _looked_at(record: WholeInventory) -> Iterator[Part]:
    """The parts that matter here and that the deployment had something of."""
    for part in (Part.ACCOUNTS, Part.INDEXES, Part.SECRETS):
        if getattr(record, part):
            yield part


def _of_revisions(deployment: Deployment, inventory: Inventory) -> Iterator[str]:
    for function, placed in deployment.functions.items():
        found = inventory.get(function)
        if found is None:
            yield f"{function} is gone"
            continue
        for name in placed.revisions:
            revision = found.revision(name)
            if revision is None:
                yield f"{function}: revision {name} is gone"
            elif not revision.ready:
                yield f"{function}: revision {name} is not ready"


def _of_secrets(record: WholeInventory, live: WholeInventory) -> Iterator[str]:
    """The bound versions of secrets that are there no more, or not enabled."""
    if live.secrets is None or not record.secrets:
        return
    for function in (record.functions or {}).values():
        for secret, version in sorted(_bound(function)):
            if f"{secret}/{version}" in record.secrets or version == "latest":
                state = _state(secret, version, live.secrets)
                if state != "ENABLED":
                    yield f"{function.name}: secret {secret}/{version} is {state}"


def _bound(function: FunctionState) -> set[tuple[str, str]]:
    """The secrets that its revisions, or its code where it has none, find at their start."""
    several = [one.configuration for one in function.revisions.values()]
    return {
        (use.secret, use.version)
        for configuration in several or [function.configuration]
        for use in configuration.secrets
    }


def _state(secret: str, version: str, versions: dict[str, SecretVersion]) -> str:
    """The state of a version; `latest` is enabled as long as any version is."""
    if version != "latest":
        found = versions.get(f"{secret}/{version}")
        return found.state if found else "gone"
    states = {one.state for name, one in versions.items() if name.startswith(f"{secret}/")}
    return "ENABLED" if "ENABLED" in states else "gone or disabled"


def _of_accounts(record: WholeInventory, live: WholeInventory) -> Iterator[str]:
    """The runtime accounts that may do nothing any more: deleted, or stripped of every role."""
    if live.accounts is None:
        return
    for account, roles in (record.accounts or {}).items():
        if roles and account in live.accounts and not live.accounts[account]:
            yield f"account {account} is gone, or has no role any more"


def _of_indexes(record: WholeInventory, live: WholeInventory) -> Iterator[str]:
    if live.indexes is None:
        return
    for definition in record.indexes or {}:
        if definition not in live.indexes:
            yield f"index {definition} is gone"
