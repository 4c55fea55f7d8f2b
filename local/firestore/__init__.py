"""Firestore over gRPC: documents with history, transactions, queries and listeners."""

from local.firestore.service import FirestoreService
from local.firestore.transactions import Concurrency

__all__ = ["Concurrency", "FirestoreService"]
