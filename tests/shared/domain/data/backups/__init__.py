"""Tests of `shared/domain/data/backups`."""
