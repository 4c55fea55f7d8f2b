"""Who is erased while documents are written back: what was written of them is taken out again."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from responders.data.repair.erasure_after_repair import ERASE_AFTER_REPAIR_VERB, build_repair_eraser
from responders.support import resumable_command
from shared.core.errors import Rejected, Unavailable
from shared.core.store import Query
from shared.domain.commands import command as commands
from shared.domain.data.document import Rewrite, RewriteResult
from shared.domain.data.repair import quarantine
from shared.domain.data.repair.repair_plan import DocumentOutcome, RepairPosition
from shared.domain.policy.data_rules import Derived
from shared.domain.reports.impact import ImpactCounts
from shared.domain.reports.markdown import render_markdown
from shared.domain.reports.report import build_report
from shared.domain.rollback.plan import StepStatus
from shared.domain.rollback.rollback import RollbackStatus
from shared.engine.steps.documents import erase as take_out
from shared.state.audit_reader import AuditReader
from shared.state.reader import StateReader
from shared.state.report_source import gather_report_facts
from tests.support.data.corrupted_bookshop import ERASURE, GOOD, HERE, MINUTE, SHOP, CorruptedShop, order_undo
from tests.support.data.erasure_during_repair import (
    SPOILT,
    WITHOUT_ADA,
    add_to_erasure_ledger,
    assert_copies_left,
    assert_erased_after_cancelled_repair,
    cancel_repair_and_erase,
    erasure_command,
    occupy_slot,
    read_journal,
    read_last_step,
    repair_with_interruption,
)
from tests.support.data.repair_behind_fence import FencedShop, assert_unfenced
from tests.support.fakes.runtime.hooks import no_hook, run_once


def reads(shop: CorruptedShop) -> list[str]:
    """Every look into quarantine from now on."""
    seen: list[str] = []

    def look(verb: str, side: str) -> None:
        if (verb, side) == ("quarantine.read", "before"):
            seen.append(verb)

    shop.ports.quarantine.hook = look
    return seen


def test_whoever_is_erased_meanwhile_is_taken_out_again() -> None:
    """Counted, and named nowhere: not in the journal, the report, or what is asked to be made."""
    derived = (Derived("regenerate-receipts"),)
    orders = replace(SHOP.collections["orders"], derived=derived)
    shop = repair_with_interruption(
        add_to_erasure_ledger, replace(SHOP, collections={**SHOP.collections, "orders": orders})
    )

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data == WITHOUT_ADA
    assert shop.written() == {"customers/bob"}
    assert sum(one.taken_out for one in read_journal(shop)) == 2
    assert_copies_left(shop, "customers/bob")
    said = "3 documents checked again: 2 of somebody who was erased since, and taken out again"
    assert read_last_step(shop).note == f"{said}, 2 {DocumentOutcome.FORGOTTEN}"
    reading, trail = StateReader(shop.store), AuditReader(shop.store, None)
    kept = gather_report_facts(reading, trail, SHOP, shop.newest_incident, shop.now, ImpactCounts())
    [course] = build_report(kept).rollbacks
    assert [one.path for one in course.documents] == ["customers/bob"]
    assert said in render_markdown(build_report(kept))
    assert shop.ports.theirs.messages == []
    assert shop.find_violated_invariants() == []


def test_an_undo_does_not_put_back_what_was_taken_out() -> None:
    """It is not as the repair has left it."""
    shop = repair_with_interruption(add_to_erasure_ledger)
    order_undo(shop)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data == {**WITHOUT_ADA, "customers/bob": SPOILT["customers/bob"]}


def test_before_the_fence_falls() -> None:
    """Nobody of the application sees what was written of them."""
    fenced = FencedShop()
    fenced.write({"customers/bob": SPOILT["customers/bob"]})
    fenced.advance_clock(15 * MINUTE)
    shop = repair_with_interruption(add_to_erasure_ledger, shop=fenced, hook=fenced.require_stopped_writers)

    assert shop.data == WITHOUT_ADA
    assert len(fenced.behind) > len(SPOILT) - 1
    assert set(fenced.behind) == {"STANDING"}
    assert_unfenced(fenced)


def test_nobody_was_erased() -> None:
    """Nothing in quarantine is looked at again, and that is told as well."""
    shop = CorruptedShop(SHOP, spoilt=SPOILT)
    add_to_erasure_ledger(shop, shop.now - timedelta(days=2))  # before any of it was written
    shop.advance_clock(10 * MINUTE)
    seen = reads(shop)
    shop = repair_with_interruption(lambda _: None, shop=shop)

    assert shop.data == GOOD
    assert seen == []
    assert read_last_step(shop).note.startswith("3 documents checked again: 0 of somebody")


def test_who_came_back_since_stays() -> None:
    """Their erasure is heard of late, and was before what was written of them."""
    shop = repair_with_interruption(
        lambda one: add_to_erasure_ledger(one, one.ports.clock.now() - timedelta(days=2))
    )
    assert shop.data == GOOD
    assert read_last_step(shop).note.startswith("3 documents checked again: 0 of somebody")


def test_whom_the_application_has_erased_just_now_is_read_from_its_collection() -> None:
    """Nobody has to say it."""
    policy = replace(SHOP, erasure=ERASURE)

    def erased(shop: CorruptedShop) -> None:
        now = shop.now
        shop.write({"erased/1": {"who": "ada", "done": now}})
        shop.ports.beside.held[HERE, "erased/1"] = now

    assert repair_with_interruption(erased, policy).data == WITHOUT_ADA


def test_what_the_application_has_written_since_is_its_own() -> None:
    """It stays, and stays named."""

    def both(shop: CorruptedShop) -> None:
        shop.write({"customers/ada": {"email": "again@example.com"}})
        add_to_erasure_ledger(shop)

    shop = repair_with_interruption(both)
    assert shop.data == {**WITHOUT_ADA, "customers/ada": {"email": "again@example.com"}}
    assert shop.written() == {"customers/ada", "customers/bob"}
    assert_copies_left(shop, "customers/bob")


def test_what_was_left_because_they_were_erased_is_named_nowhere() -> None:
    """The application was faster than the repair: nothing of them was written."""
    shop = CorruptedShop(SHOP, spoilt=SPOILT)
    shop.order_until_parked()

    def erased() -> None:
        shop.write({"customers/ada": None})
        add_to_erasure_ledger(shop)

    shop.ports.rewritten.hook = run_once("rewrites.rewrite", "before", erased)
    shop.approve("bob")
    shop.pass_time(12 * MINUTE)
    assert shop.data["customers/ada"] is None
    assert not any(one.left for one in read_journal(shop))
    texts = [str(one.fields["text"]) for one in shop.store.query(Query("notices")) if one.fields]
    assert any(" written, " in one for one in texts)
    assert not any("customers/ada: left" in one for one in texts)


def test_a_copy_of_what_a_repair_has_removed() -> None:
    """Nothing was written of them that could be taken out: what stood there is kept no more."""
    shop = CorruptedShop(SHOP, spoilt={**SPOILT, "orders/2": {"customer": "ada"}})
    shop.order(restore_point="16m", select="document:orders/2")
    shop.run_until_parked(12)
    shop.ports.rewritten.hook = run_once("rewrites.rewrite", "after", lambda: add_to_erasure_ledger(shop))
    shop.approve("bob")
    shop.pass_time(12 * MINUTE)
    assert shop.data["orders/2"] is None
    assert_copies_left(shop)


def test_a_copy_of_what_a_repair_has_removed_of_somebody_erased_long_before() -> None:
    """The application had left it there: once it is removed, nothing keeps it either."""
    shop = CorruptedShop(SHOP, spoilt={**SPOILT, "orders/2": {"customer": "ada"}})
    add_to_erasure_ledger(shop)
    shop.advance_clock(10 * MINUTE)
    shop.order(restore_point="26m", select="document:orders/2")
    shop.run_until_parked(12)
    shop.approve("bob")
    shop.pass_time(12 * MINUTE)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data["orders/2"] is None
    assert_copies_left(shop)
    order_undo(shop)
    assert shop.data["orders/2"] is None


def test_a_copy_of_what_a_repair_has_written_over() -> None:
    """It was of somebody erased long before, whose it is no more: nothing keeps that."""
    spoilt: dict[str, dict[str, Any] | None] = {
        "orders/1": {"customer": "ada", "status": "paid"},
        "customers/bob": {"name": "Bob"},
    }
    shop = CorruptedShop(SHOP, spoilt=spoilt)
    shop.write({"orders/1": {"customer": "bob", "status": "paid", "amount": 3}})
    shop.pass_time(MINUTE)
    shop.write(spoilt)
    shop.pass_time(MINUTE)
    add_to_erasure_ledger(shop)
    shop.advance_clock(10 * MINUTE)
    shop.order(restore_point="11m")
    shop.run_until_parked(12)
    shop.approve("bob")
    shop.pass_time(12 * MINUTE)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data["orders/1"] == {"customer": "bob", "status": "paid", "amount": 3}
    assert_copies_left(shop, "customers/bob")


def test_what_stands_below_a_document_of_theirs() -> None:
    """It names nobody itself, and its order is gone by then: it is taken out all the same."""
    line = "orders/1/lines/1"
    shop = CorruptedShop(SHOP, spoilt={line: {"to": "10 Downing Street"}})
    shop.write({line: None})
    shop.order(restore_point="14m", select=f"document:{line}")
    shop.run_until_parked(12)

    def erased() -> None:
        shop.write({"customers/ada": None, "orders/1": None})
        add_to_erasure_ledger(shop)

    shop.ports.rewritten.hook = run_once("rewrites.rewrite", "after", erased)
    shop.approve("bob")
    shop.pass_time(12 * MINUTE)
    assert shop.ports.rewritten.written == [line, line]
    assert shop.data[line] is None
    assert sum(one.taken_out for one in read_journal(shop)) == 1
    assert_copies_left(shop)


def test_what_a_worker_kept_who_died_before_the_journal_named_it() -> None:
    """Nobody else would find it."""
    shop = CorruptedShop(SHOP, spoilt=SPOILT)

    def left_behind(one: CorruptedShop) -> None:
        ours = quarantine.object_prefix("bookshop", one.newest.id)
        one.ports.quarantine.keep(f"{ours}of-somebody", b"")
        add_to_erasure_ledger(one)

    shop = repair_with_interruption(left_behind, shop=shop)
    assert_copies_left(shop, "customers/bob")


def test_what_the_database_refuses_is_told_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rollback has failed: a person must see to it."""

    def refused(_database: str, rewrites: Sequence[Rewrite]) -> list[RewriteResult]:
        return [Rejected(f"PERMISSION_DENIED: {one.path}") for one in rewrites]

    def refuses(shop: CorruptedShop) -> None:
        add_to_erasure_ledger(shop)
        monkeypatch.setattr(shop.ports.rewritten, "rewrite", refused)

    shop = repair_with_interruption(refuses)
    assert shop.newest.status is RollbackStatus.FAILED
    assert "1 document of people who were erased cannot be taken out" in shop.newest.outcome
    assert "ada" not in shop.newest.outcome


