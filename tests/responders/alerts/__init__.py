"""Tests of `responders/alerts`."""
