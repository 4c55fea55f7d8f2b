"""Tests of `shared/domain/presentation`."""
