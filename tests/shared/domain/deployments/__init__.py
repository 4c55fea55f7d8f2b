"""Tests of `shared/domain/deployments`."""
