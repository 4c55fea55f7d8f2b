"""Tests of `e2e/deployments`."""
