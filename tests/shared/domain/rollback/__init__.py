"""Tests of `shared/domain/rollback`."""
