"""Pub/Sub: publisher, dead letters, Eventarc triggers."""
