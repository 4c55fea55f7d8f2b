"""Tests of `responders/commands/incident`."""
