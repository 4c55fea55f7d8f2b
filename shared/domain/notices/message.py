"""A notice in words."""

from msgspec import Struct


class NoticeMessage(Struct, frozen=True):
    """What a channel hands over."""

    subject: str
    body: str
