"""Tests of `shared/domain/data/integrity`."""
