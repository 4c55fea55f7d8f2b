"""Events that were brought to functions: each is a request, and is remembered."""

from bisect import bisect_left
from collections import defaultdict
from datetime import datetime

import msgspec
from msgspec import Struct

from local.application.request_counts import RequestTotals
from local.core.journal import Journal
from shared.core.codec import from_msgpack

FAILED_STATUS_FROM = 500
"""The least status of a request that has failed."""


class EventDelivery(Struct, frozen=True):
    """One event, and how it was answered."""

    at: datetime
    revision: str
    """Who answered; empty when no revision did."""
    status: int
    event: dict[str, str]
    """Its attributes, as a message has them: `ce-id`, `ce-type`, `ce-document`, …"""


class EventDeliveries:
    """Those of the functions of one application, in the order of their coming."""

    def __init__(self, journal: Journal, kept_as: str) -> None:
        self._journal = journal
        self._kept_as = kept_as
        self._of: dict[str, list[EventDelivery]] = defaultdict(list)
        for key, value in journal.read(kept_as):
            arrival = from_msgpack(value, EventDelivery)
            self._of[key.rpartition(" ")[0]].append(arrival)

    def of(self, function: str) -> list[EventDelivery]:
        """Every event that was ever brought to a function."""
        return list(self._of.get(function, ()))

    def keep(self, function: str, arrival: EventDelivery) -> None:
        """Remember one, the newest."""
        known = self._of[function]
        key = f"{function} {len(known):012}"
        self._journal.write(self._kept_as, [(key, msgspec.msgpack.encode(arrival))])
        known.append(arrival)

    def requests(self, function: str, start: datetime, end: datetime) -> dict[str, RequestTotals]:
        """How many a revision was asked in [start, end), and how many of these failed."""
        known = self._of.get(function, [])
        first, last = (bisect_left(known, moment, key=_at) for moment in (start, end))
        counted: dict[str, RequestTotals] = defaultdict(RequestTotals)
        for one in known[first:last]:
            if one.revision:
                counted[one.revision] += RequestTotals(1, int(one.status >= FAILED_STATUS_FROM))
        return counted


def _at(arrival: EventDelivery) -> datetime:
    return arrival.at
