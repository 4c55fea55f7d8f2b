"""A repair that is taken back: what it has written is as it stood before, out of quarantine."""

import pytest
from msgspec.structs import replace

from shared.core.codec import encode
from shared.core.errors import Ambiguous, Rejected, Unavailable
from shared.core.store import Put
from shared.domain.data.erasure.ledger import (
    Erasure,
    ErasureLedgerRecord,
    erasure_path,
    hash_person,
    ledger_path,
)
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.data.corrupted_bookshop import (
    ERASURE,
    GOOD,
    HERE,
    MINUTE,
    SHOP,
    SPOILT,
    CorruptedShop,
    build_document_trigger,
    build_repaired_shop,
    forecast_document_counts,
    order_undo,
)
from tests.support.data.erasure_during_repair import add_to_erasure_ledger
from tests.support.fakes.runtime.hooks import no_hook, raise_error, run_once
from tests.support.runtime.world import CHECKED


def test_a_repair_is_undone_out_of_quarantine() -> None:
    """What it has written is as it stood there before; what was written since stays."""
    shop = build_repaired_shop()
    shop.write({"customers/ada": {"email": "since@example.com"}})
    order_undo(shop)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data == {
        **GOOD,
        "customers/ada": {"email": "since@example.com"},
        "orders/1": SPOILT["orders/1"],
    }
    assert shop.written() == {"orders/1"}
    assert forecast_document_counts(shop, "put_back") == [2]
    assert "1 written meanwhile, and left" in shop.newest.outcome
    assert shop.find_violated_invariants() == []

    order_undo(shop)
    assert len(shop.rollbacks()) == 2


