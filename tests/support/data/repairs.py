"""The database of a spoilt bookshop, and one repair of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from responders.data.erasure_ledger import update_due_ledgers
from responders.data.repair.document_outcomes import RepairSelector, read_expiries
from responders.data.repair.writer import DocumentRewriter, MayGoOn
from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.data.repair import quarantine, repair_plan
from shared.domain.data.repair.quarantine import JournalEntry
from shared.domain.data.repair.repair_plan import DocumentOutcome, RepairGoal, RepairPosition
from shared.domain.policy.data_rules import Collection
from shared.domain.policy.document_scope import Scope
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import Step
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from shared.domain.rollback.write_ramp import WriteRamp
from tests.support.runtime.world import CHECKED, FakePorts, PortShortcuts

HERE = "(default)"
MINUTE = timedelta(minutes=1)
SHOP = replace(
    CHECKED,
    collections={
        **CHECKED.collections,
        "carts": Collection(schema={"type": "object", "required": ["n"]}, expires="until"),
    },
)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ROLLBACK = Rollback("INC-1", "INC-1", "bookshop", RollbackStatus.RUNNING, NOON, NOON)
STEP = Step("repair ", repair_plan.KIND, "customers")
GOOD: dict[str, dict[str, Any] | None] = {
    "customers/ada": {"email": "ada@example.com"},
    "customers/bob": {"email": "bob@example.com"},
    "customers/eve": {"email": "eve@example.com"},
    "orders/1": {"customer": "ada", "status": "paid", "amount": 3},
    "orders/2": {"customer": "bob", "status": "open"},
}


class RepairedShop(PortShortcuts):
    """The bookshop's database, and one repair of it."""

    def __init__(self, policy: Policy = SHOP) -> None:
        self.policy = policy
        self.ports = FakePorts(policy)
        self.ports.databases.hold_documents(HERE)
        update_due_ledgers(self.ports, {policy.system: policy})
        self.write(GOOD)
        self.restore_from_now()
        self.may_go_on: MayGoOn = lambda deadline: True

    def write(self, documents: dict[str, dict[str, Any] | None]) -> None:
        self.ports.kept.write(HERE, documents)

    def restore_from_now(self) -> None:
        """What is restored is what there is now; a minute passes before and after this moment."""
        self.pass_time()
        self.before = self.now
        self.pass_time()

    def pass_time(self) -> None:
        self.ports.clock.advance(MINUTE)

    def goal(self, collection: str, select: str = "invalid", **more: Any) -> RepairGoal:
        self.pass_time()
        at = self.ports.clock.now()
        self.pass_time()
        known = repair_plan.parse_selection(select)
        return replace(RepairGoal(HERE, at, HERE, self.before, known, Scope(collection)), **more)

    def fates(self, collection: str, select: str = "invalid", **more: Any) -> dict[str, DocumentOutcome]:
        batches = self.build_selector(self.goal(collection, select, **more)).select_batches(RepairPosition())
        return {one.path: one.fate for batch in batches for one in batch.fated}

    def build_selector(self, goal: RepairGoal) -> RepairSelector:
        expiries = read_expiries(self.ports, self.policy, HERE)
        return RepairSelector(self.ports, self.policy, goal, expiries)

    @property
    def rewriting(self) -> DocumentRewriter:
        ramp = WriteRamp(0.0, self.ports.clock.monotonic())
        return DocumentRewriter(self.ports, self.policy, ROLLBACK, ramp, self.may_go_on)

    def repair(self, collection: str, select: str = "invalid", **more: Any) -> RepairPosition:
        return self.write_all_portions(self.goal(collection, select, **more))

    def write_all_portions(self, goal: RepairGoal) -> RepairPosition:
        position, step = RepairPosition(), replace(STEP, name=f"repair {goal.after}")
        while not position.is_over:
            position = self.rewriting.rewrite_portion(step, goal, position)
        return position

    def read_documents(self, *paths: str) -> list[dict[str, Any] | None]:
        found = self.ports.kept.get(HERE, paths, None)
        return [one.fields if (one := found[path]) is not None else None for path in paths]

    def journal(self) -> list[JournalEntry]:
        found = self.ports.store.query(Query(quarantine.journal_path("INC-1")))
        return [decode(JournalEntry, one.fields) for one in found]

    def landed_paths(self) -> set[str]:
        return {one.path for entry in self.journal() for one in entry.landed}
