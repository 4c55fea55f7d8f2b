"""Invariant 13 in the simulation: what is true, what is said, and what the words promise."""
