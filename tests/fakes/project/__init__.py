"""Tests of `fakes/project`."""
