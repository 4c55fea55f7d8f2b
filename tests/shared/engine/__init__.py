"""Tests of `shared/engine`."""
