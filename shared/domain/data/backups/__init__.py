"""Exports, backups, database copies and restore tests."""
