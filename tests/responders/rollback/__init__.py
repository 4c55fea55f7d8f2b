"""Tests of `responders/rollback`."""
