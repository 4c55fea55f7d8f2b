"""A bookshop's data brought back by a person's order: prepared, asked about, written, looked at."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from responders.data.repair import document_outcomes
from responders.rollback.case import Transition
from responders.rollback.decision.data_requests import PREPARATION_TIMEOUT
from responders.rollback.verification import repair_verification
from shared.core.codec import encode
from shared.core.errors import Unavailable
from shared.core.store import Put
from shared.core.text import MAX_CHARACTERS
from shared.domain.data.backups import database_copy
from shared.domain.data.backups.database_copy import DatabaseCopy
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.restore_point import RestorePoint, RestoreSource
from shared.domain.data.document import DocumentSnapshot
from shared.domain.data.repair import repair_plan
from shared.domain.data.repair.repair_plan import DocumentOutcome
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.policy.document_scope import Scope
from shared.domain.reports.impact import ImpactCounts
from shared.domain.reports.markdown import render_markdown
from shared.domain.reports.report import build_report
from shared.domain.rollback.rollback import RollbackStatus
from shared.state import reader
from shared.state.audit_reader import AuditReader
from shared.state.reader import StateReader
from shared.state.report_source import gather_report_facts
from tests.support.data.corrupted_bookshop import (
    ERASURE,
    GOOD,
    HERE,
    MINUTE,
    SHOP,
    SPOILT,
    CorruptedShop,
    forecast_document_counts,
    order_undo,
)
from tests.support.fakes.runtime.hooks import raise_error
from tests.support.notices.system_events import refusal_reasons


def test_a_cancel_that_comes_with_the_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has it in hand sees to it at once, and nobody waits for a lease to run out."""
    shop = CorruptedShop()
    shop.order_until_parked()
    watching, said = repair_verification._build_monitoring_transition, list[str]()

    def cancelled(*known: Any) -> Transition:
        if not said:
            said.append("cancel")
            shop.send_command("cancel", "carol", incident=shop.newest.incident)
            shop.deliver_commands()
        return watching(*known)

    monkeypatch.setattr(repair_verification, "_build_monitoring_transition", cancelled)
    shop.approve("bob")
    while not said:
        shop.pass_time(MINUTE / 2)
    assert shop.newest.status is RollbackStatus.CANCELLED


def test_the_data_come_back_by_the_word_of_two() -> None:
    """Looked through, asked about, written, looked through again, watched; nothing before that."""
    shop = CorruptedShop()
    parked = shop.order_until_parked()
    assert parked.question is not None
    assert parked.question.needed == 2
    told = "\n".join(parked.question.plan.reported)
    assert "3 documents checked: 2 brought back" in told
    assert "brought back: customers/ada (email, name; of" in told
    assert shop.data == {**GOOD, **SPOILT}

    shop.approve("bob")
    shop.pass_time(10 * MINUTE)
    assert shop.data == GOOD
    assert shop.written() == set(SPOILT)
    assert forecast_document_counts(shop, "repair") == [2, 1]
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.newest.verified_at is not None
    assert shop.newest_incident.status is IncidentStatus.RESOLVED
    assert shop.find_violated_invariants() == []
    [verified] = [
        one.facts
        for entry in shop.trail(shop.newest)
        for one in entry.events
        if one.name == "rollback.verified"
    ]
    assert "customers: 2 of 2 valid" in str(verified)


def test_a_repair_says_how_many_documents_it_has_written_and_left() -> None:
    """In the note of its last write: those that are valid and changed since are left."""
    shop = CorruptedShop()
    shop.write({"customers/bob": {"email": "bob@example.org"}})
    shop.pass_time(10 * MINUTE)
    shop.order_until_parked()
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)

    [note] = [one.note for one in shop.newest_incident.timeline if one.status is IncidentStatus.VERIFYING]
    assert re.fullmatch(
        r"2 documents written, \d+ s after the first of them; 1 valid, changed since, and left", note
    )
    assert shop.written() == set(SPOILT)


