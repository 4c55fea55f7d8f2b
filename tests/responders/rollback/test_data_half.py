"""After the code half of a rollback, two people are asked about the documents."""

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from shared.core.codec import encode
from shared.core.errors import Unavailable
from shared.core.store import Put
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.restore_test import restore_test_path
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.policy.resources import BackupRules, CopyRules
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.cli.browser import Browser
from tests.support.cli.in_process import WorldPrompt
from tests.support.data.corrupting_release import HOUR, MINUTE, POLICY, SPOILT, SpoiltShop
from tests.support.data.data_checks import HERE
from tests.support.data.database_copies import only_copy
from tests.support.data.restore_points import build_proof
from tests.support.decision.outages import notice_texts
from tests.support.fakes.runtime.hooks import no_hook, run_once


def test_two_people_approve_and_the_documents_are_restored_once() -> None:
    """The code half waits for nobody, the data half for two people."""
    shop = SpoiltShop()
    shop.pass_time(20 * MINUTE)

    code, question = shop.rollbacks()
    assert shop.live == shop.before
    assert (code.status, question.status) == (RollbackStatus.SUCCEEDED, RollbackStatus.PARKED)
    assert question.question is not None
    assert question.question.needed == 2
    [begun] = set(notice_texts(shop, "rollback.decided"))
    assert "two people must approve documents (invalid) next, back to 2026-03-0" in begun
    [asked] = set(notice_texts(shop, "rollback.parked"))
    assert "2 different people must approve: database back to" in asked
    assert "brought back: orders/1" in asked
    assert "after detection, " in asked

    shop.say("ada", "approve")
    shop.pass_time(2 * MINUTE)
    assert shop.order_one() == SPOILT
    shop.say("bob", "approve")
    shop.pass_time(15 * MINUTE)

    assert shop.order_one() == {**SPOILT, "amount": 3}
    assert shop.ports.rewritten.written == ["orders/1"]
    assert [one.status for one in shop.rollbacks()] == [RollbackStatus.SUCCEEDED] * 2
    assert shop.newest_incident.status is IncidentStatus.RESOLVED
    assert shop.find_violated_invariants() == []


def test_the_question_is_shown_wherever_people_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With its restore point and its forecast, as any other question."""
    monkeypatch.setenv("COLUMNS", "300")
    shop = SpoiltShop()
    shop.pass_time(15 * MINUTE)
    prompt = WorldPrompt(monkeypatch, tmp_path, shop)
    incident = shop.incident

    waits = "documents change only after approval: 1 document as of 2026-03-02 13:54 UTC; last document in"
    for command in ("status", "report"):
        shown = prompt.say(command, *([incident.id] if command == "report" else [])).output
        assert "INC-20260302-001-r2: Waiting for approval" in shown
        assert waits in shown
    browser = Browser(shop)
    browser.sign_in()
    page = browser.get(f"/say?command=approve&incident={incident.id}").body.decode()
    assert "2026-03-02 13:54 UTC" in page
    assert "within the target of 15 min" in page
    assert "brought back: orders/1" in page


@pytest.mark.parametrize("answer", ["approve", "reject", ""])
def test_without_two_approvals_no_document_changes(answer: str) -> None:
    """One approval waits, a rejection stands, and nobody is asked a second time."""
    shop = SpoiltShop()
    shop.pass_time(15 * MINUTE)
    if answer:
        shop.say("ada", answer)

    shop.pass_time(90 * MINUTE)
    shop.write({"orders/2": SPOILT})
    shop.pass_time(90 * MINUTE)

    [question] = shop.questions()
    assert question.status is RollbackStatus.NOT_TAKEN
    why = "rejected by ada" if answer == "reject" else "the request for approval expired"
    assert question.outcome.startswith(why)
    assert shop.order_one() == SPOILT
    assert shop.live == shop.before
    assert shop.incident.status is IncidentStatus.ESCALATED
    assert len(set(notice_texts(shop, "rollback.parked"))) == 1


def test_a_policy_that_has_people_order_it() -> None:
    """Then nobody is asked, and the notice of the damage has the command."""
    shop = SpoiltShop(replace(POLICY, gates=replace(POLICY.gates, data_question=False)))
    shop.pass_time(30 * MINUTE)

    assert shop.live == shop.before
    assert shop.questions() == []
    assert not any("documents" in one for one in notice_texts(shop, "rollback.decided"))
    assert any("--select invalid" in one for one in notice_texts(shop, "data-open"))


def test_without_a_bucket_for_copies_of_documents() -> None:
    """The notice of the code half says what is missing, and no question arises."""
    shop = SpoiltShop()
    shop.ports.quarantine = None  # type: ignore[assignment]
    shop.pass_time(30 * MINUTE)

    [begun] = set(notice_texts(shop, "rollback.decided"))
    assert "no approval is requested for documents: there is no bucket for copies" in begun
    assert shop.questions() == []


def test_a_rollback_of_the_database_without_known_damage() -> None:
    """A database that is unreachable says nothing about documents."""
    shop = SpoiltShop()
    shop.write({"orders/1": {**SPOILT, "amount": 3}})
    shop.deploy_bad()
    shop.alert(signal="database_failure_rate")
    shop.pass_time(30 * MINUTE)

    [begun] = set(notice_texts(shop, "rollback.decided"))
    assert "no approval is requested for documents: no check has found invalid or missing documents" in begun
    assert shop.questions() == []


class LateShop(SpoiltShop):
    """The corruption is found once no older version can be read; the release counts as stable."""

    def __init__(self) -> None:
        late = replace(POLICY.integrity, every=timedelta(minutes=150))
        super().__init__(replace(POLICY, integrity=late, backups=BackupRules(copies=CopyRules())))

    def spoil(self) -> None:
        self.ports.databases.point_in_time_recovery = False
        self.back_up()
        self.ports.clock.advance(MINUTE)
        super().spoil()

    def back_up(self) -> None:
        self.ports.databases.hold_documents(HERE, orders=1_200_000)
        self.ports.databases.back_up(HERE, timedelta(days=60))
        [backup] = self.ports.databases.backups(HERE)
        proof = replace(build_proof(backup.name, FillStatus.PROVEN), began_at=self.ports.clock.now())
        self.ports.store.commit([Put(restore_test_path("tried"), encode(proof))])

    def approve_code_half(self) -> None:
        self.pass_time(2 * HOUR - 10 * MINUTE)
        for person in ("ada", "bob"):
            self.say(person, "approve")
        self.pass_time(10 * MINUTE)
        assert self.live == self.before


def test_a_restore_point_that_must_be_copied_first() -> None:
    """The notice names the backup, and how long its copy takes beside the target."""
    shop = LateShop()
    shop.approve_code_half()

    [begun] = set(notice_texts(shop, "rollback.decided"))
    assert "no approval is requested for documents: 2026-03-0" in begun
    assert "must be copied first (last document in about 40 min" in begun
    assert "MORE THAN the target of 15 min" in begun
    assert shop.questions() == []


def test_no_restore_point_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked about what cannot be done."""
    monkeypatch.setattr(LateShop, "back_up", lambda shop: None)
    shop = LateShop()
    shop.approve_code_half()

    [begun] = set(notice_texts(shop, "rollback.decided"))
    assert "no approval is requested for documents: no restore point before 2026-03-0" in begun
    assert shop.questions() == []


