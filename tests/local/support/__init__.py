"""Tests of `local/support`."""
