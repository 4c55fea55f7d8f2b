"""Tests of `responders/commands`."""