def test_it_is_done_whatever_has_become_of_the_other_steps() -> None:
    """What landed and nobody heard of is looked at, too."""
    shop = CorruptedShop(SHOP, spoilt=SPOILT)
    shop.order_until_parked()

    def fails(verb: str, side: str) -> None:
        if side == "after":
            shop.ports.rewritten.hook = no_hook
            add_to_erasure_ledger(shop)
            raise Rejected("PERMISSION_DENIED")

    shop.ports.rewritten.hook = fails
    shop.approve("bob")
    shop.pass_time(8 * MINUTE)
    assert shop.newest.status is RollbackStatus.FAILED
    assert read_last_step(shop).status is StepStatus.DONE
    left = {"orders/1": SPOILT["orders/1"]}  # it is known by then, and not written at all
    assert shop.data == {**WITHOUT_ADA, **left}


def test_a_pause_holds_it_up() -> None:
    """It is looked at right before something is taken out, and gone on with once it is lifted."""
    shop = CorruptedShop(SHOP, spoilt=SPOILT)

    def paused() -> None:
        shop.command("carol", command="pause")
        shop.advance_clock(timedelta(seconds=3))
        shop.deliver_commands()

    shop.ports.quarantine.hook = run_once("quarantine.read", "after", paused)
    shop = repair_with_interruption(add_to_erasure_ledger, shop=shop)
    assert shop.data == GOOD
    shop.command("carol", command="resume")
    shop.pass_time(5 * MINUTE)
    assert shop.data == WITHOUT_ADA


