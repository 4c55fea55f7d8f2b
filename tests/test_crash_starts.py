"""Starts on the stand, disturbed at every call: each is made once, and known in the end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from responders.starting import _Look
from shared import stand, starts, topics
from shared.stand import Outcome, Verdict
from tests import crash
from tests.crash import Fault, Saboteur, quick
from tests.outside import told
from tests.stands import stand_of, target, tried, with_stand, world_with_stand
from tests.world import World

MINUTE = timedelta(minutes=1)
COUNTED = (
    "store.commit",
    *("trials.found", "trials.template", "trials.begin", "trials.outcome"),
)
IDLE = ("payOrder", "getBook")
DEAD = "getbook-00001"
POLICY = with_stand(quick())


def run(saboteur: Saboteur) -> World:
    """The day after an installation: of two functions one does not come up any more."""
    world = world_with_stand(*IDLE, hook=saboteur, policy=POLICY, is_there=False)
    world.ports.clock.advance(timedelta(hours=2))
    world.ports.stand.is_there = True
    world.ports.stand.unstartable[DEAD] = "secret destroyed"
    crash.disturbed(world, saboteur, 4 * MINUTE, 12 * MINUTE)
    return world


COUNTING = Saboteur(counted=COUNTED)
UNDISTURBED = run(COUNTING)
FIRST = [
    number for number, point in enumerate(COUNTING.points) if not point.endswith("store.commit")
]
POINTS = sorted({near for number in FIRST for near in range(number - 2, number + 3) if near >= 0})
"""Every call of the stand, and the commits around it; the clock's have scenes of their own."""


def copies(world: World) -> list[str]:
    return sorted(world.ports.stand.made)


def verdicts(world: World) -> dict[str, str]:
    """Of each revision, what its trials have told."""
    return {
        name: "failed" if one.again_at else "started" if one.started_at else "nothing"
        for name, one in tried(world).items()
    }


def test_what_the_scene_ends_in() -> None:
    """When nothing goes wrong."""
    assert verdicts(UNDISTURBED) == {DEAD: "failed", "payorder-00001": "started"}
    assert copies(UNDISTURBED) == [DEAD, DEAD, "payorder-00001"]  # what fails is confirmed
    proof = target(UNDISTURBED).restorable
    assert proof is not None
    assert [one for one in proof.faults if DEAD in one]
    assert {point.partition(" ")[2] for point in COUNTING.points} == {*COUNTED}


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("fault", Fault)
def test_a_fault_anywhere_changes_nothing_of_the_end(fault: Fault, point: int) -> None:
    """Intent and outcome are commits, and by its name a copy is found by whoever comes later."""
    saboteur = Saboteur(point, fault, COUNTED)

    world = run(saboteur)

    assert saboteur.happened
    assert verdicts(world) == verdicts(UNDISTURBED)
    assert copies(world) == copies(UNDISTURBED)
    assert stand_of(world).trial is None
    assert not starts.is_news(target(world))
    proof = target(world).restorable
    assert proof is not None
    assert proof.faults[0].startswith(f"getBook: revision {DEAD} did not start")
    assert [one for one in world.ports.bus.messages if one.topic == topics.DEAD_LETTERS] == []
    ended = [one for one in told(world) if one in ("start.started", "start.failed")]
    assert len(ended) == len(copies(world))


def test_a_version_without_the_look_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gives a trial up without looking for its copy makes it again and again."""

    def blind(self: _Look) -> object:
        turn = self.turn
        return turn if turn.stand.trial is None else self.dropped(turn, turn.stand.trial)

    monkeypatch.setattr(_Look, "judged", blind)

    world = run(Saboteur(counted=COUNTED))

    assert copies(world) != copies(UNDISTURBED)


def test_a_version_that_forgets_what_failed_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes each outcome for a start hides what cannot be gone back to."""
    told_well = stand.judged

    def deaf(deployments: object, trial: object, outcome: Outcome) -> object:
        return told_well(deployments, trial, replace(outcome, verdict=Verdict.STARTED))  # type: ignore[arg-type]

    monkeypatch.setattr(stand, "judged", deaf)

    assert verdicts(run(Saboteur(counted=COUNTED))) != verdicts(UNDISTURBED)
