"""Tests of `responders/rollback/decision`."""
