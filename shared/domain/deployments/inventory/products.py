"""The parts of an inventory, and the facts that are declared of each product."""

from enum import StrEnum

from shared.core.codec import FrozenStruct
from shared.domain.policy.resources import Resources


class InventoryPart(StrEnum):
    """The parts of an inventory, by the names that they have there."""

    FUNCTIONS = "functions"
    SITES = "sites"
    REMOTE_CONFIG = "remote_config"
    RULES = "rules"
    IDENTITY = "identity"
    INDEXES = "indexes"
    SECRETS = "secrets"
    SCHEDULES = "schedules"
    ACCOUNTS = "accounts"
    INVOKERS = "invokers"


class Product(FrozenStruct):
    """The facts of one part of an inventory."""

    check: str = ""
    """The check of `rollback doctor` that reads it; empty: it has checks of its own."""
    keys: tuple[str, ...] = ()
    """The keys of `resources` in a policy that protect it."""
    is_restored: bool = False
    """Whether it lies beside the functions and a rollback may restore it."""
    passing: frozenset[str] = frozenset()
    """Fields that may differ while the same is live: times, versions, etags, our own copies."""
    dated: tuple[str, str] | None = None
    """The field whose change the platform dates, and the field with that time."""
    unrestored_as: str = ""
    """How a plan calls a thing of it that was changed and is not restored; empty: not at all."""


PRODUCTS: dict[InventoryPart, Product] = {
    InventoryPart.FUNCTIONS: Product(passing=frozenset({"copy", "latest", "scaling", "trigger"})),
    InventoryPart.SITES: Product(
        check="hosting",
        keys=("hosting_sites",),
        is_restored=True,
        passing=frozenset({"released_at"}),
        dated=("version", "released_at"),
    ),
    InventoryPart.REMOTE_CONFIG: Product(
        check="remote-config",
        keys=("remote_config",),
        is_restored=True,
        passing=frozenset({"content", "etag", "version"}),
    ),
    InventoryPart.RULES: Product(
        check="rules",
        keys=("databases", "storage_buckets"),
        is_restored=True,
        passing=frozenset({"source", "updated_at"}),
        dated=("ruleset", "updated_at"),
    ),
    InventoryPart.IDENTITY: Product(check="identity", keys=("identity",), is_restored=True),
    InventoryPart.INDEXES: Product(
        check="indexes", keys=("databases",), is_restored=True, passing=frozenset({"state"})
    ),
    InventoryPart.SECRETS: Product(check="secrets", keys=("secrets",)),
    InventoryPart.SCHEDULES: Product(check="schedules", keys=("schedules",), unrestored_as="schedule"),
    InventoryPart.ACCOUNTS: Product(check="accounts", keys=("accounts",), unrestored_as="the roles of"),
    InventoryPart.INVOKERS: Product(check="invokers", keys=("invokers",), unrestored_as="who may call"),
}


def restored_parts() -> list[InventoryPart]:
    """Return the parts that a rollback may restore beside the functions, by name."""
    return sorted(part for part, product in PRODUCTS.items() if product.is_restored)


def is_protected(resources: Resources, part: InventoryPart) -> bool:
    """Return whether a policy names something of a part."""
    absent = Resources()
    return any(getattr(resources, key) != getattr(absent, key) for key in PRODUCTS[part].keys)
