"""Tests of `responders/jobs`."""
