"""Tests of `responders/rollback/isolation`."""
