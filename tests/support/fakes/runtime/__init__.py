"""Tests of `fakes/runtime`."""
