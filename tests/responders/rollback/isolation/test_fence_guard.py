"""A repair behind a fence: raised with it, waited for, asked before each batch, fallen after."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core.codec import decode
from shared.core.errors import Unavailable
from shared.domain.commands.command import CommandRecord
from shared.domain.data.isolation.write_fence import Fence, FenceStatus
from shared.domain.policy.data_rules import Derived
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.signals.health import ProbeAnswer
from tests.support.data.corrupted_bookshop import GOOD, MINUTE, SHOP, SPOILT
from tests.support.data.repair_behind_fence import (
    FENCED,
    FencedShop,
    assert_unfenced,
    freeze_system,
    hold_reasons,
)
from tests.support.data.write_fence import (
    RULES,
    count_freeze_windows,
    fence_event_names,
    lift_fence,
    raise_fence,
    read_fence,
    read_public_states,
)
from tests.support.fakes.runtime.hooks import no_hook


def test_documents_are_written_behind_a_fence() -> None:
    """Raised by the second word, and fallen in the watch; the public reads of maintenance."""
    shop = FencedShop()
    shop.order_repair()
    question = shop.newest.question
    assert question is not None
    assert "nothing of checkout writes: a fence is raised" in str(question.plan.reported)
    assert not shop.has_fence()

    shop.approve("bob")
    shop.pass_time(10 * MINUTE)
    fence = read_fence(shop)
    assert (fence.rollback, fence.actor) == (shop.newest.id, "alice")
    assert shop.behind == [FenceStatus.STANDING, FenceStatus.STANDING]
    assert shop.data == GOOD
    assert fence_event_names(shop) == ["fence.raising", "fence.stands", "fence.falls", "fence.down"]
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.newest.verified_at is not None
    assert fence.falls_at is not None
    assert fence.falls_at >= shop.newest.verified_at
    [maintenance] = [one for one in read_public_states(shop) if one.incident == fence.public_id]
    assert maintenance.ended_at is not None
    assert_unfenced(shop)
    assert [one for one in shop.find_violated_invariants() if "was shifted" not in one] == []


def test_it_stands_until_the_data_are_looked_through_again() -> None:
    """What is found then was written by nobody meanwhile; no switch of its own holds it up."""
    shop = FencedShop()
    shop.order_repair()

    def silent(verb: str, side: str) -> None:
        if shop.newest.status is RollbackStatus.VERIFYING:
            raise Unavailable("no answer")

    shop.ports.kept.hook = silent
    shop.approve("bob")
    shop.run_until(lambda: shop.newest.status is RollbackStatus.VERIFYING)
    shop.pass_time(3 * MINUTE)
    assert shop.newest.verified_at is None
    assert shop.written() == set(SPOILT)
    assert (read_fence(shop).status, count_freeze_windows(shop)) == (FenceStatus.STANDING, 1)

    shop.ports.kept.hook = no_hook
    shop.pass_time(8 * MINUTE)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert_unfenced(shop)


def test_nothing_is_waited_for_longer_than_it_takes() -> None:
    """Who raises it and who writes behind it hear of each other at once."""
    shop = FencedShop()
    shop.order_repair()
    shop.approve("bob")
    shop.run_until(lambda: shop.newest.started_at is not None)
    fence, began = read_fence(shop), shop.newest.started_at
    assert fence.stood_at is not None
    assert began is not None
    assert fence.stood_at - fence.began_at < timedelta(seconds=25)
    assert began - fence.stood_at < timedelta(seconds=5)


def test_the_watch_begins_once_it_is_down() -> None:
    """What fails because of the fence is no regression of what was written."""
    execution = replace(FENCED.execution, watch=12 * MINUTE)
    shop = FencedShop(policy=replace(FENCED, execution=execution))
    shop.order_repair()
    shop.approve("bob")
    shop.run_until(lambda: shop.newest.status is RollbackStatus.WATCHING)
    [site, *_] = [one.name for one in FENCED.probes if one.function is None]
    shop.ports.prober.answers[site] = ProbeAnswer(False, 503)
    shop.run_until(lambda: read_fence(shop).is_over)
    del shop.ports.prober.answers[site]
    shop.pass_time(12 * MINUTE)
    assert shop.newest.status is RollbackStatus.SUCCEEDED


def test_a_persons_fence_is_used_and_stays() -> None:
    """Who has raised it lets it fall; what fails because of it is no regression."""
    shop = FencedShop()
    raise_fence(shop)
    shop.order_repair()
    shop.approve("bob")
    shop.run_until(lambda: shop.newest.status is RollbackStatus.WATCHING)
    [site, *_] = [one.name for one in FENCED.probes if one.function is None]
    shop.ports.prober.answers[site] = ProbeAnswer(False, 503)
    shop.pass_time(10 * MINUTE)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.data == GOOD
    assert read_fence(shop).status is FenceStatus.STANDING
    assert read_fence(shop).rollback == ""
    notes = [str(entry.events[0].facts.get("note")) for entry in shop.trail(shop.newest)]
    assert not any(note.startswith("for the fence:") for note in notes)
    assert "nobody can see whether it is well" in shop.newest.outcome
    lift_fence(shop)
    shop.pass_time(MINUTE)
    assert_unfenced(shop)


def test_what_overrides_a_freeze_has_its_fence() -> None:
    """Its order skips freeze windows, and so does all that it needs."""
    shop = FencedShop()
    shop.alert()
    shop.pass_time(4 * MINUTE)
    shop.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
    shop.order(override=True, incident=shop.newest_incident.id)
    shop.run_until(shop.has_fence)
    freeze_system(shop)
    shop.pass_time(MINUTE)
    assert read_fence(shop).status is FenceStatus.RAISING
    del shop.ports.prober.answers[RULES.canary]
    shop.run_until(lambda: shop.newest.status is RollbackStatus.WATCHING)

    assert shop.data == GOOD


def test_a_repair_that_a_fence_cannot_outlast_is_not_begun() -> None:
    """That is said when it is decided, in a dry run as well, and not halfway."""
    short = replace(RULES, longest=5 * MINUTE)
    shop = FencedShop(short)
    shop.order(dry_run=True, id="dry")
    record = decode(CommandRecord, shop.store.get("commands/dry").fields)
    assert "a fence may be up for 5 min 0 s (fence.longest)" in record.result
    shop.order()
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.NOT_TAKEN
    assert "a fence may be up for 5 min 0 s (fence.longest)" in shop.newest.outcome
    assert not shop.has_fence()


def test_a_fence_that_falls_is_waited_for() -> None:
    """Until everything is as it was; then one is raised for the repair."""
    shop = FencedShop()
    shop.order_repair()
    raise_fence(shop)
    lift_fence(shop)
    before = read_fence(shop)
    assert before.status is FenceStatus.FALLING
    shop.approve("bob")
    assert read_fence(shop).command == before.command
    shop.run_until(lambda: read_fence(shop).rollback == shop.newest.id)
    assert "a fence is being lifted: lifted by" in hold_reasons(shop)
    shop.pass_time(15 * MINUTE)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert read_fence(shop).rollback == shop.newest.id
    assert_unfenced(shop)


def test_a_persons_fence_that_falls_too_soon_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would fall before the last document: another one is raised behind it."""
    shop = FencedShop()
    shop.order_repair()
    monkeypatch.setattr("responders.data.repair.preview.survey_seconds", lambda _survey: 900.0)
    raise_fence(shop, expires="12m")
    shop.approve("bob")
    shop.run_until(lambda: read_fence(shop).rollback == shop.newest.id)
    assert "and the repair takes 15 min 0 s: lift it, or wait" in hold_reasons(shop)
    shop.pass_time(12 * MINUTE)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert read_fence(shop).rollback == shop.newest.id
    assert_unfenced(shop)


