"""Tests of `simulation/scenes`."""
