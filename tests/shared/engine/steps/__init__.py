"""Tests of `shared/engine/steps`."""
