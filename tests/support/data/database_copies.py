"""A shop whose policy admits copies, and what has become of those that were asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared.core.codec import decode, encode
from shared.core.store import Put, Query
from shared.domain.data.backups import export
from shared.domain.data.backups.database_copy import Copy
from shared.domain.data.backups.export import Backup
from shared.domain.data.erasure import ledger as erasures
from shared.domain.data.erasure.ledger import Book
from shared.domain.policy.resources import BackupRules, CopyRules
from tests.support.fakes.firestore.restores import ORIGINAL
from tests.support.fakes.runtime.hooks import Hook, no_hook
from tests.support.faults.fault_injection import quick
from tests.support.notices import system_events
from tests.support.notices.system_events import pass_time
from tests.support.runtime.world import EXAMPLE, World

BUCKET = "exports"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RULES = BackupRules(copies=CopyRules())
POLICY = replace(quick(), backups=RULES, collections=EXAMPLE.collections, erasure=EXAMPLE.erasure)
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
    return system_events.told(shop, "copy.")


def notified(shop: World) -> list[str]:
    return system_events.notified(shop, "copy.")


def documents(shop: World, database: str) -> dict[str, Any]:
    found = shop.ports.kept.get(database, sorted(DOCUMENTS), None)
    return {path: one.fields for path, one in found.items() if one is not None}


def exported(shop: World) -> Backup:
    """A whole export of this minute, in the catalogue."""
    at = shop.ports.clock.now().replace(second=0, microsecond=0)
    begun = replace(export.begun(POLICY, at, at), bucket=BUCKET)
    shop.ports.databases.begin(ORIGINAL, begun.prefix, at)
    shop.ports.clock.advance(5 * MINUTE)
    made = replace(begun, status=export.ExportStatus.KEPT, places=(begun.prefix,))
    shop.ports.store.commit([Put(export.export_path(made.id), encode(made))])
    return made


def erase(shop: World, person: str) -> None:
    book = decode(Book, shop.ports.store.get(erasures.book_path("bookshop")).fields)
    hashed = erasures.hashed(book.salt, person)
    shop.command(command="erase", system="bookshop", person=hashed)
    shop.settle()
