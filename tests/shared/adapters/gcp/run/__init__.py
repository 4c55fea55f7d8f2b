"""Tests of `shared/adapters/gcp/run`."""
