"""Firestore Admin: databases, backups, exports, imports, operations."""
