"""Cloud Functions, `v2`."""
