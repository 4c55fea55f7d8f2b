"""Tests of `responders/triggers`."""
