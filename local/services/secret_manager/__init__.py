"""Secret Manager, `v1`."""
