"""Tests of `shared/domain`."""
