"""A fault at each write into the data, copy before it and commit of a repair, and of its undo."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache

import pytest

from responders.data.repair import document_outcomes, writer
from responders.data.repair.document_outcomes import DOCUMENTS_PER_BATCH
from responders.rollback import derived_data
from shared.domain.data.document import REWRITE_TIMEOUT_SECONDS, collection_of
from shared.domain.data.repair import quarantine
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import LEASE_DURATION, RollbackStatus
from tests.support.data.corrupted_bookshop import DERIVED, GOOD, MINUTE, SHOP, SPOILT, CorruptedShop
from tests.support.data.erasure_during_repair import SPOILT as OF_TWO
from tests.support.data.erasure_during_repair import (
    WITHOUT_ADA,
    add_to_erasure_ledger,
    after_last_rewrite,
    assert_erased_after_cancelled_repair,
    cancel_repair_and_erase,
    journalled_copies,
    read_journal,
    read_last_step,
    unreferenced_copies,
)
from tests.support.faults.fault_injection import FaultInjectorHook, InjectedFault, ProcessCrash, tick_clock

REWRITE = timedelta(seconds=REWRITE_TIMEOUT_SECONDS)
EFFECTS = ("quarantine.keep", "quarantine.remove", "rewrites.rewrite")
EVERYTHING = (*EFFECTS, "store.commit")
LATER = {"customers/bob": {"email": "later@example.com"}}
"""What the application writes after people were asked."""


def run(saboteur: FaultInjectorHook, policy: Policy = SHOP) -> CorruptedShop:
    """Asked about undisturbed; from the second word on something goes wrong."""
    shop = CorruptedShop(policy, saboteur)
    saboteur.world = shop
    shop.order()
    shop.run_until_parked()
    shop.write(dict(LATER))
    carried(shop, saboteur, "bob", "approve")
    return shop


def carried(shop: CorruptedShop, saboteur: FaultInjectorHook, actor: str, verb: str) -> None:
    """What a person says is carried out, with one fault in it."""
    saboteur.active = True
    shop.command(actor, command=verb, system="bookshop", incident=shop.newest.incident)
    tick_clock(shop, saboteur, 24, timedelta(seconds=30))
    saboteur.active = False


def assert_repaired(shop: CorruptedShop) -> None:
    """Each document is written once, and named; the application's own are as it wants them."""
    assert shop.data == {**GOOD, **LATER}
    assert sorted(shop.ports.rewritten.written) == sorted(SPOILT)
    assert shop.written() == set(SPOILT)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.find_violated_invariants() == []


@cache
def undisturbed(counted: tuple[str, ...]) -> tuple[str, ...]:
    saboteur = FaultInjectorHook(counted=counted)
    assert_repaired(run(saboteur))
    return tuple(saboteur.points)


def last_write(points: Sequence[str]) -> int:
    """The last point at which a document or its copy is written."""
    return max(number for number, point in enumerate(points) if "store" not in point)


def effects() -> list[tuple[int, InjectedFault]]:
    """Before and after each copy and each write."""
    return [(point, fault) for point in range(len(undisturbed(EFFECTS))) for fault in InjectedFault]


@pytest.mark.parametrize(("point", "fault"), effects())
def test_a_fault_at_a_write(point: int, fault: InjectedFault) -> None:
    """Whoever dies, hears nothing or stands still there: what is valid stays, all else is back."""
    saboteur = FaultInjectorHook(point, fault, EFFECTS)
    shop = run(saboteur)

    assert saboteur.happened
    assert_repaired(shop)


def commits() -> list[int]:
    """After each commit, up to the one that follows the last write."""
    points = undisturbed(EVERYTHING)
    last = last_write(points)
    return [n for n in range(last + 5) if points[n] == "after store.commit"]


@pytest.mark.parametrize("point", commits())
def test_a_crash_after_a_commit(point: int) -> None:
    """Whichever commit it dies at, the next worker goes on where that one was."""
    assert_repaired(run(FaultInjectorHook(point, InjectedFault.CRASH, EVERYTHING)))


