"""Deployments: inventory comparison, source backup, readiness."""
