"""Tests of `responders/deployments`."""
