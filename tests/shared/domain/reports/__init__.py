"""Tests of `shared/domain/reports`."""
