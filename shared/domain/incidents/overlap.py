"""Whether an alert is about the trouble of an incident, or about another one; pure."""

from collections.abc import Iterable
from datetime import datetime

from shared.domain.incidents.incident import Incident, IncidentStatus, well_since
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.alert import Alert, IncidentScope
from shared.domain.signals.registry import SignalSource, has_source

GENERAL_SCENARIOS = frozenset({ScenarioName.COMPLETE, ScenarioName.FUNCTIONS})
"""Their plans are about every function that changed, so one plan answers all of their alerts."""


def may_join(
    incident: Incident,
    alert: IncidentScope,
    policy: Policy,
    now: datetime,
    fails_since: datetime | None = None,
) -> bool:
    """Return whether the alert belongs to the incident, which is open or ended a short while ago.

    An open incident takes every alert that its plan may answer, and warnings about the same parts.
    An incident of warnings alone takes graver alerts for a short while only: later its times would
    not be theirs. One that ended or has recovered is continued by an alert about the same group of
    functions, not by one about the whole system if it was about some functions only; so is one that
    is monitored, if more than a warning began (`fails_since`) after its recovery. If an order or a
    declaration alone names it, which proves no failure, what fails must have begun before.
    """
    began_at = incident.detected_at if incident.ended_at is None else incident.ended_at
    is_recent = now - began_at <= policy.gates.join_window
    if incident.ended_at is not None and not is_recent:
        return False
    is_monitored, is_warning = incident.status is IncidentStatus.WATCHING, alert.scenario is ScenarioName.NONE
    is_recovered = is_monitored or incident.status is IncidentStatus.RECOVERED
    over_at = incident.ended_at or (well_since(incident) if is_recovered else None)
    is_later = over_at is not None and (fails_since or now) > over_at
    is_over = over_at is not None and not (is_monitored and (is_warning or not is_later))
    is_wide = _groups(alert, policy) is None
    related = [
        one
        for one in incident.scopes
        if _is_related(one, alert, policy, is_over=is_over)
        and not (is_later and one.signal != alert.signal and not one.proves_failure)
        and not (is_over and is_wide and _groups(one, policy) is not None)
    ]
    return any(is_warning or is_recent or one.scenario is not ScenarioName.NONE for one in related)


def concerns_same(incident: Incident, alert: IncidentScope, policy: Policy) -> bool:
    """Return whether an alert tells of what an incident that has ended was about."""
    return any(_is_related(one, alert, policy, is_over=True) for one in incident.scopes)


def continues_failure(scopes: Iterable[IncidentScope], incident: Incident, policy: Policy) -> bool:
    """Return whether an order about these scopes is about what fails by an open incident.

    What was observed to work again since does not fail.
    """
    fails = incident.has_failed and not incident.newest_turn.is_well
    told = (one for one in incident.scopes if one.proves_failure)
    functions = {name for one in told for name in ((one.function,) if one.function else policy.functions)}
    fails = fails and not (functions and functions <= {*incident.working} and not incident.failing)
    scopes, named = tuple(scopes), {one.function for one in incident.scopes if one.proves_failure}
    ordered = ordered_functions(scopes, policy)
    fails = fails and not (ordered and ordered <= {*incident.working} - named)
    related = (_is_related(one, other, policy, is_over=False) for one in scopes for other in incident.scopes)
    return fails and incident.ended_at is None and any(related)


def alert_scope(alert: Alert, policy: Policy) -> IncidentScope:
    """Return what an alert is about."""
    return IncidentScope(policy.signals[alert.signal].scenario, alert.signal, alert.function)


def merge_scopes(
    scopes: Iterable[IncidentScope], alerts: Iterable[Alert], policy: Policy
) -> tuple[IncidentScope, ...]:
    """Return the scopes of an incident and those of its alerts, each once."""
    known = (alert_scope(one, policy) for one in alerts if one.is_open and one.signal in policy.signals)
    return tuple(dict.fromkeys((*scopes, *known)))


def ordered_functions(scopes: Iterable[IncidentScope], policy: Policy) -> set[str]:
    """Return the functions that the orders among these scopes name, or every one."""
    ordered = [one for one in scopes if not one.signal]
    if any(one.function is None and one.scenario in GENERAL_SCENARIOS for one in ordered):
        return set(policy.functions)
    return {one.function for one in ordered if one.function is not None}


def _is_related(one: IncidentScope, other: IncidentScope, policy: Policy, *, is_over: bool) -> bool:
    """Return whether two scopes overlap in what fails; while it lasts, in what one plan answers."""
    scenarios, same_signal = {one.scenario, other.scenario}, one.signal == other.signal
    if not same_signal and (_is_about_data(one) is not _is_about_data(other)):
        return False
    if not same_signal and is_over and ScenarioName.NONE in scenarios:
        return False
    if not same_signal and is_over and ScenarioName.COMPLETE in scenarios and one.function != other.function:
        return False  # a site that fails is no function that fails
    if not is_over and one.signal and other.signal and (same_signal or scenarios <= GENERAL_SCENARIOS):
        return True
    groups, others = _groups(one, policy), _groups(other, policy)
    return groups is None or others is None or not groups.isdisjoint(others)


def _is_about_data(scope: IncidentScope) -> bool:
    """Return whether a scope is about documents, which no rollback of code restores."""
    if not scope.signal:
        return scope.scenario is ScenarioName.DATABASE
    return has_source(scope.signal, SignalSource.DATA)


def _groups(scope: IncidentScope, policy: Policy) -> set[str] | None:
    """Return the groups of functions that a scope is about; None: the whole system."""
    if scope.function is not None:
        return {policy.functions.get(scope.function, "")}
    if scope.scenario is ScenarioName.AUTH:
        return policy.sign_in_groups or None
    return None
