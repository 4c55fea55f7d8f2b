"""Whether the channels speak: what became of their notices in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from cli.doctor.finding import Finding, Verdict, unseen
from shared.errors import RollbackError
from shared.notice import Notice
from shared.policy import Policy

LATELY = timedelta(days=7)


class Spoken(Struct, frozen=True):
    """What became of the notices of one channel."""

    sent: bool
    """Whether any was."""
    given_up: Sequence[Notice]


def channels(
    policy: Policy, spoken: Mapping[str, Spoken | RollbackError], now: datetime
) -> Iterator[Finding]:
    """Whether each channel takes what is said through it; `spoken` is by channel."""
    check = "channels"
    for channel in policy.channels:
        found = spoken[channel.name]
        if isinstance(found, RollbackError):
            yield unseen(check, channel.name, found)
            continue
        lately = [one for one in found.given_up if one.created_at > now - LATELY]
        newest = max(lately, key=lambda one: one.created_at, default=None)
        if newest is not None:
            why = f"{len(lately)} notices were given up within a week: {newest.last_error}"
            verdict = Verdict.DOUBTFUL if found.sent else Verdict.WRONG
            to_do = "correct the channel, its secret or its address"
            yield Finding(check, channel.name, verdict, why, to_do)
        elif not found.sent:
            why = "nothing was said through it yet"
            yield Finding(check, channel.name, Verdict.UNKNOWN, why, "a drill says something")
        else:
            yield Finding(check, channel.name, Verdict.WELL, "it takes what is said through it")