def test_what_is_made_from_documents_is_asked_for_once_it_is_down() -> None:
    """Who would hear of it has no instances before."""
    derived = (Derived("regenerate-receipts"),)
    orders = replace(SHOP.collections["orders"], derived=derived)
    policy = replace(FENCED, collections={**SHOP.collections, "orders": orders})
    shop = FencedShop(policy=policy)
    shop.order_repair()
    seen: list[Fence] = []
    shop.ports.theirs.hook = lambda verb, side: seen.append(read_fence(shop))
    shop.approve("bob")
    shop.pass_time(12 * MINUTE)

    assert len(shop.ports.theirs.messages) == 1
    assert {one.status for one in seen} == {FenceStatus.DOWN}


@pytest.mark.parametrize("held", [2 * MINUTE, 40 * MINUTE])
def test_a_repair_that_is_paused_goes_on_behind_the_same_fence(held: timedelta) -> None:
    """Or not at all, where that has fallen meanwhile."""
    shop = FencedShop()
    shop.order_repair()
    shop.before_a_batch(shop.pause_system)
    shop.approve("bob")
    shop.pass_time(held)
    assert shop.behind == []
    shop.command("carol", command="resume")
    shop.pass_time(12 * MINUTE)

    done = held < RULES.longest
    assert shop.newest.status is (RollbackStatus.SUCCEEDED if done else RollbackStatus.FAILED)
    assert bool(shop.behind) is done
    assert shop.data == (GOOD if done else {**GOOD, **SPOILT})
    assert_unfenced(shop)
