"""A few seeds of each world; `python -m tests.chaos seeds --only SEED` plays one again."""

from functools import partial

import pytest

from shared.core.codec import decode
from shared.domain.rollback.rollback import Direction, RollbackStatus
from shared.engine.steps.functions import redeploy
from tests.simulation.invariants.rollbacks import LATE
from tests.simulation.scenes.bookshop import SYSTEM
from tests.simulation.scenes.scenes import CROSSING, SCENES, SLOW, UNDONE
from tests.simulation.scenes.spoken import UNREPORTED
from tests.simulation.schedule import run
from tests.simulation.seed_blocks import split_seeds
from tests.simulation.world import World
from tests.support.fakes.storage.vault import source_content

SEEDS = 120
"""In every test run; `make slice` takes 2,000 others, `make chaos` what one has time for."""
BLOCK = 40
SEEDS_OF_A_SCENE = 80
"""Of each of the other worlds; `make test` takes the first block of them."""
ONCE_BROKEN = {
    108855011: "a site that each plan of these worlds releases counted as a second step back",
    16: "windows of metrics and deadlines followed the clock of whichever instance worked",
    121: "an effect was sent by a worker whose lease had run out while it asked the switches",
    245: "copies of one message counted as deaths of workers, and failed the rollback",
    263: "an effect was sent by a worker whose lease had run out while it looked",
    10411: "a step that a dead worker had begun had no time left for whoever took it over",
    56132: "an effect was sent by a worker whose lease had run out while it read what to ask for",
    86482: "a pause that was read while a hold was lifted waited for the next look at the switches",
    6168: "a look that got no answer about functions ended the pins of those shifted since",
    19367: "a function that was left to people counted as one that was led back",
    114176: "an ordered shift that landed after a pause was taken for an automatic one",
    195950: "an ordered shift that landed after a hand-over was taken for an automatic one",
    46785: "a worker that had lost its rollback sent what the next one had just taken back",
    104786: "the only look before the time to decide was over got no answer, and was the last",
    480: "an ended rollback was made due again, because a publication after its end failed",
    8321211: "a part was called working while the rollback restored it after an alert about all",
    8730699: "monitoring ended as a success by one passing check after a failed one",
    8745035: "an order of a function that works inherited the failure of others",
    8772827: "an order after an undo dated the failure before the undo",
    8786375: "what failed beside alerts that were over was checked as a report for ever",
    8823219: "a command whose clock lagged changed the public word of an observed failure",
    8852791: "an alert that joined during the last check was verified as recovered",
    9010563: "a rollback was verified as recovered although a further alert waited to be judged",
    10000149: "an order's check observed failures that no alert and no page told of",
    10008255: "a part was called working although an alert named its function later",
    10001043: "an incident ended by a check that observed another function fail, unreported",
    24572101: "monitoring ended as a success by a check that counted failures elsewhere",
    777005735: "an instance with a slow clock swept minutes late, and the page stayed as it was",
    777006079: "requests of before its release counted as proof that a function works",
    10002755: "the undo of another incident's rollback passed for a recovery",
    10034036: "one read without an answer hid a recovery that another read had counted",
    9015900: "requests that could not be counted passed for requests that work",
}
"""Seeds that once found something, and what was wrong then."""


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_no_law_is_broken_in_any_schedule(first: int) -> None:
    """Whatever a seed makes happen, when it happens and what goes wrong: the laws hold."""
    broken = {seed: found for seed in range(first, first + BLOCK) if (found := run(seed).laws.broken)}

    assert broken == {}


@pytest.mark.parametrize("seeds", split_seeds(SEEDS_OF_A_SCENE, pytest.mark.slice))
def test_no_law_is_broken_while_rebuilds_are_undone(seeds: range) -> None:
    """What was live before a rebuild comes back by its very source, whatever goes wrong."""
    broken: dict[int, list[str]] = {}
    undone = 0
    for seed in seeds:
        world = run(seed, UNDONE)
        back = brought_back(world)
        undone += len(back)
        wrong = [f"{name} is not what it was" for name, well in back.items() if not well]
        if world.laws.broken or wrong:
            broken[seed] = [*world.laws.broken, *wrong]

    assert broken == {}
    assert undone > 0


