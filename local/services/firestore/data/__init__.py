"""Databases, documents, values, indexes and expiry."""
