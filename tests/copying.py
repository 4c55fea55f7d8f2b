"""A shop whose policy admits copies, and what has become of those that were asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared import backing, topics
from shared.backing import Backup
from shared.copying import Copy
from shared.documents import decode, encode
from shared.ports import Put, Query
from shared.resources import BackupRules, CopyRules
from tests.crash import quick
from tests.fakes.hooks import Hook, no_hook
from tests.fakes.restores import ORIGINAL
from tests.world import PROBED, World

BUCKET = "exports"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RULES = BackupRules(copies=CopyRules())
POLICY = replace(quick(), backups=RULES, collections=PROBED.collections, erasure=PROBED.erasure)
DOCUMENTS: dict[str, Any] = {
    "customers/ada": {"email": "ada@example.com"},
    "customers/bob": {"email": "bob@example.com"},
    "orders/1": {"status": "open", "customer": "ada"},
    "orders/2": {"status": "open", "customer": "bob"},
}


def world(rules: BackupRules = RULES, hook: Hook = no_hook) -> World:
    """A shop of two customers with an order each, a day old."""
    made = World(hook, replace(POLICY, backups=rules))
    made.ports.mirrors.buckets = {BUCKET: {}}
    made.ports.kept.write(ORIGINAL, DOCUMENTS)
    made.ports.databases.hold_documents(ORIGINAL, customers=2, orders=2)
    made.ports.clock.advance(DAY)
    pass_time(made, MINUTE)  # the ledger has its salt
    return made


def pass_time(shop: World, span: timedelta) -> None:
    """Time passes, with a tick of the clock in each half minute."""
    until = shop.ports.clock.now() + span
    while shop.ports.clock.now() < until:
        shop.publish(topics.CLOCK, b"{}")
        shop.settle()
        shop.ports.clock.advance(MINUTE / 2)


def ask(shop: World, point: str = "1h") -> None:
    shop.command(command="copy", system="bookshop", restore_point=point)
    shop.settle()


def all_copies(shop: World) -> list[Copy]:
    found = [decode(Copy, one.fields) for one in shop.ports.store.query(Query("copies"))]
    return sorted(found, key=lambda one: one.id)


def copy_of(shop: World) -> Copy:
    [found] = all_copies(shop)
    return found


def told(shop: World) -> list[str]:
    events = shop.ports.store.query(Query("systems/bookshop/audit", order_by="at"))
    names = [str(one.fields["name"]) for one in events if one.fields]
    return [one for one in names if one.startswith("copy.")]


def notified(shop: World) -> list[str]:
    """What people were told, in order, each once."""
    found = shop.ports.store.query(Query("notices"))
    texts = [
        (one.fields["created_at"], one.fields["text"])
        for one in found
        if one.fields and str(one.fields["event"]).startswith("copy.")
    ]
    return list(dict.fromkeys(text for _, text in sorted(texts)))


def refusals(shop: World) -> list[str]:
    letters = [one for one in shop.ports.bus.messages if one.topic == topics.DEAD_LETTERS]
    return [str(one.attributes["reason"]) for one in letters]


def documents(shop: World, database: str) -> dict[str, Any]:
    found = shop.ports.kept.get(database, sorted(DOCUMENTS), None)
    return {path: one.fields for path, one in found.items() if one is not None}


def exported(shop: World) -> Backup:
    """A whole export of this minute, in the catalogue."""
    at = shop.ports.clock.now().replace(second=0, microsecond=0)
    begun = replace(backing.begun(POLICY, at, at), bucket=BUCKET)
    shop.ports.databases.begin(ORIGINAL, begun.prefix, at, ())
    shop.ports.clock.advance(5 * MINUTE)
    made = replace(begun, status=backing.Status.KEPT, places=(begun.prefix,))
    shop.ports.store.commit([Put(backing.path(made.id), encode(made))])
    return made
