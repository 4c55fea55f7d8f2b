"""Notices: outbox, messages, progress."""
