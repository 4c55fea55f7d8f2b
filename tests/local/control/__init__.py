"""Tests of `local/control`."""