def test_a_copy_is_asked_about() -> None:
    """A copy of before the damage is read as it is."""
    shop = LateShop()
    [backup] = shop.ports.databases.backups(HERE)
    shop.carry_out("copy", "carol", restore_point=backup.name)
    shop.approve_code_half()

    [question] = shop.questions()
    assert question.order is not None
    assert question.order.restore_point == only_copy(shop).id
    shop.pass_time(10 * MINUTE)
    assert shop.questions()[0].status is RollbackStatus.PARKED, shop.questions()[0].outcome


def test_the_restore_points_cannot_be_read_when_the_code_half_ends() -> None:
    """The code half waits for nothing; whoever prepares the question reads them again."""
    shop = SpoiltShop()

    def refuse(verb: str, side: str) -> None:
        if verb == "backups.database" and shop.rollbacks():
            raise Unavailable("no answer")

    shop.ports.databases.hook = refuse
    shop.pass_time(10 * MINUTE)
    [begun] = set(notice_texts(shop, "rollback.decided"))
    assert "must approve documents (invalid) next, back to before the damage" in begun
    assert shop.live == shop.before
    shop.ports.databases.hook = no_hook
    shop.pass_time(10 * MINUTE)

    [question] = shop.questions()
    assert question.status is RollbackStatus.PARKED, question.outcome


def test_missing_documents() -> None:
    """A collection that has lost documents is asked about as a whole, with what that would undo."""
    shop = SpoiltShop()
    shop.write({"orders/1": {**SPOILT, "amount": 3}})
    shop.write({f"covers/no-{number}": None for number in range(19)})
    shop.pass_time(20 * MINUTE)

    [question] = shop.questions()
    assert question.order is not None
    assert question.order.select == "collection:covers"
    [asked] = set(notice_texts(shop, "rollback.parked"))
    assert "19 changes that nothing is wrong with would be undone" in asked
    shop.say("ada", "approve")
    shop.say("bob", "approve")
    shop.pass_time(15 * MINUTE)
    assert shop.data.get_quietly(HERE, "covers/no-7") is not None
    assert shop.questions()[0].status is RollbackStatus.SUCCEEDED


def test_documents_that_a_breach_has_corrupted() -> None:
    """After the monitoring of the code half the data are checked, and an invalid one is found."""
    shop = SpoiltShop(replace(POLICY, integrity=replace(POLICY.integrity, every=timedelta(days=1))))
    shop.alert(signal="security_breach")
    shop.pass_time(30 * MINUTE)

    [question] = shop.questions()
    assert question.status is RollbackStatus.PARKED, question.outcome
    assert shop.live == shop.before


def test_what_a_person_has_cancelled_asks_nothing_later() -> None:
    """A further breach joins after the cancel: nobody is asked about documents."""
    shop = SpoiltShop(replace(POLICY, integrity=replace(POLICY.integrity, every=timedelta(days=1))))
    shop.alert(signal="security_breach")
    while not any(one.status is RollbackStatus.WATCHING for one in shop.rollbacks()):
        shop.pass_time(MINUTE / 4)
    shop.say("ada", "cancel")
    shop.pass_time(3 * MINUTE)

    shop.alert("0.second", signal="security_breach")
    shop.pass_time(10 * MINUTE)

    assert shop.rollbacks()[0].status is RollbackStatus.CANCELLED
    assert shop.questions() == []


def test_a_code_half_that_failed_asks_nothing_and_can_be_tried_again() -> None:
    """What it went back to fails as well: a person decides about the code first."""
    shop = SpoiltShop()

    def spoil_too() -> None:
        for function, revisions in shop.before.items():
            for revision in revisions:
                shop.platform.set_failure_rate(function, revision, 0.9)

    shop.platform.hook = run_once("platform.shift", "after", spoil_too)
    shop.pass_time(30 * MINUTE)

    assert shop.rollback.status is RollbackStatus.FAILED
    assert shop.newest_incident.status is IncidentStatus.ESCALATED
    assert any("a person may now retry" in text for text in notice_texts(shop, "rollback.failed"))
