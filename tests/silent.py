"""The spoilt bookshop, whose triggers are told nothing of what a repair writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared import silence as silences
from shared.documents import decode
from shared.feeds import Feed, Told
from shared.integrity_rules import OnRepair
from shared.policy import Policy
from shared.silence import Silence
from shared.triggers import Change, Hearer, Trigger
from shared.upheld import Status
from shared.versions import Version
from tests import outside
from tests.fakes.feeds import Subscription
from tests.fakes.hooks import Hook, no_hook, once
from tests.spoilt import HERE, MINUTE, SHOP, Shop

PUSH = b"https://receipts.example"
"""Stands for a push configuration."""
KEPT = timedelta(days=1)
EVENT = "google.cloud.firestore.document.v1."
ORDERS = "projects/bookshop/subscriptions/eventarc-eur3-on-order-sub-1"
CUSTOMERS = "projects/bookshop/subscriptions/eventarc-eur3-on-customer-sub-2"
BOTH = "projects/bookshop/subscriptions/eventarc-eur3-on-any-sub-3"
SILENT = replace(
    SHOP,
    collections={
        name: replace(one, on_repair=OnRepair.SUPPRESS) for name, one in SHOP.collections.items()
    },
)
HEARERS = {
    ORDERS: Hearer("workflow receipt (trigger on-order)", f"{EVENT}written", "orders/{order}"),
    CUSTOMERS: Hearer(
        "workflow greet (trigger on-customer)",
        f"{EVENT}updated.withAuthContext",
        "customers/{customer}",
    ),
    BOTH: Hearer("service audit (trigger on-any)", f"{EVENT}written", "{path=**}"),
}


class SilentShop(Shop):
    """What its documents become is told to whoever hears of them, by a subscription each."""

    def __init__(
        self,
        policy: Policy = SILENT,
        hook: Hook = no_hook,
        spoilt: dict[str, dict[str, Any] | None] | None = None,
        late: bool = False,
    ) -> None:
        super().__init__(policy, hook, spoilt)
        self.late: list[tuple[str, Told]] | None = [] if late else None
        """Events that have not come yet; None: each comes at once."""
        self.owed: dict[str, Counter[Told]] = {name: Counter() for name in HEARERS}
        """What the application has done, of which each must be told at least once."""
        feeds = self.ports.feeds
        for name, one in HEARERS.items():
            push, flags = PUSH + one.name.encode(), f"--push-endpoint={PUSH.decode()}"
            feeds.known[name] = Subscription(Feed(push, KEPT, by_hand=flags))
            filters = {"type": one.event, "database": HERE, "document": one.pattern}
            kind, short = one.name.removesuffix(")").split(" (trigger ")
            trigger = f"projects/bookshop/locations/eur3/triggers/{short}"
            self.ports.beside.hearing.append(Trigger(trigger, kind, filters, name))
        self.ports.kept.hears = self.hear

    def hear(self, database: str, before: Version | None, after: Version | None) -> None:
        """Whoever hears of it is told, soon."""
        known = after or before
        if known is None:
            return
        told = Told(database, known.path, known.updated_at, is_gone=after is None)
        change = Change.CREATED if before is None else Change.UPDATED
        for name, one in HEARERS.items():
            if one.hears(known.path, change if after is not None else Change.DELETED):
                if self.late is None:
                    self.ports.feeds.tell(name, told)
                else:
                    self.late.append((name, told))

    def come(self) -> None:
        """What was late comes."""
        for name, told in self.late or ():
            self.ports.feeds.tell(name, told)
        self.late = None

    def work(self, documents: dict[str, dict[str, Any] | None]) -> None:
        """The application writes these itself, and is owed to hear of it."""
        before, hears = self.ports.feeds, self.ports.kept.hears
        seen: list[tuple[str, Told]] = []
        late, self.late = self.late, seen
        self.write(documents)
        self.late = late
        for name, told in seen:
            self.owed[name][told] += 1
            if self.late is None:
                before.tell(name, told)
            else:
                self.late.append((name, told))
        assert hears == self.hear

    def asked(self) -> None:
        """Ordered, and waiting for a second person."""
        self.order()
        self.parked()

    def until(self, holds: Callable[[], bool], minutes: int = 30) -> None:
        """Time passes until that holds."""
        for _ in range(2 * minutes):
            if holds():
                return
            self.pass_time(MINUTE / 2)
        raise AssertionError(self.silence if self.has_silence else self.newest)

    @property
    def has_silence(self) -> bool:
        return self.ports.store.get(silences.path("bookshop")).fields is not None

    @property
    def silence(self) -> Silence:
        return decode(Silence, self.ports.store.get(silences.path("bookshop")).fields)

    def comes_to(self, status: Status) -> None:
        """Time passes until the silence has come that far."""
        self.until(lambda: self.has_silence and self.silence.status is status)

    def pushes(self) -> dict[str, bytes]:
        return {name: one.feed.push for name, one in self.ports.feeds.known.items()}

    def told(self, name: str) -> Counter[Told]:
        """What one hearer was told of since the shop has opened."""
        self.ports.feeds.deliver()
        return Counter(one for one in self.ports.feeds.known[name].pushed if one is not None)


AS_BEFORE = {name: PUSH + one.name.encode() for name, one in HEARERS.items()}


def expect_the_applications_own(shop: SilentShop) -> None:
    """Each hearer is told of all that the application did, and of nothing else; as before."""
    assert shop.pushes() == AS_BEFORE
    for name in HEARERS:
        told = shop.told(name)
        assert told.keys() == shop.owed[name].keys(), name
        assert not shop.ports.feeds.known[name].waiting


def told(shop: SilentShop) -> list[str]:
    return outside.told(shop, "silence.")


def notified(shop: SilentShop) -> list[str]:
    return outside.notified(shop, "silence.")


def meanwhile(shop: SilentShop, happens: Callable[[], None], side: str = "after") -> None:
    """It happens as soon as the first batch is written, or before."""
    shop.ports.rewritten.hook = once("rewrites.rewrite", side, happens)


def repaired(shop: SilentShop) -> SilentShop:
    """Its documents are back, and nobody looks any more."""
    shop.asked()
    shop.approve("bob")
    shop.comes_to(Status.DOWN)
    return shop


def kept_from(shop: SilentShop) -> dict[str, tuple[int, int]]:
    """How many events of ours each hearer was kept from, and how many there were to be."""
    return {one.subscription: (one.kept_from, one.expected) for one in shop.silence.listeners}
