"""Faults, hostile text, tampering and secrets."""
