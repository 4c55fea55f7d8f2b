"""Tests of `simulation/runtime`."""
