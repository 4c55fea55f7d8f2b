"""Tests of `local/services/monitoring`."""
