"""Tests of `shared/domain/data/events`."""
