"""Tests of `shared/domain/audit`."""
