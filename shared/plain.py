"""Text of others, as it may stand among ours."""

from __future__ import annotations

import unicodedata


def one_line(text: str) -> str:
    """The text without line breaks, control and direction signs, or signs of no width."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text)
    return " ".join(kept.split())
