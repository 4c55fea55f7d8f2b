"""A notice in words."""

from __future__ import annotations

from msgspec import Struct


class Message(Struct, frozen=True):
    """What a channel hands over."""

    subject: str
    """One line."""
    body: str
