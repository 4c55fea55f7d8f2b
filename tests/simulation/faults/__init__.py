"""Tests of `simulation/faults`."""
