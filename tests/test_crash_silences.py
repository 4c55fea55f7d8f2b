"""A repair of which triggers are told nothing, disturbed at every point: nothing else is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from shared import silence as silences
from shared.feeds import Told
from shared.policy import Policy
from shared.rollback import Status as RollbackStatus
from shared.upheld import Status
from tests import taken_out
from tests.crash import Fault, Saboteur, pass_time
from tests.fences import without_policy
from tests.silent import (
    AS_BEFORE,
    HEARERS,
    SILENT,
    SilentShop,
    expect_the_applications_own,
    told,
)
from tests.spoilt import ERASURE, GOOD, MINUTE, SPOILT

EFFECTS = ("feeds.set_push", "feeds.pull", "feeds.acknowledge", "feeds.hold", "rewrites.rewrite")
EVERYTHING = (*EFFECTS, "store.commit")
REST = 45 * MINUTE


def worked(shop: SilentShop, number: int) -> None:
    """The application makes an order."""
    shop.work({f"orders/{number}": {"customer": "bob", "status": "paid", "amount": number}})


def repaired(saboteur: Saboteur) -> SilentShop:
    """A second person has agreed, and the application goes on working."""
    shop = SilentShop(hook=saboteur)
    saboteur.world = shop
    shop.asked()
    shop.command("bob", command="approve", system="bookshop", incident=shop.newest.incident)
    saboteur.active = True
    for number in range(2, 10):
        worked(shop, number)
        pass_time(shop, saboteur, MINUTE)
    saboteur.active = False
    pass_time(shop, saboteur, REST)
    return shop


def expect_repaired(shop: SilentShop) -> None:
    """Each document is back, written once, and nobody was told of it; all else was told."""
    assert shop.data == GOOD
    assert sorted(shop.ports.rewritten.written) == sorted(SPOILT)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.silence.status is Status.DOWN
    assert len(set(told(shop))) == len(told(shop)) == 4
    expect_the_applications_own(shop)


IN_THE_GAP = "before feeds.set_push"
"""Between the last look and its effect, which nothing makes conditional (docs/laws.md)."""


def expect_nothing_lost(shop: SilentShop) -> None:
    """Nobody may be kept from the repair, but of the application's own all is told."""
    assert shop.silence.status is Status.DOWN
    assert shop.pushes() == AS_BEFORE
    for name, owed in shop.owed.items():
        assert shop.told(name).keys() >= owed.keys()


def effects() -> list[tuple[Fault, int]]:
    counted = Saboteur(counted=EFFECTS)
    expect_repaired(repaired(counted))
    assert {one.split()[1] for one in counted.points} == set(EFFECTS)
    return [(fault, point) for fault in Fault for point in range(len(counted.points))]


@pytest.mark.parametrize(("fault", "point"), effects())
def test_a_fault_at_an_effect_in_a_silence(fault: Fault, point: int) -> None:
    """Whoever dies, is deaf or stands still: nobody hears of the repair, and of all else."""
    saboteur = Saboteur(point, fault, EFFECTS)
    shop = repaired(saboteur)

    assert saboteur.happened
    if fault is Fault.ZOMBIE and saboteur.points[point] == IN_THE_GAP:
        expect_nothing_lost(shop)
    else:
        expect_repaired(shop)


def commits() -> list[int]:
    """After each commit, from that which raises it to that by which it is down."""
    counted = Saboteur(counted=EVERYTHING)
    repaired(counted)
    effects = [number for number, point in enumerate(counted.points) if "store" not in point]
    near = range(effects[0] - 12, effects[-1] + 12)
    return [number for number in near if counted.points[number] == "after store.commit"]


@pytest.mark.parametrize("point", commits())
def test_a_crash_at_a_commit_in_a_silence(point: int) -> None:
    """The next worker goes on where that one was."""
    saboteur = Saboteur(point, Fault.CRASH, EVERYTHING)
    shop = repaired(saboteur)

    assert saboteur.happened
    expect_repaired(shop)


def halfway(
    saboteur: Saboteur, policy: Policy, happens: Callable[[SilentShop], None]
) -> SilentShop:
    """The same, and something happens as soon as the last document is written."""
    shop = SilentShop(policy, hook=saboteur, spoilt=taken_out.SPOILT)
    saboteur.world = shop
    shop.asked()
    does = taken_out.after_the_last(shop, lambda: happens(shop), saboteur)
    shop.ports.rewritten.hook = does
    shop.command("bob", command="approve", system="bookshop", incident=shop.newest.incident)
    saboteur.active = True
    for number in range(2, 10):
        worked(shop, number)
        pass_time(shop, saboteur, MINUTE)
    saboteur.active = False
    pass_time(shop, saboteur, REST)
    return shop