def test_the_question_is_short_however_many_pieces_and_long_names_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A few documents of each fate, each in a line: what is asked about is kept in one document."""
    monkeypatch.setattr(repair_plan, "DOCUMENTS_PER_STEP", 1)
    long = {f"customers/{n:02}{'x' * 1400}": {"name": "Ada"} for n in range(30)}
    shop = CorruptedShop(spoilt={**SPOILT, **long})
    parked = shop.order_until_parked()

    assert parked.question is not None
    told = [one for one in parked.question.plan.reported if one.startswith(DocumentOutcome.LOST)]
    assert len(told) == repair_plan.MAX_SAMPLES_PER_OUTCOME
    assert max(map(len, parked.question.plan.reported)) < 2 * MAX_CHARACTERS


def test_an_override_brings_data_back_in_a_freeze() -> None:
    """Nobody is asked, and what it has skipped is kept for its review."""
    shop = CorruptedShop()
    shop.alert()
    shop.pass_time(4 * MINUTE)
    shop.send_command("freeze", "carol", until="2036-11-28T20:00:00Z")
    shop.order(override=True, incident=shop.newest_incident.id)
    shop.pass_time(20 * MINUTE)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data == GOOD
    [override] = shop.newest.overrides
    assert [gate["gate"] for gate in override.skipped] == ["freeze", "asks first"]


def test_one_word_is_not_enough() -> None:
    """Who ordered it is one of the two; nobody else has said yes, and nothing is moved."""
    shop = CorruptedShop()
    shop.order_until_parked(auto_confirm=True)
    shop.approve("alice")
    shop.pass_time(40 * MINUTE)

    assert shop.newest.status is RollbackStatus.NOT_TAKEN
    assert shop.data == {**GOOD, **SPOILT}


def test_while_the_writer_goes_on_nothing_is_moved() -> None:
    """It is waited for, as long as anybody waits; then it is told why not."""
    shop = CorruptedShop()
    shop.order()
    for _ in range(int(PREPARATION_TIMEOUT / MINUTE) + 5):
        shop.write({"customers/ada": {"name": "Ada"}})
        shop.pass_time(MINUTE)

    assert shop.newest.status is RollbackStatus.NOT_TAKEN
    assert "an invalid document was written" in shop.newest.outcome
    assert shop.written() == set()


def test_what_names_nobody_since_the_last_look_comes_back_too() -> None:
    """When it began is not known: it is waited for until a look finds no more of it."""
    shop = CorruptedShop(spoilt={"orders/1": {"customer": "nobody", "status": "paid", "amount": 3}})
    shop.order_until_parked()
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)

    assert shop.data == GOOD
    assert shop.find_violated_invariants() == []


def test_nothing_is_wrong() -> None:
    """Then nobody is asked."""
    shop = CorruptedShop(spoilt={})
    shop.order()
    shop.pass_time(8 * MINUTE)
    assert shop.newest.status is RollbackStatus.NOT_TAKEN
    assert "there is nothing to bring back" in shop.newest.outcome


def test_what_a_selection_would_undo_is_told() -> None:
    """All of it is as it was then, with the good changes that this undoes in the question."""
    shop = CorruptedShop(spoilt={**SPOILT, "customers/bob": {"email": "new@example.com"}})
    parked = shop.order_until_parked(restore_point="16m", select="collection:customers")
    assert parked.question is not None
    undone = "1 changes that nothing is wrong with would be undone"
    assert parked.question.reason == undone
    assert undone in parked.question.plan.reported

    shop.approve("bob")
    shop.pass_time(10 * MINUTE)
    assert shop.written() == {"customers/ada", "customers/bob"}
    assert shop.data["customers/bob"] == GOOD["customers/bob"]
    assert shop.data["orders/1"] == SPOILT["orders/1"]


def test_all_of_a_database_that_was_emptied_comes_back() -> None:
    """With what names other documents, and with collections below them that nobody has declared."""
    notes: dict[str, Any] = {"customers/ada/notes/1": {"n": 1}}
    shop = CorruptedShop(spoilt={})
    shop.write(notes)
    shop.advance_clock(3 * MINUTE)
    shop.write(dict.fromkeys([*GOOD, *notes]))
    shop.advance_clock(10 * MINUTE)
    shop.order(select="all", restore_point="12m")
    question = shop.run_until_parked().question
    assert question is not None
    assert "4 deleted since, and made again" in str(question.plan.reported)
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data == GOOD
    assert shop.written() == {*GOOD, *notes}
    order_undo(shop)
    assert set(shop.data.values()) == {None}


def test_a_collection_that_is_gone_whole_comes_back() -> None:
    """Also one that nobody has declared: they are listed as of both moments."""
    shop = CorruptedShop(spoilt={})
    shop.write({"drafts/1": {"n": 1}})
    shop.advance_clock(3 * MINUTE)
    shop.write({"drafts/1": None})
    shop.advance_clock(10 * MINUTE)
    shop.order_until_parked(select="all", restore_point="12m")
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.written() == {"drafts/1"}


@pytest.mark.parametrize("original", [HERE, "other"])
def test_a_copy_of_another_database_is_no_restore_point(original: str) -> None:
    """Everything would be as it is there: what is repaired has no past in it."""
    shop = CorruptedShop(replace(SHOP, backups=replace(SHOP.backups, database=original)))
    now = shop.now
    point = RestorePoint(now - 20 * MINUTE, RestoreSource.WINDOW)
    copy = DatabaseCopy(
        id="copy-1",
        system="bookshop",
        original=original,
        point=point,
        location="nam5",
        command="command",
        actor="alice",
        reason="to look at it",
        began_at=now,
        status=FillStatus.READY,
    )
    shop.store.commit([Put(database_copy.copy_path(copy.id), encode(copy))])
    shop.ports.kept.write(copy.id, GOOD)
    shop.order(restore_point=copy.id, select="all")
    shop.pass_time(8 * MINUTE)
    waiting = [one for one in shop.rollbacks() if one.status is RollbackStatus.PARKED]
    assert len(waiting) == (original == HERE), refusal_reasons(shop)
    assert waiting or f"{copy.id} is none" in refusal_reasons(shop)[-1]


STRICT = replace(
    SHOP,
    fingerprint="another one",
    collections={
        **SHOP.collections,
        "customers": replace(SHOP.collections["customers"], schema={"required": ["name"]}),
    },
)


def test_a_policy_that_is_another_one_before_the_second_word() -> None:
    """The data are looked through anew by it, and people are asked what it comes to."""
    shop = CorruptedShop()
    shop.order()
    before = shop.run_until_parked().question
    shop.policy = STRICT
    shop.start_instances()
    shop.approve("bob")
    shop.pass_time(4 * MINUTE)
    question = shop.newest.question
    assert before is not None
    assert question is not None
    assert question.plan.fingerprint != before.plan.fingerprint
    assert question.plan.reported != before.plan.reported
    assert shop.ports.rewritten.written == []


def paused() -> CorruptedShop:
    """A repair that is paused once its first batch is copied, and before that is written."""
    shop = CorruptedShop()
    shop.order_until_parked()
    said: list[str] = []

    def pause(verb: str, side: str) -> None:
        if (verb, side) == ("quarantine.keep", "after") and not said:
            said.append(verb)
            shop.command("carol", command="pause")
            shop.advance_clock(timedelta(seconds=3))
            shop.deliver_commands()

    shop.ports.quarantine.hook = pause
    shop.approve("bob")
    shop.pass_time(2 * MINUTE)
    assert said
    return shop


def test_a_policy_that_is_another_one_while_documents_are_written() -> None:
    """Nothing more is: who has agreed to some has not agreed to those that another policy finds."""
    shop = paused()
    shop.policy = STRICT
    shop.start_instances()
    shop.command("carol", command="resume")
    shop.pass_time(4 * MINUTE)
    assert shop.newest.status is RollbackStatus.FAILED
    notes = [one.note for one in shop.steps(shop.newest.id).values()]
    assert any("another policy holds" in note for note in notes), notes
    assert shop.data == {**GOOD, **SPOILT}
    assert shop.find_violated_invariants() == []


def test_what_is_ordered_again_means_the_same_moment() -> None:
    """A span counts back from when it was said first."""
    shop = CorruptedShop()
    shop.order(restore_point="16m", select="collection:customers")
    first = shop.run_until_parked().question
    shop.send_command("reject", "bob", incident=shop.newest.incident)
    shop.pass_time(5 * MINUTE)
    shop.send_command("retry", "alice", incident=shop.newest.incident)
    again = shop.run_until_parked().question

    assert first is not None
    assert again is not None
    assert len(shop.rollbacks()) == 2
    assert again.plan.target == first.plan.target


def test_without_a_restore_point_the_minute_before_the_damage_counts() -> None:
    """As the look through the data has found it."""
    shop = CorruptedShop()
    shop.pass_time(2 * MINUTE)
    shop.carry_out("rollback", "alice", scenario="database", select="invalid")
    parked = shop.run_until_parked()
    assert parked.question is not None
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)
    assert shop.data == GOOD


def test_what_is_written_meanwhile_stays_and_is_told() -> None:
    """Between the question and the answer the application goes on: its valid writes survive."""
    shop = CorruptedShop()
    shop.order_until_parked()
    shop.write({"customers/ada": {"email": "mine@example.com"}})
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)

    assert shop.data == {**GOOD, "customers/ada": {"email": "mine@example.com"}}
    assert shop.written() == {"orders/1"}
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    notes = [moment.note for moment in shop.newest_incident.timeline]
    [written] = [note for note in notes if note.startswith("1 document written")]
    assert written.endswith("and left")  # why it is one less than the question said


def test_what_is_still_invalid_is_not_verified() -> None:
    """No version of it passes: the others are back, and people read that not all is well."""
    shop = CorruptedShop(spoilt={**SPOILT, "customers/bad": {"never": "valid"}})
    shop.order_until_parked()
    shop.approve("bob")
    shop.pass_time(5 * MINUTE)

    assert shop.data == {**GOOD, "customers/bad": {"never": "valid"}}
    assert shop.newest.verified_at is None
    assert "NOT verified: 1 document is still invalid" in str(
        StateReader(shop.store).audit_entries(shop.newest.id)
    )


def test_a_paused_repair_goes_on_behind_what_it_has_written() -> None:
    """The kill switch is looked at before each batch."""
    shop = paused()
    assert shop.ports.rewritten.written == []
    shop.command("carol", command="resume")
    shop.pass_time(10 * MINUTE)
    assert shop.data == GOOD
    assert shop.find_violated_invariants() == []


def test_what_is_left_of_somebody_erased_since_the_question_stays_as_it_is() -> None:
    """The application has said so in its own collection: a version that names them stays gone."""
    unnamed = {"orders/1": {"customer": "nobody", "status": "paid", "amount": 3}}
    shop = CorruptedShop(replace(SHOP, erasure=ERASURE), spoilt={**SPOILT, **unnamed})
    shop.order_until_parked()
    shop.pass_time(MINUTE)
    now = shop.now
    shop.write({"customers/ada": None, "erased/1": {"who": "ada", "done": now}})
    shop.ports.beside.held[HERE, "erased/1"] = now
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)

    assert shop.data == {**GOOD, "customers/ada": None, **unnamed}
    assert shop.written() == set()
    assert shop.find_violated_invariants() == []


@pytest.mark.parametrize("verb", ["quarantine.keep", "rewrites.rewrite"])
def test_a_repair_that_comes_no_further_ends(verb: str) -> None:
    """A portion has its time, however many workers try it, and says what failed."""
    shop = CorruptedShop()
    shop.order_until_parked()
    shop.ports.quarantine.hook = shop.ports.rewritten.hook = raise_error(verb, Unavailable("nobody answers"))
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    notes = [step.note for step in shop.steps(shop.newest.id).values() if step.note]
    assert any("no result in time: nobody answers" in note for note in notes), notes
    assert shop.data == {**GOOD, **SPOILT}
    assert shop.find_violated_invariants() == []


def test_the_report_names_each_document() -> None:
    """What was written, and what was left and why, by path; the steps count the others."""
    shop = CorruptedShop()
    shop.order_until_parked()
    shop.write({"customers/ada": {"email": "mine@example.com"}})
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)

    reading, trail = StateReader(shop.store), AuditReader(shop.store, None)
    incident, now = shop.newest_incident, shop.now
    kept = gather_report_facts(reading, trail, SHOP, incident, now, ImpactCounts())
    [course] = build_report(kept).rollbacks
    told = {one.path: bool(one.left) for one in course.documents}
    assert told == {"customers/ada": True, "orders/1": False}
    text = render_markdown(build_report(kept))
    assert "Documents: 2, of which the first are" in text
    assert "| orders/1 | 2026-03-02" in text


def test_a_journal_that_takes_longer_to_read_than_the_lease_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever concludes a repair of very many documents holds it as long as that takes."""
    monkeypatch.setattr(document_outcomes, "DOCUMENTS_PER_BATCH", 1)
    monkeypatch.setattr(reader, "PAGE_SIZE", 1)
    shop = CorruptedShop(spoilt={f"customers/{n}": {"name": "Ada"} for n in ("ada", "bob")})
    shop.order_until_parked()

    def slowly(verb: str, side: str) -> None:
        kept = shop.documents
        steps = [one for path, one in kept.items() if path.startswith(f"rollbacks/{here}/steps/")]
        is_concluded = kept[f"rollbacks/{here}"]["status"] == "RUNNING" and all(
            one["status"] == "DONE" for one in steps
        )
        if (verb, side) == ("store.query", "before") and is_concluded:
            shop.ports.clock.sleep(9.0)

    here = shop.newest.id
    shop.store.hook = slowly
    shop.approve("bob")
    shop.pass_time(20 * MINUTE)

    assert (shop.newest.status, shop.newest.takeovers) == (RollbackStatus.SUCCEEDED, 0)
    assert shop.data == {path: GOOD.get(path) for path in shop.data}


def test_older_versions_that_nobody_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked for until the time to decide is over, however fresh all else is."""
    often = replace(SHOP.integrity, quiet=10 * MINUTE, every=5 * MINUTE)
    shop = CorruptedShop(replace(SHOP, integrity=often))
    stream = shop.ports.kept.stream

    def silent(
        database: str, scope: Scope, at: datetime | None, after: str = ""
    ) -> Iterator[DocumentSnapshot]:
        if at is not None and at < shop.now - 12 * MINUTE:
            raise Unavailable("no answer")
        return stream(database, scope, at, after)

    monkeypatch.setattr(shop.ports.kept, "stream", silent)
    shop.order()
    shop.pass_time(PREPARATION_TIMEOUT + 10 * MINUTE)

    assert (shop.newest.status, shop.newest.outcome) == (
        RollbackStatus.NOT_TAKEN,
        "the data cannot be read: no answer",
    )
    assert shop.data == {**GOOD, **SPOILT}
