"""The registry of gates: each gate by its name, in the order in which the gates are evaluated."""

from enum import Flag, auto

from shared.core.codec import FrozenStruct
from shared.domain.decision.gates import cause, permission, target
from shared.domain.decision.gates.alert import stale, still_true
from shared.domain.decision.gates.base import Gate


class RequestKind(Flag):
    """What requests the rollback that the gates decide about."""

    ALERT = auto()
    MANUAL = auto()
    """A person requests a rollback and answers for its cause."""
    UNDO = auto()
    """A person requests an undo, or the repair of documents."""


class RegisteredGate(FrozenStruct):
    """One gate, the requests that it is evaluated for, and whether an override skips it."""

    gate: Gate
    requests: RequestKind
    needed: str
    """What the gate requires; people read it where the gate stops a rollback."""
    overridable: bool = False
    """An override skips it; its result is recorded all the same."""


ALERT, MANUAL, UNDO = RequestKind.ALERT, RequestKind.MANUAL, RequestKind.UNDO
EVERY = ALERT | MANUAL | UNDO

GATES: dict[str, RegisteredGate] = {
    "stale": RegisteredGate(stale, ALERT, "a notification that arrives soon after it was sent"),
    "still true": RegisteredGate(still_true, ALERT, "a second source that observes the failure too"),
    "mode": RegisteredGate(permission.mode, ALERT, "mode `act` for signal, scenario and system"),
    "kill switch": RegisteredGate(permission.kill_switch, EVERY, "no pause, of this system or of all"),
    "freeze": RegisteredGate(
        permission.freeze, EVERY, "no freeze window now, or one that is lifted in time", overridable=True
    ),
    "active rollback": RegisteredGate(
        permission.active_rollback, EVERY, "no other rollback of the system under way"
    ),
    "budget": RegisteredGate(
        permission.budget, ALERT, "fewer automatic rollbacks in the last hour", overridable=True
    ),
    "cool-down": RegisteredGate(permission.cool_down, ALERT, "no recent rollback"),
    "external cause": RegisteredGate(
        cause.external_cause,
        ALERT,
        "a failure of changed functions alone; other systems and dependencies that work",
    ),
    "cause": RegisteredGate(cause.cause, ALERT, "a change of something that fails, before the failure began"),
    "barrier": RegisteredGate(
        target.barrier,
        ALERT | MANUAL,
        "no barrier between the live deployment and the target",
        overridable=True,
    ),
    "target": RegisteredGate(
        target.target, ALERT | MANUAL, "exactly one stable deployment as target, itself not suspected"
    ),
    "restorable": RegisteredGate(
        target.restorable,
        EVERY,
        "every revision of the target, present and ready, with all that it needs to start",
    ),
    "human first": RegisteredGate(
        target.human_first, ALERT, "a failing function that nobody changed recently"
    ),
    "approval": RegisteredGate(
        target.approval, ALERT | MANUAL, "a scenario that needs no approval", overridable=True
    ),
}
"""By the name that each gate's answers carry."""


def gates_for(request: RequestKind, *, override: bool = False) -> list[Gate]:
    """Return the gates of a request in order; those that an override leaves, if it is one."""
    return [
        one.gate for one in GATES.values() if request in one.requests and not (override and one.overridable)
    ]


def overridable_gates(requests: RequestKind) -> list[Gate]:
    """Return the gates of any of these requests that an override skips, in order."""
    return [one.gate for one in GATES.values() if one.requests & requests and one.overridable]
