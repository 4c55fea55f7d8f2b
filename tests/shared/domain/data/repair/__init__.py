"""Tests of `shared/domain/data/repair`."""
