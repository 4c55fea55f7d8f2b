"""A notice in words."""

from __future__ import annotations

from msgspec import Struct


class NoticeMessage(Struct, frozen=True):
    """What a channel hands over."""

    subject: str
    body: str
