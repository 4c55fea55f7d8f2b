"""Tests of `shared/domain/data`."""
