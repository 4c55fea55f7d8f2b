"""Tests of `shared/state`."""
