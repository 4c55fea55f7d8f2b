"""Eventarc, `v1`: its triggers, and the events of Firestore's documents that come by them."""

from local.services.eventarc.service import HOST, Eventarc

__all__ = ["HOST", "Eventarc"]
