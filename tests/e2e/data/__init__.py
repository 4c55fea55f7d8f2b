"""Tests of `e2e/data`."""
