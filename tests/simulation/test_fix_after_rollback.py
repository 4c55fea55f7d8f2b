"""A fix that operators unpinned, and the bad release after it, in any schedule."""

from collections.abc import Iterator

import pytest

from shared.domain.decision.gates.base import GateInput
from shared.domain.rollback.rollback import Direction, RollbackStatus
from tests.simulation.invariants.observations import Fields
from tests.simulation.scenes.bookshop import PROMPT
from tests.simulation.scenes.scenes import FIXED
from tests.simulation.schedule import run
from tests.simulation.seed_blocks import split_seeds
from tests.simulation.world import World

SEEDS = 80
TELLING = range(40, 60)
"""Seeds of which some tell a product that does not ask."""


def later_shifts(world: World) -> Iterator[tuple[Fields, str, str]]:
    """Each rollback's shift after the unpin: the rollback, the function and the revision."""
    unpinned: set[str] = set()
    for one in sorted(world.laws.seen.rollbacks.values(), key=lambda one: one["created_at"]):
        steps = world.laws.seen.steps.get(one["id"], {}).values()
        done = [step for step in steps if (step["kind"], step["status"]) == ("shift", "DONE")]
        if (one["order"] or {}).get("way") == Direction.UNPIN:
            unpinned |= {step["target"] for step in done if one["status"] == RollbackStatus.SUCCEEDED}
            continue
        for step in done:
            if step["target"] in unpinned:
                [led] = [entry["revision"] for entry in step["goal"]["traffic"] if entry["percent"]]
                yield one, step["target"], led


def observed_fixes(world: World) -> set[str]:
    """The functions of which a deployment shows the fix: between two looks none is seen."""
    known = [one["functions"] for _, one in world.store.documents_of("deployments")]
    return {name for name, fix in world.fix.items() if any(fix in one[name]["revisions"] for one in known)}


def unasked_passes(world: World) -> list[str]:
    """The functions that automation led back past the fix, which nobody had approved."""
    observed = observed_fixes(world)
    return [
        f"{one['id']} leads {function} to {led}"
        for one, function, led in later_shifts(world)
        if one["order"] is None and not one["approvals"] and led != world.fix[function]
        if function in observed
    ]


@pytest.mark.parametrize("seeds", split_seeds(SEEDS, pytest.mark.slice))
def test_automation_never_passes_over_a_fix_unasked(seeds: range) -> None:
    """It goes back to the fix once that has baked; until then it asks, or leaves it to people."""
    broken: dict[int, list[str]] = {}
    to_fix = 0
    for seed in seeds:
        world = run(seed, FIXED, PROMPT)
        to_fix += sum(led == world.fix[function] for _, function, led in later_shifts(world))
        if found := [*world.laws.broken, *unasked_passes(world)]:
            broken[seed] = found

    assert broken == {}
    assert to_fix > 0


def test_a_product_that_does_not_ask_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its gate automation goes back past the fix."""
    monkeypatch.setattr(GateInput, "passed_over", {})

    assert any(unasked_passes(run(seed, FIXED, PROMPT)) for seed in TELLING)