@pytest.mark.parametrize("commit", range(7))
def test_a_crash_between_the_parts_of_what_is_asked_for(commit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made from the documents is asked for in several commits, and each of it once."""
    monkeypatch.setattr(derived_data, "MAX_RECORDS_PER_COMMIT", 1)
    counted = FaultInjectorHook(counted=EVERYTHING)
    run(counted, DERIVED)
    first = last_write(counted.points)
    commits = [n for n, one in enumerate(counted.points) if n > first and "after" in one]
    shop = run(FaultInjectorHook(commits[commit], InjectedFault.CRASH, EVERYTHING), DERIVED)

    assert_repaired(shop)
    assert shop.events(shop.newest).count("rollback.derived-asked") == len(SPOILT)
    asked = [json.loads(one.data) for one in shop.ports.theirs.messages]
    assert {one["id"]: one["documents"] for one in asked} == {
        f"regenerate-{shop.newest.id}-{collection_of(path)}-1": [path] for path in SPOILT
    }


class Bereft(CorruptedShop):
    """A bookshop that wants a customer back who is gone; each request is seen as it leaves."""

    def __init__(self) -> None:
        super().__init__(spoilt={**SPOILT, "customers/bob": None})
        self.sent_at: list[datetime] = []
        self.stood_still = False
        self.order(restore_point="16m", select="collection:customers")
        self.run_until_parked(12)
        self.ports.rewritten.hook = self.sent

    def sent(self, verb: str, side: str) -> None:
        """It lands before the deadline of its intent, and before anybody else holds the lease."""
        if side == "before":
            self.sent_at.append(self.ports.clock.now())
            [step, *_] = self.steps(self.newest.id).values()
            lease, lands_by = self.newest.lease, self.sent_at[-1] + REWRITE
            assert step.deadline is not None
            assert lands_by <= step.deadline or "customers/bob" not in self.told()
            assert lease is not None
            assert lands_by <= lease.renewed_at + LEASE_DURATION

    def told(self) -> set[str]:
        """The documents of the batch that is being written."""
        [*_, last] = self.ports.quarantine.objects.values()
        return {one.path for one in quarantine.unpack_changes(last.content)}

    def stand_still(self, seconds: float) -> None:
        """Somebody does, right before the first request is sent."""

        def stands_still(verb: str, side: str) -> None:
            if (verb, side) == ("quarantine.keep", "after") and not self.stood_still:
                self.stood_still = True
                self.ports.clock.advance(timedelta(seconds=seconds))

        self.ports.quarantine.hook = stands_still


@pytest.mark.parametrize("chunk", [1, DOCUMENTS_PER_BATCH])
@pytest.mark.parametrize("seconds", [0, 5, 12, 20, 25, 29])
def test_what_is_sent_lands_in_its_time(seconds: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a worker stands still before it: then it is intended anew, and sent later."""
    monkeypatch.setattr(document_outcomes, "DOCUMENTS_PER_BATCH", chunk)
    shop = Bereft()
    shop.stand_still(seconds)
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)

    assert shop.stood_still
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data["customers/bob"] == GOOD["customers/bob"]


