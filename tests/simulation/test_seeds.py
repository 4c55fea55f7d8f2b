from __future__ import annotations

import pytest

from tests.simulation.schedule import run

SEEDS = 200
"""In every test run; `make slice` takes 20,000, `make chaos` what one has time for."""
BLOCK = 40
ONCE_BROKEN = {
    16: "windows of metrics and deadlines followed the clock of whichever instance worked",
    121: "an effect was sent by a worker whose lease had run out while it asked the switches",
    245: "copies of one message counted as deaths of workers, and failed the rollback",
    263: "an effect was sent by a worker whose lease had run out while it looked",
    6168: "a look that got no answer about functions ended the pins of those shifted since",
    19367: "a function that was left to people counted as one that was led back",
    114176: "an ordered shift that landed after a pause was taken for an automatic one",
    195950: "an ordered shift that landed after a hand-over was taken for an automatic one",
    480: "an ended rollback was made due again, because a publication after its end failed",
}
"""Seeds that once found something, and what was wrong then."""


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_no_law_is_broken_in_any_schedule(first: int) -> None:
    """Whatever a seed makes happen, when it happens and what goes wrong: the laws hold."""
    broken = {
        seed: found for seed in range(first, first + BLOCK) if (found := run(seed).laws.broken)
    }

    assert broken == {}


@pytest.mark.parametrize("seed", ONCE_BROKEN)
def test_what_once_was_wrong_stays_right(seed: int) -> None:
    """A seed that found a fault is kept with the sentence of what was wrong."""
    assert run(seed).laws.broken == []


@pytest.mark.parametrize("seed", [3, 7, 11])
def test_a_seed_replays_exactly(seed: int) -> None:
    """The same seed makes the same history, to the microsecond."""
    assert run(seed).history == run(seed).history
