"""Tests of `shared/engine/steps/resources`."""
