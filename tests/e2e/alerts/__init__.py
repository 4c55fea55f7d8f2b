"""Tests of `e2e/alerts`."""
