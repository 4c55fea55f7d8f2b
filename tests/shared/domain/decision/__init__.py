"""Tests of `shared/domain/decision`."""
