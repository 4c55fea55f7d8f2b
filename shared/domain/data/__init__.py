"""Data of applications: documents, backups, integrity, repair."""
