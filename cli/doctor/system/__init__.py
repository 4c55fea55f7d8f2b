"""Checks of one protected system."""
