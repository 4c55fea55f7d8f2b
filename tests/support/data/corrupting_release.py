"""A shop whose documents a release has corrupted, which a check of the data finds."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared.domain.policy.data_rules import IntegrityRules, OnRepair
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import Direction, Rollback
from tests.support.data.data_checks import HERE, SHOP, CheckedShop
from tests.support.faults.fault_injection import shorten_watch

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LOSS = SHOP.signals["data_loss"]
OTHERS = {"database_failure_rate": LOSS, "security_breach": replace(LOSS, scenario=ScenarioName.COMPLETE)}
POLICY = shorten_watch(
    replace(
        SHOP,
        integrity=IntegrityRules(every=timedelta(hours=1), read_budget=100_000, quiet=2 * MINUTE),
        fence=None,
        collections={name: replace(one, on_repair=OnRepair.FIRE) for name, one in SHOP.collections.items()},
        scenarios=dict.fromkeys(ScenarioName, Mode.ACT),
        signals={name: replace(one, mode=Mode.ACT) for name, one in {**SHOP.signals, **OTHERS}.items()},
    )
)
SPOILT: dict[str, Any] = {"customer": "ada", "status": "paid"}


class SpoiltShop(CheckedShop):
    """A shop in which a release has corrupted an order, as a check finds within the hour."""

    def __init__(self, policy: Policy = POLICY, **more: Any) -> None:
        super().__init__(policy, **more)
        self.before = self.live
        self.pass_time(50 * MINUTE)
        self.ports.world.deploy(["createOrder", "getBook"], failure_rate=0.0)
        self.pass_time(5 * MINUTE)
        self.spoil()

    def spoil(self) -> None:
        self.write({"orders/1": SPOILT})

    def order_one(self) -> dict[str, Any] | None:
        found = self.data.get_quietly(HERE, "orders/1")
        return found.fields if found is not None else None

    def questions(self) -> list[Rollback]:
        return [one for one in self.rollbacks() if one.way is Direction.REPAIR]

    def say(self, actor: str, verb: str) -> None:
        self.command(actor, command=verb, system="bookshop", incident=self.incidents()[-1].id)
        self.settle()
