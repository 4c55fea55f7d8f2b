"""Verification and monitoring of a rollback."""
