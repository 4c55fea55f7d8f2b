"""Tests of `shared/wiring`."""
