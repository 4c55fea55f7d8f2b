"""Tests of `responders/support`."""
