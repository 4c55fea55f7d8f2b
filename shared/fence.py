"""A fence: for a while nothing of the application writes, and then all is as it was. Pure.

One document for each system, `fences/{system}`: its newest fence. What the writers' instances were
is on record before the first of them is stopped, and is brought back whatever comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.integrity_rules import FenceRules
from shared.system import Freeze
from shared.traffic import Scaling, Service
from shared.upheld import Status, Upheld

FALLS_WITHIN: Final = timedelta(days=1)
"""Beyond its time: so long automation is held at most for a fence that does not fall."""
STUCK_AFTER: Final = timedelta(minutes=5)
"""A fence that has not fallen by then is told."""


class Writer(Struct, frozen=True):
    """One function that writes, and what its instances were."""

    function: str
    service: str
    """Full name."""
    scaling: Scaling

    @property
    def stopped(self) -> Scaling:
        """What its instances are while the fence stands: none."""
        return replace(self.scaling, manual=0)


class Fence(Upheld, frozen=True):
    """One fence, and what came of it."""

    writers: tuple[Writer, ...] = ()
    """As they were found; empty: nobody has looked yet, and nothing is stopped."""

    @property
    def window(self) -> Freeze:
        """In which automation does not answer what the fence itself brings about.

        It goes with the fence, which may fall later than it should.
        """
        reason, until = f"a fence, until it is down, {self.reason}", self.until + FALLS_WITHIN
        return Freeze(self.actor, self.began_at, reason, self.began_at, until, orders=False)

    @property
    def public_id(self) -> str:
        """What the status page calls it."""
        return f"MAINTENANCE-{self.began_at:%Y%m%d-%H%M%S}"


class Stand(Struct, frozen=True):
    """Where the writers are now."""

    to_stop: tuple[Writer, ...] = ()
    to_free: tuple[Writer, ...] = ()
    theirs: tuple[str, ...] = ()
    is_settled: bool = True
    """Whether no service is being changed."""


def path(system: str) -> str:
    """Where the newest fence of a system is kept."""
    return f"fences/{system}"


def promise(rules: FenceRules, until: datetime) -> str:
    """What is said where one is raised."""
    return f"nothing of {', '.join(rules.writers)} writes until {until:%H:%M} UTC at most"


def stand(writers: Iterable[Writer], services: Mapping[str, Service]) -> Stand:
    """Where each writer is, by its service as it was just read; one that is gone is somebody's."""
    to_stop, to_free, theirs, settled = list[Writer](), list[Writer](), list[str](), True
    for one in writers:
        service = services.get(one.service)
        if service is None:
            theirs.append(one.function)
            continue
        settled = settled and not service.reconciling
        if one.scaling == one.stopped == service.scaling:  # it was stopped before, and not by us
            continue
        if service.scaling == one.scaling:
            to_stop.append(one)
        elif service.scaling == one.stopped:
            to_free.append(one)
        else:
            theirs.append(one.function)
    return Stand(tuple(to_stop), tuple(to_free), tuple(theirs), settled)


def seen(fence: Fence, writers: Iterable[Writer]) -> Fence:
    """The fence with what its writers are, on record before any is stopped."""
    return replace(fence, writers=tuple(writers), waiting="")


def stands(fence: Fence, now: datetime) -> Fence:
    """The fence behind which nothing writes."""
    return replace(fence, status=Status.STANDING, stood_at=now, waiting="")
