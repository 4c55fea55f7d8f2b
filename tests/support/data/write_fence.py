"""A shop whose writers can be stopped: how a fence is raised and lifted, and what shows of it."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.data.isolation import write_fence as fences
from shared.domain.data.isolation.write_fence import Fence
from shared.domain.deployments.inventory.traffic import Scaling
from shared.domain.incidents import incident
from shared.domain.incidents.incident import PublicState
from shared.domain.policy.data_rules import FenceRules
from shared.domain.system_record import System
from tests.support.fakes.groups import SystemFakes
from tests.support.fakes.runtime.hooks import Hook, no_hook
from tests.support.faults.fault_injection import shorten_watch
from tests.support.notices import system_events
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)
RULES = FenceRules(invariants=("an order is paid once",), writers=("checkout",), canary="order-status")
POLICY = replace(shorten_watch(), fence=RULES)
WRITERS = ("createOrder", "orderStatus", "payOrder")
BEFORE = {"createOrder": Scaling(1, 20), "orderStatus": Scaling(), "payOrder": Scaling(0, 0, 3)}
"""What their instances were: each of another kind."""


def build_shop_with_fence(rules: FenceRules | None = RULES, hook: Hook = no_hook) -> World:
    made = World(hook, replace(POLICY, fence=rules))
    for name, scaling in BEFORE.items():
        made.ports.world.services()[name].scaling = scaling
    return made


def writer_scalings(shop: World) -> dict[str, Scaling]:
    return {name: shop.ports.world.services()[name].scaling for name in WRITERS}


def other_scalings(shop: World) -> set[Scaling]:
    services = shop.ports.world.services()
    return {one.scaling for name, one in services.items() if name not in WRITERS}


def read_fence(shop: World) -> Fence:
    return decode(Fence, shop.ports.store.get(fences.fence_path("bookshop")).fields)


def raise_fence(shop: World, **said: Any) -> None:
    shop.command(command="fence", system="bookshop", **said)
    shop.settle()


def lift_fence(shop: World) -> None:
    shop.command(command="lift-fence", system="bookshop")
    shop.settle()


def fence_event_names(shop: World) -> list[str]:
    return system_events.system_event_names(shop, "fence.")


def notified_events(shop: World) -> list[str]:
    return system_events.notified_texts(shop, "fence.")


def read_public_states(shop: World) -> list[PublicState]:
    found = shop.ports.store.query(Query(incident.public_history_path("bookshop")))
    return [decode(PublicState, one.fields) for one in found]


def count_freeze_windows(shop: World) -> int:
    return len(decode(System, shop.ports.store.get("systems/bookshop").fields).freezes)


def remove_policy(shop: World) -> None:
    """The policy file is gone; another system's is there."""
    shop.policy = replace(POLICY, system="library", project="library", fence=None)
    shop.start_instances()
    known = shop.ports.system

    def system(name: str) -> SystemFakes:
        if name != "library":
            raise KeyError(name)
        return known(name)

    shop.ports.system = system  # type: ignore[method-assign]  # as the wiring answers
