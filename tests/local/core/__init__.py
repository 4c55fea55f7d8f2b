"""Tests of `local/core`."""
