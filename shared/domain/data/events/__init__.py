"""Triggers that documents start."""
