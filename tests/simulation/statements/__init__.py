"""Invariant 13 in the simulation: what is true, what is said, and what the words promise."""

from typing import Final

IN_FORCE: Final = False
"""Whether every world is judged by invariant 13; the tests of this package and `seeds --statements`
judge in any case."""
