"""Tests of `e2e/support`."""
