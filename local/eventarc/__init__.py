"""Eventarc, `v1`: its triggers, and the events of Firestore's documents that come by them."""

from local.eventarc.service import HOST, Eventarc

__all__ = ["HOST", "Eventarc"]
