"""Tests of `responders/rollback/verification`."""
