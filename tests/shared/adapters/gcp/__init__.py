"""Tests of `shared/adapters/gcp`."""
