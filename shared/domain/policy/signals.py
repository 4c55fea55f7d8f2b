"""Policy: the names of signals that code refers to."""

from __future__ import annotations

AUTHENTICATION_SIGNALS = ("authentication", "auth")
"""What a policy may call the functions by which people sign in, as a group or an alias."""


BREACH_SIGNAL = "security_breach"
"""The signal that somebody declares: no router counts it, and no change need explain it."""
