"""Tests of `local/services/firebase`."""
