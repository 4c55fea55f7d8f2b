"""Checks of the installation in the operations project."""
