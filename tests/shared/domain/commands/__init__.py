"""Tests of `shared/domain/commands`."""
