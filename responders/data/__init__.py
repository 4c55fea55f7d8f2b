"""Data: checks, restore points, erasure."""
