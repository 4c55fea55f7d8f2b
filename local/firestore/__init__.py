"""Firestore over gRPC: documents with history, transactions, queries, listeners, expiry."""

from local.firestore.admin import FirestoreAdmin
from local.firestore.service import FirestoreService
from local.firestore.transactions import Concurrency

__all__ = ["Concurrency", "FirestoreAdmin", "FirestoreService"]
