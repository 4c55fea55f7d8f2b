"""Durations as people write them, `30s`, `2m`, `1h30m`, `7d`, and as they read them; minutes."""

import re
from datetime import UTC, datetime, timedelta

DURATION_PATTERN = r"^(?=[0-9])([0-9]{1,4}d)?([0-9]{1,4}h)?([0-9]{1,4}m)?([0-9]{1,6}s)?$"
"""Days, hours, minutes, seconds in this order, each a whole number, at least one of them."""

_DURATION = re.compile(DURATION_PATTERN)
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def parse_duration(text: str) -> timedelta:
    """Return the duration in `text`, such as `1h30m`. Raises: ValueError for another format."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as 30s, 2m, 1h30m or 7d")
    days, hours, minutes, seconds = (int(part[:-1]) if part else 0 for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def floor_to_minute(at: datetime) -> datetime:
    """The last whole minute: what point-in-time recovery can read."""
    return at.replace(second=0, microsecond=0)


def ceil_to_minute(at: datetime) -> datetime:
    """The first whole minute that is not earlier."""
    whole = floor_to_minute(at)
    return whole if whole == at else whole + timedelta(minutes=1)


def format_minute(at: datetime) -> str:
    """Return the minute of a moment, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def format_duration(duration: timedelta) -> str:
    """The shortest way to write a duration of whole seconds, `0s` for none."""
    left = int(duration.total_seconds())
    parts = []
    for unit, seconds in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def describe_duration(span: timedelta) -> str:
    """A span as people read it: `5 s`, `2 min 5 s`, and beyond an hour `1 h 2 min`."""
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
