"""Firestore: store, documents, backups, exports, restores."""
