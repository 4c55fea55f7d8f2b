"""Notification channels: sender and providers."""