def test_after_a_cancel_it_is_done_afterwards() -> None:
    """By a command of its own, told once it is over; the cancel stops all else."""
    shop = repair_with_interruption(cancel_repair_and_erase)
    assert_erased_after_cancelled_repair(shop)
    told = [one for one in shop.sent_notices if f"{ERASE_AFTER_REPAIR_VERB}-" in one.key]
    assert told


def test_a_pause_holds_it_up_after_a_cancel() -> None:
    """Nothing is lost: it is done once the pause is lifted."""

    def both(shop: CorruptedShop) -> None:
        shop.command("carol", command="pause")
        cancel_repair_and_erase(shop)

    shop = repair_with_interruption(both)
    assert shop.newest.status is RollbackStatus.CANCELLED
    assert shop.data == GOOD
    shop.command("carol", command="resume")
    shop.pass_time(2 * MINUTE)
    assert_erased_after_cancelled_repair(shop)


def test_another_rollback_holds_it_up_after_a_cancel() -> None:
    """It may read the copies that would go."""

    def both(shop: CorruptedShop) -> None:
        shop.command("carol", command="pause")
        cancel_repair_and_erase(shop)

    shop = repair_with_interruption(both)
    occupy_slot(shop, "another")
    shop.command("carol", command="resume")
    shop.pass_time(2 * MINUTE)
    assert shop.data == GOOD
    occupy_slot(shop, "")
    shop.pass_time(2 * MINUTE)
    assert shop.data == WITHOUT_ADA


