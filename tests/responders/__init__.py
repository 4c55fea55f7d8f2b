"""Tests of `responders`."""
