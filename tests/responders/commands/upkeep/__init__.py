"""Tests of `responders/commands/upkeep`."""
