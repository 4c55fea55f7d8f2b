"""A shop whose data are looked through each hour."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from responders.jobs.data_check import advance_data_checks
from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.data.integrity import damage
from shared.domain.data.integrity.damage import IntegrityRecord
from shared.domain.policy.data_rules import Collection, IntegrityRules
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.alert import Alert
from tests.support.fakes.firestore.documents import FakeDocuments
from tests.support.runtime.world import CHECKED, World

HERE = "(default)"
HOUR = timedelta(hours=1)
SHOP = replace(
    CHECKED,
    integrity=IntegrityRules(every=HOUR, read_budget=100_000),
    collections={**CHECKED.collections, "covers": Collection(media={"file": "shop-media"}, largest_drop=0.2)},
    signals={**CHECKED.signals, "data_loss": CHECKED.signals["database_corruption"]},
)
GOOD: dict[str, dict[str, Any] | None] = {
    **{f"customers/{number}": {"email": "a@b"} for number in range(19)},
    **{f"covers/no-{number}": {} for number in range(19)},
    "customers/ada": {"email": "ada@example.com"},
    "orders/1": {"customer": "ada", "status": "paid", "amount": 3},
    "covers/1": {"file": "1.png"},
}


class CheckedShop(World):
    """The bookshop with data, which a look has found good."""

    def __init__(self, policy: Policy = SHOP, **more: Any) -> None:
        super().__init__(policy=policy, **more)
        self.data: FakeDocuments = self.ports.kept
        self.ports.databases.hold_documents(HERE)
        self.ports.media.files["gs://shop-media/1.png"] = b"x"
        self.write(GOOD)
        self.checked = policy
        self.look()

    def write(self, documents: dict[str, dict[str, Any] | None]) -> None:
        self.data.write(HERE, documents)

    def check(self) -> None:
        """One minute's check, by the policy as it is now."""
        advance_data_checks(self.ports, {self.checked.system: self.checked})

    def look(self) -> IntegrityRecord:
        """The record after the run of the next hour."""
        self.ports.clock.advance(HOUR)
        for _ in range(3):
            self.check()
        return self.record()

    def record(self) -> IntegrityRecord:
        return decode(IntegrityRecord, self.ports.store.get(damage.damage_path("bookshop")).fields or {})

    def alerts(self) -> list[Alert]:
        found = self.ports.store.query(Query("alerts"))
        return [decode(Alert, one.fields) for one in found]
