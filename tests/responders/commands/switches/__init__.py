"""Tests of `responders/commands/switches`."""
