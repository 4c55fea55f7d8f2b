"""Repair plans and quarantine."""