@pytest.mark.parametrize("seeds", split_seeds(SEEDS_OF_A_SCENE, pytest.mark.slice))
def test_no_law_is_broken_while_workers_are_late(seeds: range) -> None:
    """Whoever is late is not dead: no rollback is given up over deaths that were none."""
    broken: dict[int, list[str]] = {}
    late = 0
    for seed in seeds:
        world = run(seed, SLOW)
        late += sum(map(partial(admitted_late, world), world.laws.seen.rollbacks))
        if world.laws.broken:
            broken[seed] = world.laws.broken

    assert broken == {}
    assert late > 0


@pytest.mark.parametrize("seeds", split_seeds(SEEDS_OF_A_SCENE, pytest.mark.slice))
def test_no_law_is_broken_while_orders_cross(seeds: range) -> None:
    """Each order has a result, and each function that was ordered back is back, or that is said."""
    broken: dict[int, list[str]] = {}
    joined = 0
    for seed in seeds:
        world = run(seed, CROSSING)
        orders = [one for _, one in world.store.documents_of("commands") if one["command"] == "rollback"]
        joined += sum("already part of" in one["result"] or "is added to" in one["result"] for one in orders)
        undecided = [one["id"] for one in orders if one["due_at"] is not None]
        if world.laws.broken or undecided or lost_orders(world):
            broken[seed] = [*world.laws.broken, *undecided, *lost_orders(world)]

    assert broken == {}
    assert joined > 0


@pytest.mark.parametrize("seeds", split_seeds(SEEDS_OF_A_SCENE, pytest.mark.slice))
def test_no_law_is_broken_where_checks_alone_observe(seeds: range) -> None:
    """No alert tells what fails or works again: held rollbacks, orders, unpins, uncounted parts."""
    worlds = {seed: run(seed, UNREPORTED) for seed in seeds}
    broken = {seed: world.laws.broken for seed, world in worlds.items() if world.laws.broken}

    assert broken == {}


def lost_orders(world: World) -> list[str]:
    """The rollbacks that succeeded without what people had added to them."""
    return [
        f"{key} succeeded without what was added"
        for key, one in world.laws.seen.rollbacks.items()
        if one["status"] == RollbackStatus.SUCCEEDED and one["extension"] is not None
    ]


def admitted_late(world: World, rollback: str) -> int:
    """How many of its workers were late, by its trail."""
    trail = world.store.documents_of(f"rollbacks/{rollback}/audit")
    return sum(entry["events"][0]["name"] == LATE for _, entry in trail)


def brought_back(world: World) -> dict[str, bool]:
    """What the last rollback, an undo, has built again: whether it is of the very source of then.

    Nothing, where somebody else has been there.
    """
    system = world.store.peek(f"systems/{SYSTEM}") or {}
    last = world.laws.seen.rollbacks.get(system["rollback"], {})
    undo = (last.get("order") or {}).get("way") == Direction.UNDO
    if not undo or last["status"] != RollbackStatus.SUCCEEDED or "a release goes on" in world.excuses:
        return {}
    built = {name: one.source for name, one in world.platform.functions().items()}
    found = {}
    for step in world.laws.seen.steps[last["id"]].values():
        source, theirs = built[step["target"]], step["target"] in world.laws.seen.by_hand
        if step["kind"] == redeploy.KIND and step["status"] == "DONE" and source and not theirs:
            was = decode(redeploy.RedeployGoal, step["goal"]).recipe.original
            found[step["target"]] = was is not None and (
                source.bucket == "sources" and world.sources.read(source) == source_content(was)
            )
    return found


@pytest.mark.parametrize("seed", ONCE_BROKEN)
def test_what_once_was_wrong_stays_right(seed: int) -> None:
    """A seed that found a fault is kept with the sentence of what was wrong."""
    assert run(seed, SCENES).laws.broken == []


def test_an_incident_is_not_over_before_a_request_is_counted() -> None:
    """A function failed to the end of the monitoring; the check after it has counted none yet."""
    assert run(9253035).laws.broken == []


@pytest.mark.parametrize("seed", [3, 7, 11])
def test_a_seed_replays_exactly(seed: int) -> None:
    """The same seed makes the same history, to the microsecond."""
    assert run(seed).history == run(seed).history
