"""Tests of `fakes/storage`."""
