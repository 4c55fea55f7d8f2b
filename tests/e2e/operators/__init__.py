"""Tests of `e2e/operators`."""
