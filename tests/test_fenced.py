"""A repair behind a fence: raised with it, waited for, asked before each batch, fallen after."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared import command as commands
from shared import topics
from shared.command import CommandRecord
from shared.documents import decode
from shared.errors import Rejected, Unavailable
from shared.fence import Fence, Status
from shared.health import ProbeAnswer
from shared.integrity_rules import Derived, FenceRules
from shared.policy import Policy
from shared.ports import Update
from shared.rollback import Status as RollbackStatus
from tests.fakes.hooks import Hook, no_hook
from tests.test_fencing import (
    BEFORE,
    RULES,
    fence_of,
    lift,
    public,
    raise_it,
    scalings,
    told,
    windows,
    without_policy,
)
from tests.test_repairing import GOOD, MINUTE, SHOP, SPOILT, Shop

FENCED = replace(SHOP, fence=RULES)


class FencedShop(Shop):
    """The spoilt bookshop, of which something holds across documents."""

    def __init__(
        self,
        rules: FenceRules = RULES,
        policy: Policy = FENCED,
        hook: Hook = no_hook,
        spoilt: dict[str, dict[str, Any] | None] | None = None,
    ) -> None:
        super().__init__(replace(policy, fence=rules), hook, spoilt)
        self.behind: list[Status] = []
        """How far the fence was at each batch."""
        if hook is no_hook:
            self.ports.rewritten.hook = self.written_behind
        for name, scaling in BEFORE.items():
            self.ports.world.services()[name].scaling = scaling

    def written_behind(self, verb: str, side: str) -> None:
        """No writer has an instance while documents are written."""
        if (verb, side) == ("rewrites.rewrite", "before"):
            self.behind.append(fence_of(self).status)
            assert {one.manual for one in scalings(self).values()} == {0}

    def asked(self) -> None:
        """Ordered, and waiting for a second person."""
        self.order()
        self.parked()

    def until(self, holds: Callable[[], bool]) -> None:
        """Time passes until that holds, a quarter of an hour at most."""
        for _ in range(30):
            if holds():
                return
            self.pass_time(MINUTE / 2)
        raise AssertionError(self.newest)

    def raised(self) -> None:
        """The second person agrees, and the canary writes on: it does not stand."""
        self.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
        self.approve("bob")
        self.until(self.has_fence)
        assert fence_of(self).status is Status.RAISING

    def deliver_commands(self) -> None:
        """What people have said arrives while a worker is busy."""
        for one in [one for one in self.waiting() if one.topic == topics.COMMANDS]:
            self.ports.bus.messages.remove(one)
            self.deliver(one)

    def has_fence(self) -> bool:
        return self.ports.store.get("fences/bookshop").fields is not None


def expect_as_before(shop: FencedShop) -> None:
    """Every function is what it was, and automation answers alerts again."""
    assert fence_of(shop).status is Status.DOWN
    assert scalings(shop) == BEFORE
    assert windows(shop) == 0


def held(shop: FencedShop) -> str:
    """Why it was not begun yet, each time."""
    events = [one for entry in shop.trail(shop.newest) for one in entry.events]
    return " ".join(str(one.facts["note"]) for one in events if one.name == "decision.held")


def test_documents_are_written_behind_a_fence() -> None:
    """Raised by the second word, and fallen in the watch; the public reads of maintenance."""
    shop = FencedShop()
    shop.asked()
    question = shop.newest.question
    assert question is not None
    assert "nothing of checkout writes: a fence is raised" in str(question.plan.reported)
    assert not shop.has_fence()

    shop.approve("bob")
    shop.pass_time(10 * MINUTE)
    fence = fence_of(shop)
    assert (fence.rollback, fence.actor) == (shop.newest.id, "alice")
    assert shop.behind == [Status.STANDING, Status.STANDING]
    assert shop.data == GOOD
    assert told(shop) == ["fence.raising", "fence.stands", "fence.falls", "fence.down"]
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.newest.verified_at is not None
    assert fence.falls_at is not None
    assert fence.falls_at >= shop.newest.verified_at
    [maintenance] = [one for one in public(shop) if one.incident == fence.public_id]
    assert maintenance.ended_at is not None
    expect_as_before(shop)
    assert [one for one in shop.broken_laws() if "was shifted" not in one] == []


def test_it_stands_until_the_data_are_looked_through_again() -> None:
    """What is found then was written by nobody meanwhile; no switch of its own holds it up."""
    shop = FencedShop()
    shop.asked()

    def silent(verb: str, side: str) -> None:
        if shop.newest.status is RollbackStatus.VERIFYING:
            raise Unavailable("no answer")

    shop.ports.kept.hook = silent
    shop.approve("bob")
    shop.until(lambda: shop.newest.status is RollbackStatus.VERIFYING)
    shop.pass_time(3 * MINUTE)
    assert shop.newest.verified_at is None
    assert shop.written() == set(SPOILT)
    assert (fence_of(shop).status, windows(shop)) == (Status.STANDING, 1)

    shop.ports.kept.hook = no_hook
    shop.pass_time(8 * MINUTE)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    expect_as_before(shop)


def test_nothing_is_waited_for_longer_than_it_takes() -> None:
    """Who raises it and who writes behind it hear of each other at once."""
    shop = FencedShop()
    shop.asked()
    shop.approve("bob")
    shop.until(lambda: shop.newest.started_at is not None)
    fence, began = fence_of(shop), shop.newest.started_at
    assert fence.stood_at is not None
    assert began is not None
    assert fence.stood_at - fence.began_at < timedelta(seconds=25)
    assert began - fence.stood_at < timedelta(seconds=5)


def test_the_watch_begins_once_it_is_down() -> None:
    """What fails because of the fence is no regression of what was written."""
    execution = replace(FENCED.execution, watch=12 * MINUTE)
    shop = FencedShop(policy=replace(FENCED, execution=execution))
    shop.asked()
    shop.approve("bob")
    shop.until(lambda: shop.newest.status is RollbackStatus.WATCHING)
    [site, *_] = [one.name for one in FENCED.probes if one.function is None]
    shop.ports.prober.answers[site] = ProbeAnswer(False, 503)
    shop.until(lambda: fence_of(shop).is_over)
    del shop.ports.prober.answers[site]
    shop.pass_time(12 * MINUTE)
    assert shop.newest.status is RollbackStatus.SUCCEEDED


def test_a_fence_that_nobody_raises_ends_it() -> None:
    """Whoever was to raise it never does."""
    shop = FencedShop()
    shop.asked()
    shop.raised()
    shop.ports.store.commit([Update(commands.path(fence_of(shop).command), {"due_at": None})])
    shop.pass_time(8 * MINUTE)
    assert shop.newest.status is RollbackStatus.FAILED
    assert "the fence does not stand" in shop.newest.outcome


def test_a_persons_fence_is_used_and_stays() -> None:
    """Who has raised it lets it fall; what fails because of it is no regression."""
    shop = FencedShop()
    raise_it(shop)
    shop.asked()
    shop.approve("bob")
    shop.until(lambda: shop.newest.status is RollbackStatus.WATCHING)
    [site, *_] = [one.name for one in FENCED.probes if one.function is None]
    shop.ports.prober.answers[site] = ProbeAnswer(False, 503)
    shop.pass_time(10 * MINUTE)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data == GOOD
    assert fence_of(shop).status is Status.STANDING
    assert fence_of(shop).rollback == ""
    notes = [str(entry.events[0].facts.get("note")) for entry in shop.trail(shop.newest)]
    assert not any(note.startswith("for the fence:") for note in notes)
    assert "nobody can see whether it is well" in shop.newest.outcome
    lift(shop)
    shop.pass_time(MINUTE)
    expect_as_before(shop)


def test_a_fence_that_does_not_stand_ends_it() -> None:
    """No document is written, and that is told with the reason."""
    shop = FencedShop()
    shop.asked()
    shop.raised()
    shop.pass_time(12 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert "no document was written: the fence has fallen" in shop.newest.outcome
    assert "still writes" in shop.newest.outcome
    assert shop.behind == []
    assert shop.data == {**GOOD, **SPOILT}
    expect_as_before(shop)


def test_a_fence_that_falls_ends_it_halfway() -> None:
    """What is written stays, nothing more is, and what was not is told."""
    shop = FencedShop()
    shop.asked()

    def lifted(verb: str, side: str) -> None:
        shop.written_behind(verb, side)
        if (verb, side) == ("rewrites.rewrite", "after") and len(shop.behind) == 1:
            shop.command("carol", command="lift-fence", system="bookshop")
            shop.deliver_commands()

    shop.ports.rewritten.hook = lifted
    shop.approve("bob")
    shop.pass_time(8 * MINUTE)

    assert len(shop.behind) == 1
    assert len(shop.written()) == 1
    assert shop.newest.status is RollbackStatus.FAILED
    assert "nothing more is written: the fence has fallen: lifted by carol" in shop.newest.outcome
    expect_as_before(shop)


def test_a_fence_that_falls_between_two_requests_of_a_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the first one has written is on record, and so told."""
    monkeypatch.setattr("responders.rewriting.REWRITE_BYTES", 1)
    shop = FencedShop(spoilt={"customers/ada": {"name": "Ada"}, "customers/bob": {"name": "Bob"}})
    shop.asked()

    def lifted(verb: str, side: str) -> None:
        shop.written_behind(verb, side)
        if (verb, side) == ("rewrites.rewrite", "after") and len(shop.behind) == 1:
            shop.command("carol", command="lift-fence", system="bookshop")
            shop.deliver_commands()

    shop.ports.rewritten.hook = lifted
    shop.approve("bob")
    shop.pass_time(4 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert shop.ports.rewritten.written == ["customers/ada"]
    assert shop.written() == {"customers/ada"}


def test_another_fence_is_not_the_one_that_it_was_begun_behind() -> None:
    """Between both the application has written."""
    shop = FencedShop()
    shop.asked()

    def replaced(verb: str, side: str) -> None:
        shop.written_behind(verb, side)
        if (verb, side) == ("rewrites.rewrite", "after") and len(shop.behind) == 1:
            later = {"began_at": shop.ports.clock.now()}
            shop.ports.store.commit([Update("fences/bookshop", later)])

    shop.ports.rewritten.hook = replaced
    shop.approve("bob")
    shop.pass_time(6 * MINUTE)
    assert "another one stands" in shop.newest.outcome
    assert len(shop.behind) == 1


def test_cancelled_while_it_is_waited_for() -> None:
    """It falls, whatever has become of its rollback."""
    shop = FencedShop()
    shop.asked()
    shop.raised()
    shop.command("alice", command="cancel", system="bookshop", incident=shop.newest.incident)
    shop.settle()
    assert shop.newest.status is RollbackStatus.CANCELLED
    shop.pass_time(8 * MINUTE)

    assert shop.behind == []
    assert fence_of(shop).why == f"{shop.newest.id} writes nothing more"
    expect_as_before(shop)


def frozen(shop: FencedShop) -> None:
    """A person wants nothing to be changed."""
    shop.command("carol", command="freeze", system="bookshop", until="2036-11-28T20:00:00Z")
    shop.settle()


def test_frozen_before_it_stands() -> None:
    """Nothing is stopped for a repair that may not begin."""
    shop = FencedShop()
    shop.asked()
    shop.raised()
    frozen(shop)
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert "a person has stopped automation" in shop.newest.outcome
    assert shop.behind == []
    assert scalings(shop) == BEFORE
    assert windows(shop) == 1


def test_what_overrides_a_freeze_has_its_fence() -> None:
    """Its order skips freeze windows, and so does all that it needs."""
    shop = FencedShop()
    shop.alert()
    shop.settle()
    shop.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
    shop.order(override=True, incident=shop.incidents()[-1].id)
    shop.until(shop.has_fence)
    frozen(shop)
    shop.pass_time(MINUTE)
    assert fence_of(shop).status is Status.RAISING
    del shop.ports.prober.answers[RULES.canary]
    shop.until(lambda: shop.newest.status is RollbackStatus.WATCHING)

    assert shop.data == GOOD


def test_paused_before_it_stands() -> None:
    """The kill switch lets it fall, and the repair ends with that."""
    shop = FencedShop()
    shop.asked()
    shop.raised()
    shop.command("carol", command="pause", system="bookshop")
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert "a person has stopped automation" in shop.newest.outcome
    expect_as_before(shop)


def undeclared(shop: FencedShop) -> None:
    """A policy without any fence is installed."""
    shop.policy = replace(shop.policy, fence=None)
    shop.start_instances()


def test_a_policy_that_declares_none_any_more_ends_what_waits_for_it() -> None:
    """What was agreed to was a repair behind a fence."""
    shop = FencedShop()
    shop.asked()
    shop.raised()
    undeclared(shop)
    shop.pass_time(8 * MINUTE)

    assert shop.behind == []
    assert shop.newest.status is RollbackStatus.FAILED
    assert shop.newest.outcome.startswith("no document was written: ")
    assert fence_of(shop).why == "the policy declares no fence any more"
    expect_as_before(shop)


def test_a_policy_that_declares_none_any_more_ends_it_halfway() -> None:
    """The fence falls with it, and nothing more is written without."""
    shop = FencedShop()
    shop.asked()

    def paused(verb: str, side: str) -> None:
        shop.written_behind(verb, side)
        if (verb, side) == ("rewrites.rewrite", "after") and len(shop.behind) == 1:
            shop.command("carol", command="pause")
            shop.ports.clock.advance(timedelta(seconds=3))
            shop.deliver_commands()

    shop.ports.rewritten.hook = paused
    shop.approve("bob")
    shop.pass_time(MINUTE)
    undeclared(shop)
    shop.pass_time(MINUTE)
    shop.command("carol", command="resume")
    shop.pass_time(8 * MINUTE)

    assert len(shop.behind) == 1
    assert shop.newest.status is RollbackStatus.FAILED
    assert "the policy declares no fence any more" in shop.newest.outcome
    expect_as_before(shop)


def test_a_repair_that_a_fence_cannot_outlast_is_not_begun() -> None:
    """That is said when it is decided, in a dry run as well, and not halfway."""
    short = replace(RULES, longest=5 * MINUTE)
    shop = FencedShop(short)
    shop.order(dry_run=True, id="dry")
    record = decode(CommandRecord, shop.ports.store.get("commands/dry").fields)
    assert "a fence may be up for 5 min 0 s (fence.longest)" in record.result
    shop.order()
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.NOT_TAKEN
    assert "a fence may be up for 5 min 0 s (fence.longest)" in shop.newest.outcome
    assert not shop.has_fence()


def test_a_fence_that_falls_is_waited_for() -> None:
    """Until everything is as it was; then one is raised for the repair."""
    shop = FencedShop()
    shop.asked()
    raise_it(shop)
    lift(shop)
    before = fence_of(shop)
    assert before.status is Status.FALLING
    shop.approve("bob")
    assert fence_of(shop).command == before.command
    shop.until(lambda: fence_of(shop).rollback == shop.newest.id)
    assert "a fence is falling: lifted by" in held(shop)
    shop.pass_time(15 * MINUTE)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert fence_of(shop).rollback == shop.newest.id
    expect_as_before(shop)


def test_a_persons_fence_that_falls_too_soon_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would fall before the last document: another one is raised behind it."""
    shop = FencedShop()
    shop.asked()
    monkeypatch.setattr("responders.foreseeing.seconds", lambda _survey: 900.0)
    raise_it(shop, expires="12m")
    shop.approve("bob")
    shop.until(lambda: fence_of(shop).rollback == shop.newest.id)
    assert "and writing takes 15 min 0 s: lift it, or wait" in held(shop)
    shop.pass_time(12 * MINUTE)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert fence_of(shop).rollback == shop.newest.id
    expect_as_before(shop)


def test_what_is_made_from_documents_is_asked_for_once_it_is_down() -> None:
    """Who would hear of it has no instances before."""
    derived = (Derived("regenerate-receipts"),)
    orders = replace(SHOP.collections["orders"], derived=derived)
    policy = replace(FENCED, collections={**SHOP.collections, "orders": orders})
    shop = FencedShop(policy=policy)
    shop.asked()
    seen: list[Fence] = []
    shop.ports.theirs.hook = lambda verb, side: seen.append(fence_of(shop))
    shop.approve("bob")
    shop.pass_time(12 * MINUTE)

    assert len(shop.ports.theirs.messages) == 1
    assert {one.status for one in seen} == {Status.DOWN}


@pytest.mark.parametrize("held", [2 * MINUTE, 40 * MINUTE])
def test_a_repair_that_is_paused_goes_on_behind_the_same_fence(held: timedelta) -> None:
    """Or not at all, where that has fallen meanwhile."""
    shop = FencedShop()
    shop.asked()

    def paused(verb: str, side: str) -> None:
        if (verb, side) == ("quarantine.keep", "after") and not shop.behind:
            shop.ports.quarantine.hook = lambda _verb, _side: None
            shop.command("carol", command="pause")
            shop.ports.clock.advance(timedelta(seconds=3))
            shop.deliver_commands()

    shop.ports.quarantine.hook = paused
    shop.approve("bob")
    shop.pass_time(held)
    assert shop.behind == []
    shop.command("carol", command="resume")
    shop.pass_time(12 * MINUTE)

    done = held < RULES.longest
    assert shop.newest.status is (RollbackStatus.SUCCEEDED if done else RollbackStatus.FAILED)
    assert bool(shop.behind) is done
    assert shop.data == (GOOD if done else {**GOOD, **SPOILT})
    expect_as_before(shop)


def repaired(shop: FencedShop) -> FencedShop:
    """Its documents are back, its own fence is down, and nobody looks any more."""
    shop.asked()
    shop.approve("bob")
    shop.pass_time(15 * MINUTE)
    expect_as_before(shop)
    shop.behind.clear()
    return shop


def undo_asked(shop: FencedShop) -> None:
    """Ordered, and waiting for a second person."""
    shop.command("alice", command="undo", system="bookshop", incident=shop.newest.incident)
    shop.parked(2)


def test_an_undo_writes_behind_a_fence_as_well() -> None:
    """Raised by the second word, asked before each batch, and fallen at the end."""
    shop = repaired(FencedShop())
    undo_asked(shop)
    question = shop.newest.question
    assert question is not None
    assert "nothing of checkout writes: a fence is raised" in str(question.plan.reported)
    assert fence_of(shop).is_over

    shop.approve("bob")
    shop.pass_time(8 * MINUTE)
    assert fence_of(shop).rollback == shop.newest.id
    assert shop.behind == 2 * [Status.STANDING]
    assert shop.data == {**GOOD, **SPOILT}
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert told(shop) == 2 * ["fence.raising", "fence.stands", "fence.falls", "fence.down"]
    expect_as_before(shop)


def test_an_undo_whose_fence_does_not_stand() -> None:
    """No document is put back, and everything is as it was."""
    shop = repaired(FencedShop())
    undo_asked(shop)
    shop.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
    shop.approve("bob")
    shop.pass_time(14 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert "still writes" in shop.newest.outcome
    assert shop.behind == []
    assert shop.data == GOOD
    expect_as_before(shop)


def test_an_undo_whose_fence_falls_halfway() -> None:
    """Nothing is written without it, and what was is told."""
    shop = repaired(FencedShop())
    undo_asked(shop)

    def lifted(verb: str, side: str) -> None:
        shop.written_behind(verb, side)
        if (verb, side) == ("quarantine.keep", "after") and not shop.behind:
            shop.command("carol", command="lift-fence", system="bookshop")
            shop.deliver_commands()

    shop.ports.quarantine.hook = lifted
    shop.approve("bob")
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert "nothing more is written: the fence has fallen: lifted by carol" in shop.newest.outcome
    assert shop.data == GOOD
    expect_as_before(shop)


def test_an_undo_waits_for_the_fence_of_its_repair_to_fall() -> None:
    """That one falls with the repair, and would not outlast the undo."""
    shop = FencedShop()
    shop.asked()

    def refused(verb: str, side: str) -> None:
        shop.written_behind(verb, side)
        if (verb, side) == ("rewrites.rewrite", "before") and len(shop.behind) == 2:
            shop.ports.rewritten.hook = shop.written_behind
            raise Rejected("PERMISSION_DENIED")

    shop.ports.rewritten.hook = refused
    shop.approve("bob")
    shop.until(lambda: shop.newest.status is RollbackStatus.FAILED)
    first = fence_of(shop)
    assert first.status is not Status.DOWN
    shop.command("alice", command="undo", system="bookshop", incident=shop.newest.incident)
    shop.settle()
    shop.until(lambda: shop.newest.status is RollbackStatus.PARKED)
    assert fence_of(shop).status is Status.DOWN
    assert "fence" in held(shop)
    shop.behind.clear()
    shop.approve("bob")
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert fence_of(shop).rollback == shop.newest.id
    assert shop.behind == [Status.STANDING]
    assert shop.data == {**GOOD, **SPOILT}
    expect_as_before(shop)


def test_an_undo_that_no_fence_can_outlast_is_not_begun() -> None:
    """It says so, and why."""
    shop = repaired(FencedShop())
    shop.policy = replace(shop.policy, fence=replace(RULES, longest=4 * MINUTE))
    shop.start_instances()
    shop.command("alice", command="undo", system="bookshop", incident=shop.newest.incident)
    shop.pass_time(2 * MINUTE)

    assert shop.newest.status is RollbackStatus.NOT_TAKEN
    assert "a fence may be up for 4 min 0 s (fence.longest)" in shop.newest.outcome
    assert shop.data == GOOD


def test_a_policy_that_is_removed_while_documents_are_written_behind_its_fence() -> None:
    """The fence falls by itself; once the policy is back, nothing more is written without one."""
    shop = FencedShop()
    shop.asked()

    def paused(verb: str, side: str) -> None:
        shop.written_behind(verb, side)
        if (verb, side) == ("rewrites.rewrite", "after") and len(shop.behind) == 1:
            shop.command("carol", command="pause")
            shop.ports.clock.advance(timedelta(seconds=3))
            shop.deliver_commands()

    shop.ports.rewritten.hook = paused
    shop.approve("bob")
    shop.pass_time(MINUTE)
    known, platform = shop.policy, shop.ports.platform
    without_policy(shop)
    shop.pass_time(8 * MINUTE)
    expect_as_before(shop)

    shop.policy, shop.ports.platform = known, platform  # type: ignore[method-assign]  # it is back
    shop.start_instances()
    shop.command("carol", command="resume")
    shop.pass_time(4 * MINUTE)
    assert len(shop.behind) == 1
    assert shop.newest.status is RollbackStatus.FAILED
    assert "bookshop has no policy any more" in shop.newest.outcome
    expect_as_before(shop)
