"""Tests of `cli/support`."""
