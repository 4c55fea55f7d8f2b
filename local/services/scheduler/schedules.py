"""Which schedules Cloud Scheduler takes: those of cron, and App Engine's in English.

https://cloud.google.com/scheduler/docs/configuring/cron-job-schedules and
https://cloud.google.com/appengine/docs/standard/scheduling-jobs-with-cron-yaml (read 2026-11).
"""

import re

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, _MONTHS), (0, 7, _DAYS))
_PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/0*[1-9]\d*)?")
_TIME = r"(?:[01]?\d|2[0-3]):[0-5]\d"
_ORDINAL = r"(?:first|second|third|fourth|fifth|\d{1,2}(?:st|nd|rd|th))"
_DAY = r"(?:sun|mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?)(?:day)?"
_MONTH = rf"(?:{'|'.join(_MONTHS)})[a-z]*"
_ENGLISH = re.compile(
    rf"every \d+ (?:hours|mins|minutes)(?: synchronized| from {_TIME} to {_TIME})?"
    rf"|(?:every|{_ORDINAL}(?:,{_ORDINAL})*) (?:day|{_DAY}(?:,{_DAY})*)"
    rf"(?: of (?:month|{_MONTH}(?:,{_MONTH})*))? {_TIME}"
)


def is_schedule(text: str) -> bool:
    """Return whether it is one of either form."""
    parts = text.lower().split()
    if len(parts) == len(_FIELDS) and all(map(_is_field, parts, _FIELDS)):
        return True
    return _ENGLISH.fullmatch(" ".join(parts)) is not None


def _is_field(text: str, field: tuple[int, int, tuple[str, ...]]) -> bool:
    """Whether every value of a field of cron is a number or a name that it may have."""
    least, most, names = field
    found = [_PART.fullmatch(part) for part in text.split(",")]
    return all(
        one is not None
        and all(
            value in names or (value.isdecimal() and least <= int(value) <= most)
            for value in one.groups()
            if value is not None
        )
        for one in found
    )
