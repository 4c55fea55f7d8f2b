"""The check of a rollback that is held: what fails, and what works again, while no step starts."""

from datetime import datetime

from msgspec.structs import replace

from responders.rollback.case import Case
from responders.rollback.isolation import fence_guard
from responders.rollback.verification.alert_conditions import evaluate_conditions
from responders.rollback.verification.recovery import judge_recovery
from responders.support.parallel_calls import MAX_TOTAL_SECONDS, METRICS_WINDOW
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.rollback.rollback import Direction
from shared.domain.signals.alert_conditions import ConditionState


def observe_hold(case: Case, since: datetime) -> bool | None:
    """Return whether the incident works again (True) or fails again (False); None: no news.

    Only requests after the beginning of the hold count, because steps ended before it. A held undo
    proves no recovery: it brings back what failed. Raises: as LeasedRollback.commit.
    """
    case.extend_lease(MAX_TOTAL_SECONDS)
    alerts, now = case.read_alerts(), case.now()
    since = max([since, *(one.received_at for one in alerts if one.is_open)])
    found = evaluate_conditions(case.ports, case.policy, case.incident, alerts, since, now)
    if now - since < METRICS_WINDOW:  # as after any change, requests must show it
        failed = {*case.incident.failing, *case.rollback.failing} - {*case.incident.working}
        found = replace(found, doubted=failed - found.working)
    is_back = case.rollback.way in (Direction.BACK, Direction.REPAIR)
    case.observe_check({*found.functions}, found.working if is_back else frozenset())
    state, worked = judge_recovery(found), case.incident.newest_turn.works
    if found.functions:  # the commit of the check records that they fail
        return None
    if worked:
        return False if state is ConditionState.STANDS else None
    is_shown = is_back and case.incident.status is IncidentStatus.ROLLING_BACK
    is_over = state is ConditionState.OVER and not fence_guard.is_fence_up(case.ports, case.policy)
    return True if is_over and is_shown else None
