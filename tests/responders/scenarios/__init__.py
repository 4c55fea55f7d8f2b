"""Tests of `responders/scenarios`."""
