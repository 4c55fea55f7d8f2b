from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, Mutant, caught

WITHIN_SEEDS = 2000


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_product_without_a_guard_is_found_out(mutant: Mutant) -> None:
    """Each guard that is taken away breaks a law in one of a few schedules."""
    assert caught(mutant, range(WITHIN_SEEDS)) is not None
