"""A shop brought back while somebody is erased, and what is left of them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from responders.data.repair import erasure_after_repair
from shared.core.codec import decode, encode
from shared.core.store import Put, Query
from shared.domain import system_record as systems
from shared.domain.commands import command as commands
from shared.domain.commands.command import CommandRecord
from shared.domain.data.erasure import ledger as erasures
from shared.domain.data.erasure.ledger import Erasure, ErasureLedgerRecord
from shared.domain.data.repair import quarantine
from shared.domain.data.repair.quarantine import JournalEntry
from shared.domain.data.repair.repair_plan import DocumentOutcome
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import Step, StepStatus
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.system_record import System
from shared.engine.steps.documents import erase as take_out
from tests.support.data.corrupted_bookshop import GOOD, MINUTE, SHOP, CorruptedShop
from tests.support.fakes.runtime.hooks import Hook, no_hook

SPOILT: dict[str, dict[str, Any] | None] = {
    "customers/ada": {"name": "Ada"},
    "customers/bob": {"name": "Bob"},
    "orders/1": {"customer": "ada", "status": "paid"},
}
WITHOUT_ADA = {**GOOD, "customers/ada": None, "orders/1": None}


def add_to_erasure_ledger(shop: CorruptedShop, at: datetime | None = None) -> None:
    """Ada is in the ledger from now on, whatever goes wrong elsewhere."""
    store = shop.ports.store
    hook, store.hook = store.hook, no_hook
    book = decode(ErasureLedgerRecord, store.get(erasures.ledger_path("bookshop")).fields)
    hashed = erasures.hash_person(book.salt, "ada")
    entry = Erasure("bookshop", hashed, at or shop.ports.clock.now(), ())
    store.commit([Put(erasures.erasure_path("bookshop", hashed), encode(entry))])
    store.hook = hook


def after_last_rewrite(shop: CorruptedShop, do: Callable[[], None], hook: Hook = no_hook) -> Hook:
    """It happens right after the last document was written back."""
    done: list[str] = []

    def act(verb: str, side: str) -> None:
        last = len(shop.ports.rewritten.written) == len(SPOILT)
        if (verb, side) == ("rewrites.rewrite", "after") and last and not done:
            done.append(verb)
            do()
        hook(verb, side)

    return act


def repair_with_interruption(
    do: Callable[[CorruptedShop], None],
    policy: Policy = SHOP,
    shop: CorruptedShop | None = None,
    hook: Hook = no_hook,
) -> CorruptedShop:
    """A shop brought back, in which that happens meanwhile."""
    shop = shop or CorruptedShop(policy, spoilt=SPOILT)
    shop.order()
    shop.run_until_parked()
    shop.ports.rewritten.hook = after_last_rewrite(shop, lambda: do(shop), hook)
    shop.approve("bob")
    shop.pass_time(12 * MINUTE)
    return shop


def read_last_step(shop: CorruptedShop) -> Step:
    return next(one for one in shop.steps(shop.newest.id).values() if one.kind == take_out.KIND)


def read_journal(shop: CorruptedShop) -> list[JournalEntry]:
    found = shop.ports.store.query(Query(quarantine.journal_path(shop.newest.id)))
    return [decode(JournalEntry, one.fields) for one in found]


def journalled_copies(shop: CorruptedShop) -> set[str]:
    """The documents of which quarantine holds a copy that the journal names."""
    kept = [shop.ports.quarantine.read(one.kept) for one in read_journal(shop)]
    return {one.path for content in kept for one in quarantine.unpack_changes(content)}


def unreferenced_copies(shop: CorruptedShop) -> set[str]:
    """The objects in quarantine that the journal does not name."""
    return set(shop.ports.quarantine.objects) - {one.kept.object for one in read_journal(shop)}


def assert_copies_left(shop: CorruptedShop, *paths: str) -> None:
    """Quarantine holds copies of these documents alone, and the journal names each."""
    assert journalled_copies(shop) == {*paths}
    assert unreferenced_copies(shop) == set()


def cancel_repair_and_erase(shop: CorruptedShop) -> None:
    """A person cancels the repair, and somebody is erased."""
    shop.command("carol", command="cancel", system="bookshop", incident=shop.newest.incident)
    shop.deliver_commands()
    add_to_erasure_ledger(shop)


def assert_erased_after_cancelled_repair(shop: CorruptedShop, *, kept_late: bool = False) -> None:
    """The repair stays cancelled, and its step untaken; nothing of them is left but a number.

    `kept_late`: somebody stood still before a copy was kept; that one lies there unnamed.
    """
    assert shop.newest.status is RollbackStatus.CANCELLED
    assert read_last_step(shop).status is StepStatus.PENDING
    assert shop.data == WITHOUT_ADA
    assert journalled_copies(shop) == {"customers/bob"}
    assert kept_late or not unreferenced_copies(shop)
    assert erasure_command(shop).due_at is None
    outcomes = f"2 {DocumentOutcome.TAKEN_OUT}, 2 {DocumentOutcome.FORGOTTEN}"
    said = f"documents checked again: {outcomes}"
    assert erasure_command(shop).result.endswith(said)
    assert shop.find_violated_invariants() == []


def erasure_command(shop: CorruptedShop) -> CommandRecord:
    """The command that the newest rollback has given itself."""
    path = commands.command_path(f"{erasure_after_repair.ERASE_AFTER_REPAIR_VERB}-{shop.newest.id}")
    return decode(CommandRecord, shop.ports.store.get(path).fields)


def occupy_slot(shop: CorruptedShop, by: str) -> None:
    """That rollback has the slot of the system."""
    document = shop.ports.store.get(systems.system_path("bookshop"))
    system = replace(decode(System, document.fields), slot=by)
    shop.ports.store.commit([Put(document.path, encode(system))])
