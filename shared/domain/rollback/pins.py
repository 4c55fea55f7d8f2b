"""Pins hold traffic on an old revision until somebody lifts the pin or moves the traffic."""

import shlex
from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.core.codec import StoredDocument, system_documents_of
from shared.domain.deployments.inventory.traffic import (
    Service,
    Traffic,
    apply_shares,
    is_following_latest,
    requested_shares,
)
from shared.domain.retention import RECORD_RETENTION

pin_path = system_documents_of("pins")

AUTOMATION_ACTOR = "automation"


class Pin(StoredDocument):
    """One function that is held, or was."""

    system: str
    function: str
    service: str
    """Full name of its Cloud Run service."""
    held: Traffic
    """What the rollback asked for, verbatim."""
    before: Traffic
    """What was asked for before anything was pinned, verbatim."""
    newest: str
    """The newest revision that people know not to be served; a newer one is told of."""
    owner: str
    """Who ordered or approved it, else automation."""
    rollback: str
    since: datetime
    ended_at: datetime | None = None
    """None: it holds."""
    ended_by: str = ""
    expires_at: datetime | None = None

    @property
    def revisions(self) -> dict[str, int]:
        """Percent per revision that it holds."""
        return requested_shares(self.held)

    def is_in_force(self, traffic: Traffic) -> bool:
        """Whether a list still leads the requests where it holds them."""
        return requested_shares(traffic) == self.revisions

    def build_unpinned_traffic(self, service: Service) -> Traffic:
        """The list without it: the shares of before, with all tags that there are now."""
        return apply_shares(service.traffic, requested_shares(self.before))


def pin_after_shift(shifted: Pin, known: Pin | None) -> Pin | None:
    """Return the pin after our shift, moved or ended; None: there is none, and never was.

    `shifted` holds the goal of the shift, as if nothing had been pinned before.
    """
    open_one = known if known is not None and known.ended_at is None else None
    back = open_one is not None and shifted.revisions == requested_shares(open_one.before)
    if is_following_latest(shifted.held) or back:
        return known if open_one is None else end_pin(open_one, shifted.rollback, shifted.since)
    return shifted if open_one is None else replace(shifted, before=open_one.before)


def end_pin(pin: Pin, by: str, at: datetime) -> Pin:
    """The pin as it is kept once nothing is held any more."""
    return replace(pin, ended_at=at, ended_by=by, expires_at=at + RECORD_RETENTION)


def active_pins(pins: Iterable[Pin]) -> list[Pin]:
    """Those that hold, by function."""
    return sorted((one for one in pins if one.ended_at is None), key=lambda one: one.function)


def pins_older_than(pins: Iterable[Pin], span: timedelta, now: datetime) -> list[Pin]:
    """Those that hold for longer than that, the oldest first."""
    old = (one for one in pins if one.ended_at is None and now - one.since > span)
    return sorted(old, key=lambda one: (one.since, one.function))


def unpin_line(system: str, functions: Iterable[str], open_incident: str) -> str:
    """Return the command that lifts these pins, and from when on it is accepted."""
    command = unpin_command(system, functions)
    return f"once {open_incident} has ended: {command}" if open_incident else command


def unpin_command(system: str, functions: Iterable[str]) -> str:
    """The one line for a shell that lifts the pins of these functions."""
    names = [word for function in functions for word in ("--function", function)]
    words = ("rollback", "unpin", "--system", system, *names, "--reason", "serve the newest revision")
    return shlex.join(words)
