"""Tests of `shared/engine/steps/functions`."""
