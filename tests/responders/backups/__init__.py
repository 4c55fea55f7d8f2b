"""Tests of `responders/backups`."""
