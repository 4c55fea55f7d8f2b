"""Tests of `responders/data`."""
