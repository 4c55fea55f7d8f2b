"""Tests of `shared/domain/deployments/inventory`."""