@pytest.mark.parametrize("may_start", [True, False])
def test_functions_that_an_undo_would_start(may_start: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with the repair itself: they are named, or nothing is put back."""
    shop = build_repaired_shop(SHOP if may_start else replace(SHOP, collections=CHECKED.collections))
    functions = {**shop.platform.functions(), "sendReceipt": build_document_trigger("orders/{id}")}
    monkeypatch.setattr(shop.platform, "functions", lambda: functions)
    shop.send_command("undo", "alice", incident=shop.newest.incident)
    shop.pass_time(2 * MINUTE)

    if may_start:
        question = shop.newest.question
        assert question is not None
        told = "sendReceipt: about 1 invocation, by writes to orders"
        assert told in question.plan.reported
    else:
        assert shop.newest.status is RollbackStatus.NOT_TAKEN
        assert "sendReceipt: about 1 invocation, by writes to orders" in shop.newest.outcome
    assert shop.data == GOOD


def test_without_a_bucket_for_copies_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by a repair nor by its undo, whose copies are there; no fence is raised either."""
    shop, without = build_repaired_shop(), CorruptedShop(SHOP)
    there = without.data
    monkeypatch.setattr(shop.ports, "quarantine", None)
    monkeypatch.setattr(without.ports, "quarantine", None)
    order_undo(shop)
    without.order()
    without.pass_time(120 * MINUTE)

    for world in (shop, without):
        assert world.newest.status is RollbackStatus.NOT_TAKEN
        assert "ROLLBACK_QUARANTINE_BUCKET" in world.newest.outcome
    assert (shop.data, without.data) == (GOOD, there)


def test_what_an_undo_would_start_and_nobody_can_read() -> None:
    """It waits until that is known."""
    shop = build_repaired_shop()
    shop.platform.hook = raise_error("platform.functions", Unavailable("no answer"))
    shop.send_command("undo", "alice", incident=shop.newest.incident)
    shop.pass_time(2 * MINUTE)
    assert shop.newest.status is RollbackStatus.DECIDING

    shop.platform.hook = no_hook
    shop.run_until_parked(2)


def test_what_landed_and_nobody_heard_of_is_taken_back_too() -> None:
    """The copy is on record before the writes: a repair that was given up then can be undone."""
    shop = CorruptedShop()
    shop.order_until_parked()

    def silent(verb: str, side: str) -> None:
        if (verb, side) == ("rewrites.rewrite", "after"):
            raise Ambiguous("no answer")
        if verb == "quarantine.read":
            raise Rejected("nor may anybody look what was meant")

    shop.ports.rewritten.hook = shop.ports.quarantine.hook = silent
    shop.approve("bob")
    shop.pass_time(4 * MINUTE)
    assert shop.newest.status is RollbackStatus.FAILED
    assert shop.data == GOOD

    shop.ports.rewritten.hook = shop.ports.quarantine.hook = no_hook
    order_undo(shop)
    assert shop.data == {**GOOD, **SPOILT}


def test_what_the_application_has_written_since_stays_though_it_is_the_same() -> None:
    """It was something else in between: what stands there is the application's own word."""
    shop = build_repaired_shop()
    shop.write({"customers/ada": {"email": "new@example.com"}})
    shop.write({"customers/ada": GOOD["customers/ada"]})
    order_undo(shop)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data == {**GOOD, **SPOILT, "customers/ada": GOOD["customers/ada"]}


def test_a_policy_that_names_another_database_since() -> None:
    """What was written is put back where it was written, and nothing anywhere else."""
    shop = build_repaired_shop()
    shop.ports.kept.write("other", GOOD)
    elsewhere = replace(shop.policy.integrity, database="other")
    shop.policy = replace(shop.policy, integrity=elsewhere)
    shop.start_instances()
    order_undo(shop)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data == {**GOOD, **SPOILT}
    there = shop.ports.kept.get("other", sorted(GOOD), None)
    assert {path: one.fields for path, one in there.items() if one is not None} == GOOD


def test_an_undo_of_data_waits_for_a_second_person() -> None:
    """Data are moved by the word of two, whichever way."""
    shop = build_repaired_shop()
    shop.send_command("undo", "alice", incident=shop.newest.incident)
    shop.run_until_parked(2)
    assert shop.data == GOOD

    shop.approve("bob")
    shop.pass_time(2 * MINUTE)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data == {**GOOD, **SPOILT}


def test_what_an_undo_would_put_back_of_an_erased_person_stays_gone() -> None:
    """Whoever was erased since the repair is not put back out of quarantine."""
    shop = build_repaired_shop()
    book = ErasureLedgerRecord("bookshop", "salt", shop.now)
    entry = Erasure("bookshop", hash_person("salt", "ada"), shop.now, ())
    store = shop.store
    store.commit([Put(ledger_path("bookshop"), encode(book))])
    store.commit([Put(erasure_path("bookshop", entry.hash), encode(entry))])
    shop.write({"customers/ada": None, "orders/1": None})
    order_undo(shop)

    assert shop.data == {**GOOD, "customers/ada": None, "orders/1": None}
    assert "2 of somebody who was erased, and left" in shop.newest.outcome


def test_what_stands_below_a_document_of_an_erased_person_is_not_put_back() -> None:
    """The repair has removed it; whose it was, quarantine knows, though its order is gone."""
    line = "orders/1/lines/1"
    shop = CorruptedShop(SHOP, spoilt={line: {"to": "10 Downing Street"}})
    shop.order(restore_point="17m", select=f"document:{line}")
    shop.run_until_parked(12)
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)
    assert shop.data[line] is None
    shop.write({"customers/ada": None, "orders/1": None})
    add_to_erasure_ledger(shop)
    order_undo(shop)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data[line] is None
    assert "1 of somebody who was erased, and left" in shop.newest.outcome


def test_whom_the_application_alone_has_erased_is_not_put_back() -> None:
    """Its own record is read when the undo begins to write, whatever the ledger knows before."""
    shop = build_repaired_shop(replace(SHOP, erasure=ERASURE))
    shop.send_command("undo", "alice", incident=shop.newest.incident)
    shop.run_until_parked(2)
    shop.write({"erased/1": {"who": "ada", "done": shop.now}})
    shop.ports.rewritten.written.clear()
    shop.approve("bob")
    shop.pass_time(2 * MINUTE)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.ports.rewritten.written == []
    assert "2 of somebody who was erased, and left" in shop.newest.outcome


def test_who_is_erased_while_an_undo_puts_documents_back_stays_so() -> None:
    """As with the repair itself: what it has put back of them is taken out again, and counted."""
    shop = build_repaired_shop(replace(SHOP, erasure=ERASURE))

    def erases() -> None:
        shop.ports.beside.held[HERE, "erased/1"] = shop.now
        shop.write({"erased/1": {"who": "ada", "done": shop.now}})

    shop.ports.rewritten.hook = run_once("rewrites.rewrite", "after", erases)
    order_undo(shop)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert "taken out again" in shop.newest.outcome
    assert shop.data["customers/ada"] is None
    assert "customers/ada" not in shop.written()
    assert shop.find_violated_invariants() == []
