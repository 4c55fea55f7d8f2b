"""A notice in words."""

from shared.core.codec import FrozenStruct


class NoticeMessage(FrozenStruct):
    """What a channel hands over."""

    subject: str
    body: str
