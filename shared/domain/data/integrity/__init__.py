"""Data integrity: schemas, scans, damage."""
