"""A bookshop whose data a release has spoilt, and what people say to have them back."""

import json
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.data.repair import quarantine
from shared.domain.data.repair.quarantine import JournalEntry
from shared.domain.deployments.inventory.inventory_parts import FunctionState, Generation
from shared.domain.policy.data_rules import Derived, ErasureRules, IntegrityRules, OnRepair, Place
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from tests.support.fakes.runtime.hooks import Hook, no_hook
from tests.support.faults.fault_injection import shorten_watch
from tests.support.runtime.world import CHECKED, World

HERE = "(default)"
MINUTE = timedelta(minutes=1)
SHOP = shorten_watch(
    replace(
        CHECKED,
        integrity=IntegrityRules(quiet=2 * MINUTE),
        fence=None,
        collections={
            name: replace(one, on_repair=OnRepair.FIRE) for name, one in CHECKED.collections.items()
        },
    )
)
GOOD: dict[str, dict[str, Any] | None] = {
    "customers/ada": {"email": "ada@example.com"},
    "customers/bob": {"email": "bob@example.com"},
    "orders/1": {"customer": "ada", "status": "paid", "amount": 3},
}
DERIVED = replace(
    SHOP,
    collections={
        name: replace(one, derived=(Derived("make-again"),)) for name, one in SHOP.collections.items()
    },
)
"""Something is made from each of its documents."""
ERASURE = ErasureRules((Place("customers"), Place("orders", field="customer")), "erased", "who", "done")
"""The application keeps a list of whom it has erased."""
SPOILT: dict[str, dict[str, Any] | None] = {
    "customers/ada": {"name": "Ada"},
    "orders/1": {"customer": "ada", "status": "paid"},
}


class CorruptedShop(World):
    """The bookshop, whose data a release has spoilt a quarter of an hour ago."""

    def __init__(
        self,
        policy: Policy = SHOP,
        hook: Hook = no_hook,
        spoilt: dict[str, dict[str, Any] | None] | None = None,
    ) -> None:
        super().__init__(hook, policy)
        self.ports.databases.hold_documents(HERE)
        self.write(GOOD)
        self.pass_time(3 * MINUTE)
        self.spoilt = SPOILT if spoilt is None else spoilt
        self.write(self.spoilt)
        self.ports.clock.advance(15 * MINUTE)

    def write(self, documents: dict[str, dict[str, Any] | None]) -> None:
        self.ports.kept.write(HERE, documents)

    def order(self, **more: Any) -> None:
        said = {"scenario": "database", "restore_point": "15m", **more}
        self.command("alice", command="rollback", system="bookshop", **said)
        self.settle()

    def order_until_parked(self, **more: Any) -> Rollback:
        """Order a repair, and let time pass until it waits for a person."""
        self.order(**more)
        return self.run_until_parked()

    def approve(self, *people: str) -> None:
        for person in people:
            said = {"command": "approve", "incident": self.newest.incident}
            self.command(person, system="bookshop", **said)
            self.settle()

    @property
    def newest(self) -> Rollback:
        return self.rollbacks()[-1]

    @property
    def data(self) -> dict[str, dict[str, Any] | None]:
        found = self.ports.kept.get(HERE, sorted({*GOOD, *self.spoilt}), None)
        return {path: one.fields if one is not None else None for path, one in found.items()}

    def written(self) -> set[str]:
        path = quarantine.journal_path(self.newest.id)
        found = [decode(JournalEntry, one.fields) for one in self.ports.store.query(Query(path))]
        return {landed.path for entry in found for landed in entry.landed}

    def run_until_parked(self, minutes: int = 8) -> Rollback:
        self.pass_time(minutes * MINUTE)
        assert self.newest.status is RollbackStatus.PARKED, self.newest.outcome
        return self.newest


def forecast_document_counts(shop: CorruptedShop, kind: str) -> list[int]:
    """How many documents each step of that kind was to go through, for the forecast."""
    steps = shop.steps(shop.newest.id).values()
    return [one.goal["documents"] for one in steps if one.kind == kind]


def order_undo(shop: CorruptedShop) -> None:
    said = {"command": "undo", "incident": shop.newest.incident}
    shop.command("alice", system="bookshop", **said)
    shop.pass_time(2 * MINUTE)
    if shop.newest.status is RollbackStatus.PARKED:
        shop.approve("bob")
    shop.pass_time(2 * MINUTE)


def build_repaired_shop(policy: Policy = SHOP) -> CorruptedShop:
    shop = CorruptedShop(policy)
    shop.order_until_parked()
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    return shop


def requested_regenerations(shop: CorruptedShop) -> list[list[str]]:
    """The documents that each message named."""
    return [json.loads(one.data)["documents"] for one in shop.ports.theirs.messages]


def build_document_trigger(document: str) -> FunctionState:
    """A function that hears of documents."""
    definition = {
        "eventTrigger": {
            "eventType": "google.cloud.firestore.document.v1.written",
            "eventFilters": [{"attribute": "document", "value": document}],
        }
    }
    return FunctionState("sendReceipt", Generation.SECOND, definition=definition)
