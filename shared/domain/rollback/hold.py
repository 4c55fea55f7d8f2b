"""The pause or the freeze that holds a rollback."""

from datetime import datetime

from shared.domain.rollback.rollback import Rollback, RollbackStatus
from shared.domain.signals.labels import status_label
from shared.domain.system_record import Controls, System, active_freeze, pause_state

HOLDABLE_STATUSES = frozenset({RollbackStatus.DECIDING, RollbackStatus.PARKED, RollbackStatus.RUNNING})
"""A pause or a freeze holds a rollback before its last shift; verification and monitoring go on."""


def describe_hold(everywhere: Controls, system: System, rollback: Rollback, now: datetime) -> str:
    """Return the pause or freeze that holds a rollback, and the command that ends it; or ""."""
    if rollback.status not in HOLDABLE_STATUSES:
        return ""
    for controls, scope in ((everywhere, "--all"), (system, f"--system {system.name}")):
        if (pause := controls.pause) is not None:
            since = f"{status_label(pause_state(pause)).lower()} since {pause.at:%Y-%m-%d %H:%M:%S} UTC"
            by = f"by {pause.actor}: {pause.reason}"
            return f"{since} {by}; to continue: rollback resume {scope} --reason WHY"
        window = active_freeze(controls.freezes, now, ordered=rollback.order is not None)
        if window is not None and not rollback.overrides:
            return f"{window}; to continue: rollback unfreeze {scope} --reason WHY"
    return ""
