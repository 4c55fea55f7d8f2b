"""The registry of gates: each gate by its name, in the order in which the gates are evaluated."""

from __future__ import annotations

from enum import Flag, auto

from msgspec import Struct

from shared.domain.decision.gates import cause, permission, target
from shared.domain.decision.gates.base import Gate


class RequestKind(Flag):
    """What requests the rollback that the gates decide about."""

    ALERT = auto()
    MANUAL = auto()
    """A person requests a rollback and answers for its cause."""
    UNDO = auto()
    """A person requests an undo, or the repair of documents."""


class RegisteredGate(Struct, frozen=True):
    """One gate, the requests that it is evaluated for, and whether an override skips it."""

    gate: Gate
    requests: RequestKind
    overridable: bool = False
    """An override skips it; its result is recorded all the same."""


ALERT, MANUAL, UNDO = RequestKind.ALERT, RequestKind.MANUAL, RequestKind.UNDO

GATES: dict[str, RegisteredGate] = {
    "known system": RegisteredGate(permission.known_system, ALERT | MANUAL | UNDO),
    "stale": RegisteredGate(permission.stale, ALERT),
    "still true": RegisteredGate(permission.still_true, ALERT),
    "mode": RegisteredGate(permission.mode, ALERT),
    "kill switch": RegisteredGate(permission.kill_switch, ALERT | MANUAL | UNDO),
    "freeze": RegisteredGate(permission.freeze, ALERT | MANUAL | UNDO, overridable=True),
    "active rollback": RegisteredGate(permission.active_rollback, ALERT | MANUAL | UNDO),
    "budget": RegisteredGate(permission.budget, ALERT, overridable=True),
    "cool-down": RegisteredGate(permission.cool_down, ALERT),
    "external cause": RegisteredGate(cause.external_cause, ALERT),
    "cause": RegisteredGate(cause.cause, ALERT),
    "barrier": RegisteredGate(target.barrier, ALERT | MANUAL, overridable=True),
    "target": RegisteredGate(target.target, ALERT | MANUAL),
    "restorable": RegisteredGate(target.restorable, ALERT | MANUAL),
    "readable": RegisteredGate(target.readable, UNDO),
    "human first": RegisteredGate(target.human_first, ALERT),
    "blast radius": RegisteredGate(target.blast_radius, ALERT | MANUAL, overridable=True),
    "approval": RegisteredGate(target.approval, ALERT | MANUAL, overridable=True),
}
"""By the name that each gate's answers carry; an undo's `readable` answers as `restorable`."""


def gates_for(request: RequestKind, *, override: bool = False) -> list[Gate]:
    """Return the gates of a request in order; those that an override leaves, if it is one."""
    return [
        one.gate
        for one in GATES.values()
        if request in one.requests and not (override and one.overridable)
    ]


def overridable_gates(requests: RequestKind) -> list[Gate]:
    """Return the gates of any of these requests that an override skips, in order."""
    return [one.gate for one in GATES.values() if one.requests & requests and one.overridable]
