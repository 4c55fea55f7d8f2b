"""Tests of `local/services/firestore`."""
