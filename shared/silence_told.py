"""What people are told of a silence: how it turns, and who was told what. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from shared import silence as silences
from shared import upheld
from shared.severity import Severity
from shared.silence import Listener, Silence
from shared.upheld import Status

TOLD: Final[Mapping[str, Severity]] = {
    "silence.raising": Severity.HIGH,
    "silence.stands": Severity.HIGH,
    "silence.falls": Severity.HIGH,
    "silence.down": Severity.HIGH,
    "silence.stuck": Severity.CRITICAL,
}
"""The events that people hear of."""


def turn(before: Silence, after: Silence, now: datetime) -> str:
    """The event that lies between the two; empty: none."""
    if upheld.is_stuck(after, silences.STUCK_AFTER, now):
        return "silence.stuck"
    if after.status is not before.status:
        return {
            Status.STANDING: "silence.stands",
            Status.FALLING: "silence.falls",
            Status.DOWN: "silence.down",
        }[after.status]
    return "silence.raising" if after.is_seen and not before.is_seen else ""


def text(event: str, silence: Silence) -> Iterator[str]:
    """The lines of one notice."""
    match event:
        case "silence.raising":
            yield f"{silence.system}: {silences.promise(silence.listeners, silence.until)}"
            yield f"by {silence.actor}: {silence.reason}"
        case "silence.stands":
            yield f"{silence.system}: the silence stands: nothing is pushed to {silence.names}"
        case "silence.falls":
            yield f"{silence.system}: the silence falls: {silence.why}"
        case "silence.down":
            yield f"{silence.system}: the silence is over: what waited is pushed"
            yield from (_kept_from(one, silence.rollback) for one in silence.listeners)
            yield from (f"{one}: somebody has changed how it is told: left" for one in silence.left)
        case _:
            yield f"{silence.system}: THE SILENCE DOES NOT FALL: {silence.waiting}"
            yield from (f"{one.hearer.name}: {one.subscription}" for one in silence.listeners)
            yield f"how a person gives the pushes back: rollback pushes --system {silence.system}"


def _kept_from(listener: Listener, rollback: str) -> str:
    """How much it was told of what a rollback has written, as far as that is known."""
    said = f"{listener.hearer.name}: kept from {listener.kept_from} events of {rollback}"
    if not listener.missing:
        return said
    return f"{said}; {listener.missing} never came, and may start it yet"
