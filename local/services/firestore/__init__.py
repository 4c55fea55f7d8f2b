"""Firestore over gRPC: documents with history, transactions, queries, listeners, expiry."""

from local.services.firestore.admin.service import FirestoreAdmin
from local.services.firestore.service import FirestoreService
from local.services.firestore.writes.transactions import Concurrency

__all__ = ["Concurrency", "FirestoreAdmin", "FirestoreService"]
