"""Who is erased after a repair has ended: no copy of theirs is left in quarantine."""

from contextlib import suppress
from datetime import timedelta
from functools import cache

import pytest
from msgspec.structs import replace

from responders.data.erasure_ledger import READ_TIME_LIMIT_SECONDS, read_ledger
from responders.data.repair import erasure_after_repair
from responders.data.repair.erasure_after_repair import build_repair_eraser
from responders.data.repair.erasure_during_repair import RepairEraser
from responders.support import resumable_command
from shared.core.codec import decode
from shared.core.errors import Rejected, Unavailable
from shared.core.store import Query
from shared.domain.commands import command as commands
from shared.domain.commands.command import CommandRecord
from shared.domain.data.erasure.ledger import ErasureLedgerRecord, hash_person, ledger_path
from shared.domain.data.repair.quarantine import journal_path, unpack_changes
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.rollback.write_ramp import WriteRamp
from tests.support.data.corrupted_bookshop import ERASURE, GOOD, MINUTE, SHOP, CorruptedShop, order_undo
from tests.support.data.erasure_during_repair import (
    SPOILT,
    WITHOUT_ADA,
    add_to_erasure_ledger,
    assert_copies_left,
    cancel_repair_and_erase,
    journalled_copies,
    occupy_slot,
    read_journal,
    repair_with_interruption,
)
from tests.support.fakes.runtime.hooks import no_hook, raise_error, run_once
from tests.support.faults.fault_injection import FaultInjectorHook, InjectedFault, tick_clock

COUNTED = ("quarantine.keep", "quarantine.remove", "store.commit")
HERS = {"customers/ada", "orders/1"}


def say_erase(shop: CorruptedShop) -> None:
    """A person says that Ada is to be erased."""
    book = decode(ErasureLedgerRecord, shop.store.get(ledger_path("bookshop")).fields)
    person = hash_person(book.salt, "ada")
    shop.send_command("erase", "carol", id="ada", person=person)


def record(shop: CorruptedShop) -> CommandRecord:
    return decode(CommandRecord, shop.store.get(commands.command_path("ada")).fields)


def after_the_end() -> CorruptedShop:
    """A repair that went well, of which quarantine holds all."""
    shop = repair_with_interruption(lambda _: None)
    assert journalled_copies(shop) == {"customers/bob", *HERS}
    return shop


def assert_forgotten(shop: CorruptedShop) -> None:
    """No copy of hers is left; what stands in the database is the application's to erase."""
    assert_copies_left(shop, "customers/bob")
    assert (record(shop).due_at, record(shop).answer.get("left")) == (None, None)
    assert record(shop).answer["gone"] == len(HERS)
    assert shop.data == GOOD
    assert shop.find_violated_invariants() == []


def test_no_copy_is_left() -> None:
    """And an undo puts back what is of others alone."""
    shop = after_the_end()
    say_erase(shop)
    shop.pass_time(MINUTE)
    assert_forgotten(shop)
    order_undo(shop)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data == {**GOOD, "customers/bob": SPOILT["customers/bob"]}


def test_whom_only_the_application_has_erased() -> None:
    """Nobody has to say it: the clock reads it, and has quarantine gone through."""
    shop = repair_with_interruption(lambda _: None, replace(SHOP, erasure=ERASURE))
    assert journalled_copies(shop) == {"customers/bob", *HERS}
    shop.write({"erased/1": {"who": "ada", "done": shop.now}})
    shop.pass_time(62 * MINUTE)

    assert_copies_left(shop, "customers/bob")
    assert shop.data == GOOD
    given = shop.store.query(Query("commands", where=(("command", "==", "erase"),)))
    shop.pass_time(3 * 62 * MINUTE)
    again = shop.store.query(Query("commands", where=(("command", "==", "erase"),)))
    assert len(again) <= len(given) + 1
    order_undo(shop)
    assert shop.data == {**GOOD, "customers/bob": SPOILT["customers/bob"]}


