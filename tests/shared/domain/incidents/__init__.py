"""Tests of `shared/domain/incidents`."""
