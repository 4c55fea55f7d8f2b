"""Tests of `contracts/monitoring`."""