def test_more_of_whom_the_application_has_erased_than_can_be_read_at_once() -> None:
    """Once the clock has read them, minute by minute, nobody reads them all again."""
    shop = repair_with_interruption(lambda _: None, replace(SHOP, erasure=ERASURE))
    now = shop.now
    others = {f"erased/{n:02}": {"who": f"nobody-{n}", "done": now} for n in range(40)}
    shop.write({**others, "erased/99": {"who": "ada", "done": now}})
    shop.ports.kept.seconds_each = 1.1 * READ_TIME_LIMIT_SECONDS / len(others)

    shop.pass_time(65 * MINUTE)

    assert_copies_left(shop, "customers/bob")
    [given] = shop.store.query(Query("commands", where=(("command", "==", "erase"),)))
    assert decode(CommandRecord, given.fields).due_at is None


def test_what_age_has_taken_is_passed_over() -> None:
    """Its entry in the journal is there for longer."""
    shop = after_the_end()
    kept = shop.ports.quarantine.objects
    kept.pop(next(iter(kept)))
    say_erase(shop)
    shop.pass_time(MINUTE)
    assert record(shop).due_at is None
    assert "left" not in record(shop).answer


def test_what_age_takes_under_its_hands_is_passed_over() -> None:
    """It was listed, and is gone before it is read: the others are still gone through."""
    shop = after_the_end()
    kept, (first, *others) = shop.ports.quarantine.objects, read_journal(shop)
    assert others

    def takes(verb: str, side: str) -> None:
        if (verb, side) == ("quarantine.read", "before"):
            kept.pop(first.kept.object, None)

    shop.ports.quarantine.hook = takes
    say_erase(shop)
    shop.pass_time(2 * MINUTE)
    held = [unpack_changes(one.content) for one in kept.values()]
    assert not {one.path for changes in held for one in changes} & HERS
    assert (record(shop).due_at, record(shop).answer.get("left")) == (None, None)


def test_two_workers_at_once() -> None:
    """What one has kept and not named yet the other does not take for a copy that nobody needs."""
    shop = after_the_end()
    vault = shop.ports.quarantine
    name = shop.newest_rollback.id

    def other_removes() -> None:
        vault.hook = no_hook
        other = build_repair_eraser(shop.ports, shop.policy, name, shop.now)
        with suppress(Unavailable):
            other.delete_unreferenced_copies()

    vault.hook = run_once("quarantine.keep", "after", other_removes)
    say_erase(shop)
    shop.pass_time(2 * MINUTE)

    assert vault.hook is no_hook
    assert_forgotten(shop)


@pytest.mark.parametrize("by", ["a pause", "another rollback"])
def test_what_holds_it_up(by: str) -> None:
    """It goes on once that is over."""
    shop = after_the_end()
    if by == "a pause":
        shop.command("carol", command="pause")
    else:
        occupy_slot(shop, "another")
    say_erase(shop)
    shop.pass_time(2 * MINUTE)
    assert journalled_copies(shop) == {"customers/bob", *HERS}
    if by == "a pause":
        shop.command("carol", command="resume")
    else:
        occupy_slot(shop, "")
    shop.pass_time(2 * MINUTE)
    assert journalled_copies(shop) == {"customers/bob"}


