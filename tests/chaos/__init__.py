"""Chaos: what is too long for every test run."""
