"""Tests of `fakes/monitoring`."""
