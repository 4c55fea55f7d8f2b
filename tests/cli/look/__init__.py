"""Tests of `cli/look`."""
