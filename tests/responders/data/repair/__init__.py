"""Tests of `responders/data/repair`."""