def test_what_a_cancelled_repair_has_written_is_taken_out_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the copies: they are not removed before."""
    monkeypatch.setattr(erasure_after_repair, "REWRITE_TIMEOUT_SECONDS", 90.0)

    def stops(shop: CorruptedShop) -> None:
        cancel_repair_and_erase(shop)
        say_erase(shop)

    shop = repair_with_interruption(stops)
    assert shop.data == WITHOUT_ADA
    assert_copies_left(shop, "customers/bob")
    assert record(shop).due_at is None


@pytest.mark.parametrize("why", ["refused", "too late"])
def test_what_is_left_is_told(why: str) -> None:
    """A person must see to it."""
    shop = after_the_end()
    if why == "refused":
        shop.ports.quarantine.hook = raise_error("quarantine.remove", Rejected("403: no"))
    else:
        shop.command("carol", command="pause")
    say_erase(shop)
    shop.pass_time(MINUTE)
    if why == "too late":
        shop.advance_clock(resumable_command.COMMAND_TIMEOUT)
        shop.pass_time(MINUTE)
    shop.ports.quarantine.hook = no_hook
    assert record(shop).due_at is None
    assert record(shop).answer["left"] == {"refused": "403: no", "too late": "given up after a day"}[why]
    assert [one for one in shop.sent_notices if "ada:erase" in one.key]


def disturbed(saboteur: FaultInjectorHook) -> CorruptedShop:
    """Something goes wrong from the command on."""
    shop = after_the_end()
    for fake in (shop.ports.quarantine, shop.store):
        fake.hook = saboteur
    saboteur.world = shop
    saboteur.active = True
    say_erase(shop)
    tick_clock(shop, saboteur, 10, timedelta(seconds=30))
    saboteur.active = False
    return shop


@cache
def points() -> int:
    saboteur = FaultInjectorHook(counted=COUNTED)
    assert_forgotten(disturbed(saboteur))
    effects = [number for number, one in enumerate(saboteur.points) if "store" not in one]
    return effects[-1] + 4


@pytest.mark.parametrize("fault", InjectedFault)
@pytest.mark.parametrize("point", range(points()))
def test_a_fault_at_each_point(point: int, fault: InjectedFault) -> None:
    """Whoever dies, hears nothing or stands still there: each copy is gone."""
    saboteur = FaultInjectorHook(point, fault, COUNTED)
    shop = disturbed(saboteur)

    assert saboteur.happened
    assert_copies_left(shop, "customers/bob")
    assert (record(shop).due_at, record(shop).answer.get("left")) == (None, None)
    assert shop.data == GOOD


def test_an_undo_waits_for_the_end_of_it() -> None:
    """Nothing is put back while copies go; nobody is asked before."""
    shop = after_the_end()
    shop.ports.quarantine.hook = raise_error("quarantine.keep", Unavailable("no answer"))
    say_erase(shop)
    shop.settle()
    order_undo(shop)
    assert shop.newest_rollback.status is RollbackStatus.DECIDING
    shop.ports.quarantine.hook = no_hook
    shop.run_until_parked(2)
    shop.approve("bob")
    shop.pass_time(2 * MINUTE)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data == {**GOOD, "customers/bob": SPOILT["customers/bob"]}


def test_copies_that_go_under_the_hands_of_an_undo() -> None:
    """Somebody who began before it removes them late: the journal is read again."""
    shop = after_the_end()
    repair = shop.newest.id
    shop.send_command("undo", "alice", incident=shop.newest.incident)
    shop.run_until_parked(2)
    removed: list[str] = []

    def removes(verb: str, side: str) -> None:
        if (verb, side) == ("quarantine.read", "before") and not removed:
            removed.append(verb)
            add_to_erasure_ledger(shop)
            ramp = WriteRamp(0.0, 0.0)
            now = shop.now
            late = RepairEraser(shop.ports, shop.policy, repair, now, ramp, lambda: True)
            ledger = read_ledger(shop.ports, shop.policy)
            assert ledger is not None
            for document in shop.store.query(Query(journal_path(repair))):
                late.erase_from_entry(document, ledger, copies_only=True)
            late.delete_unreferenced_copies()

    shop.ports.quarantine.hook = removes
    shop.approve("bob")
    shop.pass_time(3 * MINUTE)

    assert removed
    assert shop.newest.status is RollbackStatus.SUCCEEDED, shop.newest.outcome
    assert shop.data == {**GOOD, "customers/bob": SPOILT["customers/bob"]}
