"""Tests of `responders/commands/rollback`."""
