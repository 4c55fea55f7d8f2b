"""What every stand keeps, in memory and over gRPC."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared import stand
from shared.errors import Ambiguous, Exists, Gone, Moved, Rejected, Throttled
from shared.execution import WriteQuota
from shared.stand import Trial, Verdict
from tests.contracts.platforms import FUNCTIONS, PARENT, STAND, PlatformWorld

SERVICE = f"{PARENT}/services/placeorder"


def trial_of(world: PlatformWorld, revision: str = "") -> Trial:
    """A trial of a function's revision, its first one where none is named."""
    *_, first = world.platform.inventory()["placeOrder"].revisions
    etag = world.trials.found().etag
    name = stand.copy_name(STAND, world.now())
    return Trial(f"{SERVICE}/revisions/{revision or first.name}", name, etag, world.now())


def begin(world: PlatformWorld, trial: Trial) -> None:
    world.trials.begin(trial, world.trials.template(trial))


def test_a_stand_that_is_new(world: PlatformWorld) -> None:
    """It is ours, reachable from inside alone, and no function."""
    found = world.trials.found()

    assert stand.is_ours(STAND, found.newest)
    assert found.internal
    assert set(world.platform.inventory()) == set(world.platform.functions()) == set(FUNCTIONS)


def test_a_copy_comes_up(world: PlatformWorld) -> None:
    """Nothing is known of it at first; then it has started, and stands there under our name."""
    before = world.platform.inventory()
    trial = trial_of(world)
    begin(world, trial)

    assert world.trials.outcome(trial.name) is None
    assert world.trials.found().newest == trial.name
    assert world.trials.found().etag != trial.etag
    world.advance(30)
    outcome = world.trials.outcome(trial.name)
    assert outcome is not None
    assert outcome.verdict is Verdict.STARTED
    assert world.platform.inventory() == before


def test_a_copy_does_not_come_up(world: PlatformWorld) -> None:
    """Its function's revision does not either, though it serves on; the words are Google's."""
    world.lose_image("placeOrder")
    trial = trial_of(world)
    begin(world, trial)
    world.advance(30)

    outcome = world.trials.outcome(trial.name)
    assert outcome is not None
    assert (outcome.verdict, outcome.words) == (Verdict.FAILED, "The container failed to start.")


def test_one_copy_after_the_other(world: PlatformWorld) -> None:
    """What a failed one leaves there is in nobody's way, and each keeps its own outcome."""
    world.lose_image("placeOrder")
    first = trial_of(world)
    begin(world, first)
    world.advance(30)
    world.deploy("placeOrder")
    newest, *_ = world.platform.inventory()["placeOrder"].revisions
    second = trial_of(world, newest.name)
    begin(world, second)
    world.advance(30)

    found = [world.trials.outcome(one.name) for one in (first, second)]
    assert [one.verdict for one in found if one] == [Verdict.FAILED, Verdict.STARTED]


def test_the_same_revision_once_more(world: PlatformWorld) -> None:
    """Under another name it starts again, though nothing else of it differs."""
    first = trial_of(world)
    begin(world, first)
    world.advance(24 * 3600)
    second = trial_of(world)
    begin(world, second)

    assert world.trials.found().newest == second.name
    assert world.trials.outcome(second.name) is None


def test_an_etag_of_before(world: PlatformWorld) -> None:
    """Somebody has been there since: nothing is put there."""
    trial = trial_of(world)
    begin(world, trial)
    late = replace(trial, name=stand.copy_name(STAND, world.now() + timedelta(seconds=9)))

    with pytest.raises(Moved):
        begin(world, late)

    assert world.trials.found().newest == trial.name
    with pytest.raises(Gone):
        world.trials.outcome(late.name)
    with pytest.raises(Rejected):
        begin(world, replace(late, etag=""))


def test_a_name_that_is_taken(world: PlatformWorld) -> None:
    """It was ours, whoever asks."""
    first = trial_of(world)
    begin(world, first)
    world.advance(30)
    begin(world, replace(trial_of(world), name=stand.copy_name(STAND, world.now())))

    with pytest.raises(Exists):
        begin(world, replace(first, etag=world.trials.found().etag))


def test_what_a_person_puts_there(world: PlatformWorld) -> None:
    """It is seen not to be ours, and the etag of before is none any more."""
    trial = trial_of(world)
    world.put_on_stand(f"{STAND}-00002-abc")

    assert not stand.is_ours(STAND, world.trials.found().newest)
    with pytest.raises(Moved):
        begin(world, trial)


def test_what_is_not_there(world: PlatformWorld) -> None:
    """A revision, a copy, the stand."""
    trial = trial_of(world, "placeorder-99999")

    with pytest.raises(Gone):
        world.trials.template(trial)
    with pytest.raises(Gone):
        world.trials.outcome(trial.name)
    known = trial_of(world)
    template = world.trials.template(known)
    world.unmake_stand()
    with pytest.raises(Gone):
        world.trials.found()
    with pytest.raises(Gone):
        world.trials.begin(known, template)


def test_an_answer_that_is_lost(world: PlatformWorld) -> None:
    """The copy is there all the same, under its name."""
    trial = trial_of(world)
    world.lose_answer_of_trial()

    with pytest.raises(Ambiguous):
        begin(world, trial)

    assert world.trials.found().newest == trial.name
    assert world.trials.outcome(trial.name) is None


def test_trials_spend_the_write_quota(world: PlatformWorld) -> None:
    """One write each: none is put there without one."""
    world.limit_writes(WriteQuota(burst=1, per_second=0.01))
    first = trial_of(world)
    begin(world, first)
    world.advance(30)

    with pytest.raises(Throttled):
        begin(world, trial_of(world))

    assert world.trials.found().newest == first.name
