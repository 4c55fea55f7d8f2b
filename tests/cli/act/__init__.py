"""Tests of `cli/act`."""
