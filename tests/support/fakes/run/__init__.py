"""Tests of `fakes/run`."""