def called_off(saboteur: Saboteur) -> SilentShop:
    """Somebody is erased, and the repair is cancelled: they are taken out afterwards."""
    return halfway(saboteur, replace(SILENT, erasure=ERASURE), taken_out.called_off)


def erased(saboteur: Saboteur) -> SilentShop:
    """Somebody is erased, and taken out at the end of the repair."""
    return halfway(saboteur, replace(SILENT, erasure=ERASURE), taken_out.erase)


def abandoned(saboteur: Saboteur) -> SilentShop:
    """The policy is removed: whoever comes next knows of another system alone."""
    return halfway(saboteur, SILENT, without_policy)


def undone(saboteur: Saboteur) -> SilentShop:
    """A repair is taken back by a second person's word, in a silence again."""
    shop = SilentShop(hook=saboteur)
    shop.asked()
    shop.approve("bob")
    shop.pass_time(15 * MINUTE)
    shop.command("alice", command="undo", system="bookshop", incident=shop.newest.incident)
    shop.parked(2)
    shop.command("bob", command="approve", system="bookshop", incident=shop.newest.incident)
    saboteur.world, saboteur.active = shop, True
    for number in range(2, 10):
        worked(shop, number)
        pass_time(shop, saboteur, MINUTE)
    saboteur.active = False
    pass_time(shop, saboteur, REST)
    return shop


RUNS: dict[str, tuple[Callable[[Saboteur], SilentShop], dict[str, dict[str, Any] | None]]] = {
    "called off": (called_off, taken_out.WITHOUT_ADA),
    "erased": (erased, taken_out.WITHOUT_ADA),
    "abandoned": (abandoned, GOOD),
    "undone": (undone, {**GOOD, **SPOILT}),
}
"""What happens, and what becomes of the documents."""


UNTOLD = ("abandoned", "after rewrites.rewrite")
"""What has landed then the journal does not tell, and without a policy nobody can look."""


def each_run() -> list[tuple[str, Fault, int]]:
    found: list[tuple[str, Fault, int]] = []
    for name, (play, documents) in RUNS.items():
        counted = Saboteur(counted=EFFECTS)
        shop = play(counted)
        assert shop.data == documents
        expect_the_applications_own(shop)
        known = range(len(counted.points))
        # A fake without the policy has no documents for whoever stood still.
        faults = [one for one in Fault if (name, one) != ("abandoned", Fault.ZOMBIE)]
        found += [(name, fault, point) for fault in faults for point in known]
    return found


@pytest.mark.parametrize(("name", "fault", "point"), each_run())
def test_a_fault_at_an_effect_of_whatever_ends_in_a_silence(
    name: str, fault: Fault, point: int
) -> None:
    """What was written, and taken out, nobody hears of; of all else everybody."""
    saboteur = Saboteur(point, fault, EFFECTS)
    shop = RUNS[name][0](saboteur)

    assert saboteur.happened
    at = saboteur.points[point]
    if (name, at) == UNTOLD or (fault, at) == (Fault.ZOMBIE, IN_THE_GAP):
        expect_nothing_lost(shop)
    else:
        expect_the_applications_own(shop)


def test_a_death_that_is_not_waited_for_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What whoever died had pulled would be pushed: the campaign has teeth."""
    counted = Saboteur(counted=EFFECTS)
    repaired(counted)
    pulled = [number for number, one in enumerate(counted.points) if one == "after feeds.pull"]
    monkeypatch.setattr(silences, "taken_over", silences.pulled)
    told = {
        told
        for point in pulled
        for name in HEARERS
        for told in repaired_without(Saboteur(point, Fault.CRASH, EFFECTS), name)
    }
    assert {one.path for one in told} == {*SPOILT}


def test_whoever_stood_still_gives_nothing_back() -> None:
    """What it had in hand others have meanwhile: it neither counts that, nor acts upon it."""
    counted = Saboteur(counted=EFFECTS)
    repaired(counted)
    last = max(n for n, one in enumerate(counted.points) if one == "before feeds.acknowledge")
    saboteur = Saboteur(last, Fault.ZOMBIE, EFFECTS)
    shop = repaired(saboteur)

    assert saboteur.happened
    expect_repaired(shop)


def repaired_without(saboteur: Saboteur, name: str) -> set[Told]:
    """What a hearer is told of that is not the application's."""
    shop = repaired(saboteur)
    return {*shop.told(name)} - {*shop.owed[name]}