def test_portions_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has come further is over: nothing of it is waited for."""
    monkeypatch.setattr(document_outcomes, "DOCUMENTS_PER_BATCH", 1)
    monkeypatch.setattr(writer, "MAX_PORTION_SECONDS", 0.0)
    shop = Bereft()
    shop.approve("bob")
    shop.pass_time(3 * MINUTE)

    first, second = shop.sent_at
    assert second - first < REWRITE


def test_who_follows_a_dead_worker_waits_for_what_that_one_has_sent() -> None:
    """Made again only once a create under way has landed or never will: it may be deleted then."""
    shop = Bereft()

    def dies(verb: str, side: str) -> None:
        shop.sent(verb, side)
        if len(shop.sent_at) == 1:
            raise ProcessCrash

    shop.ports.rewritten.hook = dies
    saboteur = FaultInjectorHook()
    saboteur.world = shop
    carried(shop, saboteur, "bob", "approve")

    died, followed = shop.sent_at
    assert followed - died >= REWRITE
    assert shop.data["customers/bob"] == GOOD["customers/bob"]
    assert shop.find_violated_invariants() == []


def undone(saboteur: FaultInjectorHook) -> CorruptedShop:
    """A repair that went well, taken back."""
    shop = run(FaultInjectorHook())
    shop.command("alice", command="undo", system="bookshop", incident=shop.newest.incident)
    shop.run_until_parked(2)
    shop.ports.rewritten.written.clear()
    for fake in (shop.ports.rewritten, shop.ports.quarantine, shop.ports.store):
        fake.hook = saboteur
    saboteur.world = shop
    carried(shop, saboteur, "bob", "approve")
    return shop


def assert_undone(shop: CorruptedShop) -> None:
    """Everything is as the repair has found it; each document is written once."""
    assert shop.data == {**GOOD, **SPOILT, **LATER}
    assert sorted(shop.ports.rewritten.written) == sorted(SPOILT)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.find_violated_invariants() == []


@cache
def undisturbed_undo() -> int:
    saboteur = FaultInjectorHook(counted=EFFECTS)
    assert_undone(undone(saboteur))
    return len(saboteur.points)


@pytest.mark.parametrize("fault", [InjectedFault.CRASH, InjectedFault.LOST_ANSWER])
@pytest.mark.parametrize("point", range(undisturbed_undo()))
def test_a_fault_at_a_write_of_the_undo(point: int, fault: InjectedFault) -> None:
    """It is taken back all the same, and once."""
    saboteur = FaultInjectorHook(point, fault, EFFECTS)
    shop = undone(saboteur)

    assert saboteur.happened
    assert_undone(shop)


def erased_meanwhile(saboteur: FaultInjectorHook) -> CorruptedShop:
    """Somebody is erased once the last document is back, and something goes wrong around that."""
    shop = CorruptedShop(SHOP, saboteur, spoilt=OF_TWO)
    saboteur.world = shop
    shop.order()
    shop.run_until_parked()
    shop.ports.rewritten.hook = after_last_rewrite(shop, lambda: add_to_erasure_ledger(shop), saboteur)
    carried(shop, saboteur, "bob", "approve")
    return shop


def assert_taken_out(shop: CorruptedShop, *, kept_late: bool = False) -> None:
    """Nothing of them is there, all else is, and they are counted once and named nowhere.

    `kept_late`: somebody stood still before a copy was kept; that one lies there unnamed.
    """
    assert shop.data == WITHOUT_ADA
    assert shop.written() == {"customers/bob"}
    assert journalled_copies(shop) == {"customers/bob"}
    assert kept_late or not unreferenced_copies(shop)
    assert sum(one.taken_out for one in read_journal(shop)) == 2
    assert sum(one.copies_gone for one in read_journal(shop)) == 2
    assert read_last_step(shop).note.startswith("3 documents checked again: 2 of somebody")
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.find_violated_invariants() == []


def cancelled_meanwhile(saboteur: FaultInjectorHook) -> CorruptedShop:
    """A person has cancelled it by then, too."""
    shop = CorruptedShop(SHOP, saboteur, spoilt=OF_TWO)
    saboteur.world = shop
    shop.order()
    shop.run_until_parked()

    def undisturbed() -> None:
        was_active, saboteur.active = saboteur.active, False
        cancel_repair_and_erase(shop)
        saboteur.active = was_active

    shop.ports.rewritten.hook = after_last_rewrite(shop, undisturbed, saboteur)
    carried(shop, saboteur, "bob", "approve")
    return shop


def around_the_effects(counted: FaultInjectorHook) -> list[tuple[int, InjectedFault]]:
    """Before and after each effect, and each commit from the first of them on, and a few behind."""
    effects = [number for number, point in enumerate(counted.points) if "store" not in point]
    near = range(effects[0], effects[-1] + 8)
    return [(point, fault) for point in near for fault in InjectedFault]


def around_the_cancel() -> list[tuple[int, InjectedFault]]:
    """From the first document back on."""
    saboteur = FaultInjectorHook(counted=EVERYTHING)
    assert_erased_after_cancelled_repair(cancelled_meanwhile(saboteur))
    return around_the_effects(saboteur)


@pytest.mark.parametrize(("point", "fault"), around_the_cancel())
def test_a_fault_around_a_cancel(point: int, fault: InjectedFault) -> None:
    """Whoever was erased is taken out once, after the end."""
    saboteur = FaultInjectorHook(point, fault, EVERYTHING)
    shop = cancelled_meanwhile(saboteur)

    assert saboteur.happened
    stood_still = fault is InjectedFault.ZOMBIE and saboteur.points[point] == "before quarantine.keep"
    assert_erased_after_cancelled_repair(shop, kept_late=stood_still)


def around_the_erasure() -> list[tuple[int, InjectedFault]]:
    """From the last document back on."""
    saboteur = FaultInjectorHook(counted=EVERYTHING)
    assert_taken_out(erased_meanwhile(saboteur))
    return around_the_effects(saboteur)


@pytest.mark.parametrize(("point", "fault"), around_the_erasure())
def test_a_fault_around_an_erasure(point: int, fault: InjectedFault) -> None:
    """Whoever was erased stays so."""
    saboteur = FaultInjectorHook(point, fault, EVERYTHING)
    shop = erased_meanwhile(saboteur)

    assert saboteur.happened
    stood_still = fault is InjectedFault.ZOMBIE and saboteur.points[point] == "before quarantine.keep"
    assert_taken_out(shop, kept_late=stood_still)
