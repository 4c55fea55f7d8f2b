"""The spoilt bookshop, whose documents are written back behind a fence."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared.domain.data.isolation.write_fence import FenceStatus
from shared.domain.policy.data_rules import FenceRules
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.health import ProbeAnswer
from tests.support.data.corrupted_bookshop import MINUTE, SHOP, CorruptedShop
from tests.support.data.write_fence import BEFORE, RULES, count_freeze_windows, read_fence, writer_scalings
from tests.support.fakes.runtime.hooks import Hook, no_hook

FENCED = replace(SHOP, fence=RULES)


class FencedShop(CorruptedShop):
    """The spoilt bookshop, of which something holds across documents."""

    def __init__(
        self,
        rules: FenceRules = RULES,
        policy: Policy = FENCED,
        hook: Hook = no_hook,
        spoilt: dict[str, dict[str, Any] | None] | None = None,
    ) -> None:
        super().__init__(replace(policy, fence=rules), hook, spoilt)
        self.behind: list[FenceStatus] = []
        """How far the fence was at each batch."""
        if hook is no_hook:
            self.ports.rewritten.hook = self.require_stopped_writers
        for name, scaling in BEFORE.items():
            self.ports.world.services()[name].scaling = scaling

    def require_stopped_writers(self, verb: str, side: str) -> None:
        """No writer has an instance while documents are written."""
        if (verb, side) == ("rewrites.rewrite", "before"):
            self.behind.append(read_fence(self).status)
            assert {one.manual for one in writer_scalings(self).values()} == {0}

    def after_a_batch(self, happens: Callable[[], None]) -> None:
        """Something happens as soon as the first batch is written."""

        def hook(verb: str, side: str) -> None:
            self.require_stopped_writers(verb, side)
            if (verb, side) == ("rewrites.rewrite", "after") and len(self.behind) == 1:
                happens()

        self.ports.rewritten.hook = hook

    def before_a_batch(self, happens: Callable[[], None]) -> None:
        """Something happens as soon as the copy for the first batch is kept."""

        def hook(verb: str, side: str) -> None:
            if (verb, side) == ("quarantine.keep", "after") and not self.behind:
                self.ports.quarantine.hook = no_hook
                happens()

        self.ports.quarantine.hook = hook

    def lift_fence(self) -> None:
        """A person lets the fence fall, under a worker."""
        self.command("carol", command="lift-fence", system="bookshop")
        self.deliver_commands()

    def pause_system(self) -> None:
        """A person throws the kill switch, under a worker that soon looks at it."""
        self.command("carol", command="pause")
        self.ports.clock.advance(timedelta(seconds=3))
        self.deliver_commands()

    def order_repair(self) -> None:
        """Ordered, and waiting for a second person."""
        self.order()
        self.run_until_parked()

    def run_until(self, holds: Callable[[], bool]) -> None:
        """Time passes until that holds, a quarter of an hour at most."""
        for _ in range(30):
            if holds():
                return
            self.pass_time(MINUTE / 2)
        raise AssertionError(self.newest)

    def approve_and_raise_fence(self) -> None:
        """The second person agrees, and the canary writes on: it does not stand."""
        self.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
        self.approve("bob")
        self.run_until(self.has_fence)
        assert read_fence(self).status is FenceStatus.RAISING

    def has_fence(self) -> bool:
        return self.ports.store.get("fences/bookshop").fields is not None


def assert_unfenced(shop: FencedShop) -> None:
    """Every function is what it was, and automation answers alerts again."""
    assert read_fence(shop).status is FenceStatus.DOWN
    assert writer_scalings(shop) == BEFORE
    assert count_freeze_windows(shop) == 0


def hold_reasons(shop: CorruptedShop) -> str:
    """Why it was not begun yet, each time."""
    events = [one for entry in shop.trail(shop.newest) for one in entry.events]
    return " ".join(str(one.facts["note"]) for one in events if one.name == "decision.held")


def freeze_system(shop: FencedShop) -> None:
    """A person wants nothing to be changed."""
    shop.command("carol", command="freeze", system="bookshop", until="2036-11-28T20:00:00Z")
    shop.settle()


def remove_fence_from_policy(shop: FencedShop) -> None:
    """A policy without any fence is installed."""
    shop.policy = replace(shop.policy, fence=None)
    shop.start_instances()


def build_repaired_shop(shop: FencedShop) -> FencedShop:
    """Its documents are back, its own fence is down, and nobody looks any more."""
    shop.order_repair()
    shop.approve("bob")
    shop.pass_time(15 * MINUTE)
    assert_unfenced(shop)
    shop.behind.clear()
    return shop


def order_fenced_undo(shop: FencedShop) -> None:
    """Ordered, and waiting for a second person."""
    shop.command("alice", command="undo", system="bookshop", incident=shop.newest.incident)
    shop.run_until_parked(2)
