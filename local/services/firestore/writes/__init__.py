"""Writes, transforms and transactions."""
