"""Artifact Registry, `v1`."""
