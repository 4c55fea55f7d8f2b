"""Tests of `local/services`."""