def test_two_workers_at_once_after_a_cancel() -> None:
    """What one has removed under the hands of the other is no refusal."""

    def stops(shop: CorruptedShop) -> None:
        name, vault, done = shop.newest.id, shop.ports.quarantine, list[str]()

        def other_does_it(verb: str, side: str) -> None:
            if (verb, side) == ("quarantine.read", "before") and not done:
                done.append(verb)
                now = shop.now
                with suppress(Unavailable):
                    other = build_repair_eraser(shop.ports, shop.policy, name, now)
                    other.erase_portion(RepairPosition())

        vault.hook = other_does_it
        cancel_repair_and_erase(shop)

    assert_erased_after_cancelled_repair(repair_with_interruption(stops))


@pytest.mark.parametrize("why", ["refused", "too late"])
def test_what_cannot_be_done_afterwards_is_told(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person must see to it."""

    def refused(_database: str, rewrites: Sequence[Rewrite]) -> list[RewriteResult]:
        return [Rejected(f"PERMISSION_DENIED: {one.path}") for one in rewrites]

    def stops(shop: CorruptedShop) -> None:
        if why == "refused":
            monkeypatch.setattr(shop.ports.rewritten, "rewrite", refused)
        else:
            shop.command("carol", command="pause")
        cancel_repair_and_erase(shop)

    shop = repair_with_interruption(stops)
    if why == "too late":
        shop.advance_clock(resumable_command.COMMAND_TIMEOUT)
        shop.pass_time(MINUTE)
    assert erasure_command(shop).due_at is None
    assert "NOT taken out" in erasure_command(shop).result
    assert "ada" not in erasure_command(shop).result


def test_nothing_is_left_to_do_of_what_has_not_begun() -> None:
    """A repair that wrote nothing has nothing to take out."""
    shop = CorruptedShop(SHOP, spoilt=SPOILT)
    shop.order_until_parked()
    cancel_repair_and_erase(shop)
    shop.pass_time(MINUTE)
    assert shop.newest.status is RollbackStatus.CANCELLED
    path = commands.command_path(f"{ERASE_AFTER_REPAIR_VERB}-{shop.newest.id}")
    assert shop.store.get(path).fields is None


@pytest.mark.parametrize("declared", [True, False])
def test_only_where_data_of_persons_is_declared(declared: bool) -> None:
    """Else there is nobody to look for."""
    policy = SHOP if declared else replace(SHOP, erasure=None)
    shop = repair_with_interruption(lambda _: None, policy)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    kinds = [one.kind for one in shop.steps(shop.newest.id).values()]
    assert (take_out.KIND in kinds) is declared
