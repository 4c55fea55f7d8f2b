"""A shop whose policy admits copies, and what has become of those that were asked for."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared.core.codec import decode, encode
from shared.core.store import Put, Query
from shared.domain.data.backups import export
from shared.domain.data.backups.database_copy import DatabaseCopy
from shared.domain.data.backups.export import Backup
from shared.domain.data.erasure import ledger as erasures
from shared.domain.data.erasure.ledger import ErasureLedgerRecord
from shared.domain.policy.resources import BackupRules, CopyRules
from tests.support.fakes.firestore.restores import ORIGINAL
from tests.support.fakes.runtime.hooks import Hook, no_hook
from tests.support.faults.fault_injection import shorten_watch
from tests.support.notices import system_events
from tests.support.notices.system_events import pass_time
from tests.support.runtime.world import EXAMPLE, World

BUCKET = "exports"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RULES = BackupRules(copies=CopyRules())
POLICY = replace(shorten_watch(), backups=RULES, collections=EXAMPLE.collections, erasure=EXAMPLE.erasure)
DOCUMENTS: dict[str, Any] = {
    "customers/ada": {"email": "ada@example.com"},
    "customers/bob": {"email": "bob@example.com"},
    "orders/1": {"status": "open", "customer": "ada"},
    "orders/2": {"status": "open", "customer": "bob"},
}


def build_shop_with_copies(rules: BackupRules = RULES, hook: Hook = no_hook) -> World:
    """A shop of two customers with an order each, a day old."""
    made = World(hook, replace(POLICY, backups=rules))
    made.ports.mirrors.buckets = {BUCKET: {}}
    made.ports.kept.write(ORIGINAL, DOCUMENTS)
    made.ports.databases.hold_documents(ORIGINAL, customers=2, orders=2)
    made.ports.clock.advance(DAY)
    pass_time(made, MINUTE)  # the ledger has its salt
    return made


def request_copy(shop: World, point: str = "1h") -> None:
    shop.command(command="copy", system="bookshop", restore_point=point)
    shop.settle()


def all_copies(shop: World) -> list[DatabaseCopy]:
    found = [decode(DatabaseCopy, one.fields) for one in shop.ports.store.query(Query("copies"))]
    return sorted(found, key=lambda one: one.id)


def only_copy(shop: World) -> DatabaseCopy:
    [found] = all_copies(shop)
    return found


def audit_event_names(shop: World) -> list[str]:
    return system_events.system_event_names(shop, "copy.")


def notified_events(shop: World) -> list[str]:
    return system_events.notified_texts(shop, "copy.")


def read_documents(shop: World, database: str) -> dict[str, Any]:
    found = shop.ports.kept.get(database, sorted(DOCUMENTS), None)
    return {path: one.fields for path, one in found.items() if one is not None}


def add_whole_export(shop: World) -> Backup:
    """A whole export of this minute, in the catalogue."""
    at = shop.ports.clock.now().replace(second=0, microsecond=0)
    begun = replace(export.create_backup(POLICY, at, at), bucket=BUCKET)
    shop.ports.databases.begin(ORIGINAL, begun.prefix, at)
    shop.ports.clock.advance(5 * MINUTE)
    made = replace(begun, status=export.ExportStatus.KEPT, places=(begun.prefix,))
    shop.ports.store.commit([Put(export.export_path(made.id), encode(made))])
    return made


def erase_customer(shop: World, person: str) -> None:
    book = decode(ErasureLedgerRecord, shop.ports.store.get(erasures.ledger_path("bookshop")).fields)
    hashed = erasures.hash_person(book.salt, person)
    shop.command(command="erase", system="bookshop", person=hashed)
    shop.settle()
