"""Tests of `shared/domain/signals`."""
