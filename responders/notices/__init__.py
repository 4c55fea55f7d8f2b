"""Notices to people: messages, status page, device push."""
