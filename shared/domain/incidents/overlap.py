"""Whether an alert is about the trouble of an incident, or about another one; pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from shared.domain.incidents.incident import Incident, IncidentScope
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.signals import AUTHENTICATION_SIGNALS
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.alert import Alert

GENERAL_SCENARIOS = frozenset({ScenarioName.COMPLETE, ScenarioName.FUNCTIONS})
"""Their plans are about every function that changed, so one plan answers all of their alerts."""
CODE_SCENARIOS = GENERAL_SCENARIOS | {ScenarioName.AUTH, ScenarioName.FEATURE}


def may_join(incident: Incident, alert: IncidentScope, policy: Policy, now: datetime) -> bool:
    """Return whether the alert belongs to the incident, which is open or ended a short while ago.

    An open incident takes every alert that its plan may answer. An alert reopens an incident that
    ended only if it is about the same group of functions. Incidents of an earlier version have no
    scopes: they take every alert, as they did then.
    """
    is_open = incident.ended_at is None
    if incident.ended_at is not None and now - incident.ended_at > policy.gates.join_window:
        return False
    return not incident.scopes or any(
        _is_related(one, alert, policy, by_plan=is_open) for one in incident.scopes
    )


def alert_scope(alert: Alert, policy: Policy) -> IncidentScope:
    """Return what an alert is about."""
    return IncidentScope(policy.signals[alert.signal].scenario, alert.signal, alert.function)


def merge_scopes(
    scopes: Iterable[IncidentScope], alerts: Iterable[Alert], policy: Policy
) -> tuple[IncidentScope, ...]:
    """Return the scopes of an incident and those of its alerts, each once."""
    known = (alert_scope(one, policy) for one in alerts if one.is_open and one.signal in policy.signals)
    return tuple(dict.fromkeys((*scopes, *known)))


def _is_related(one: IncidentScope, other: IncidentScope, policy: Policy, *, by_plan: bool) -> bool:
    """Return whether two scopes overlap in what fails; `by_plan`, in what one plan answers."""
    scenarios, same_signal = {one.scenario, other.scenario}, one.signal == other.signal
    if not (same_signal or scenarios <= CODE_SCENARIOS or scenarios == {ScenarioName.DATABASE}):
        return False
    are_alerts = bool(one.signal and other.signal)
    if by_plan and are_alerts and (same_signal or scenarios <= GENERAL_SCENARIOS):
        return True
    groups, others = _groups(one, policy), _groups(other, policy)
    return groups is None or others is None or not groups.isdisjoint(others)


def _groups(scope: IncidentScope, policy: Policy) -> set[str] | None:
    """Return the groups of functions that a scope is about; None: the whole system."""
    if scope.function is not None:
        return {policy.functions.get(scope.function, "")}
    if scope.scenario is ScenarioName.AUTH:
        found = (policy.groups_by_name(name) for name in AUTHENTICATION_SIGNALS)
        return set(next((groups for groups in found if groups), ())) or None
    return None
