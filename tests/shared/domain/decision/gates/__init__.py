"""Tests of `shared/domain/decision/gates`."""
