"""Whether the conditions of an incident's alerts are over, not only the notifications of them."""

from collections.abc import Collection, Iterable, Set
from datetime import datetime, timedelta
from functools import partial

from responders.rollback.case import Case, Transition
from responders.support import parallel_calls
from shared.core.codec import FrozenStruct
from shared.core.durations import describe_duration
from shared.core.store import Document
from shared.domain.deployments.deployment import counts_from_services
from shared.domain.incidents.incident import Incident, IncidentStatus, incident_path
from shared.domain.incidents.overlap import ordered_functions
from shared.domain.policy.probes import Probe
from shared.domain.policy.system_policy import Policy, service_of
from shared.domain.signals import alert_conditions
from shared.domain.signals.alert import Alert, open_alerts
from shared.domain.signals.alert_conditions import ConditionState
from shared.domain.signals.health import (
    failing_functions,
    failure_ratio,
    proven_failing_functions,
    sum_requests,
    working_functions,
)
from shared.domain.signals.probe_signals import (
    MIN_PASSES_TO_CLOSE,
    ProbeRecord,
    probes_by_signal,
    probes_path,
)
from shared.domain.system_record import System, system_path
from shared.ports.groups import Ports

FIRST_READ_BEFORE_LIMIT = timedelta(minutes=5)
"""So long before their limit the conditions are read: there may be no answer at first."""
LAST_READ_BEFORE_LIMIT = timedelta(minutes=1)
"""So long before it for the last time: a sweep comes half a minute late, and they take as long."""


class ConditionResults(FrozenStruct):
    """What became of what the alerts of an incident told of."""

    judged: tuple[tuple[Alert, ConditionState], ...]
    scope: Set[str] = frozenset()
    """The functions that its alerts and its order are about."""
    failing: tuple[str, ...] = ()
    """What is observed to fail of what the alerts are about, in words."""
    is_counted: bool = True
    """Whether the requests could be counted; otherwise nothing of them is known to work."""
    is_observed: bool = False
    """Whether enough requests were counted to tell how that does."""
    is_alerted: bool = False
    """Whether the alerts are about all of its functions: what becomes of them tells enough."""
    are_well: bool = True
    """Whether none of its functions fails, not even by too few requests to tell."""
    functions: tuple[str, ...] = ()
    """All functions that are observed to fail; in RECOVERED, those proven to."""
    working: Set[str] = frozenset()
    """All functions of the system that are observed to work."""
    doubted: Set[str] = frozenset()
    """Functions that something else than this check reports as failing."""

    @property
    def stands(self) -> bool:
        """Whether any of it is known not to be over."""
        return bool(self.failing) or any(found is ConditionState.STANDS for _, found in self.judged)

    @property
    def observed_lines(self) -> tuple[str, ...]:
        """What fails or could not be counted; nothing: no observation contradicts a recovery."""
        return self.failing if self.is_counted else (*self.failing, "the requests could not be counted")

    @property
    def lines(self) -> tuple[str, ...]:
        """What is not over, or not known to be; nothing: all of it is over."""
        return (*self.observed_lines, *alert_conditions.open_condition_lines(self.judged))


def upcoming_condition_reads(case: Case) -> list[datetime]:
    """When the conditions must be read, besides at the looks of the watch; nothing: never again."""
    if case.rollback.conditions_read_at is not None:
        return []
    now, limit = case.now(), _condition_deadline(case)
    return [at for at in (limit - FIRST_READ_BEFORE_LIMIT, limit - LAST_READ_BEFORE_LIMIT) if at > now]


def record_ended_conditions(case: Case) -> bool:
    """Whether it was put on record now that all of the conditions are over, or that some are not.

    Near their limit they are read until all are over; with the last read, a person is told. What
    stands escalates the incident, while the watch goes on.
    """
    now, limit = case.now(), _condition_deadline(case)
    if case.rollback.conditions_read_at is not None or now < limit - FIRST_READ_BEFORE_LIMIT:
        return False
    found = read_conditions(case, case.read_alerts())
    if found.lines and now < limit - LAST_READ_BEFORE_LIMIT:
        return False
    event, said, becomes = "alerts.over", "the conditions of all alerts are over", None
    if found.lines:
        event, said = "alerts.unanswered", "; ".join(found.lines)
    if found.stands:
        event, becomes = "alerts.escalated", IncidentStatus.ESCALATED
    after, until = now - (case.rollback.shifted_at or now), case.rollback.watch_until or now
    return case.commit_transition(
        Transition(
            event=event,
            note=f"{said}, {describe_duration(after)} after the last shift",
            details=(f"the watch goes on until {until:%H:%M} UTC, or until it is cancelled",),
            choices=("cancel",) if found.stands else (),
            changes={"conditions_read_at": now, **({"failing_since": None} if found.stands else {})},
            status=becomes,
            say=bool(found.lines),
        )
    )


def _condition_deadline(case: Case) -> datetime:
    return (case.rollback.shifted_at or case.now()) + case.policy.execution.cleared_within


def read_conditions(case: Case, joined: Collection[Alert], since: datetime | None = None) -> ConditionResults:
    """The condition of each alert as it is now, by requests since then, or since the last shift.

    Raises: as LeasedRollback.commit.
    """
    now = case.now()
    case.extend_lease(parallel_calls.MAX_TOTAL_SECONDS)
    since = since or case.rollback.shifted_at or now
    return evaluate_conditions(case.ports, case.policy, case.incident, joined, since, now)


def evaluate_conditions(
    ports: Ports,
    policy: Policy,
    incident: Incident,
    joined: Collection[Alert],
    since: datetime,
    now: datetime,
    window: timedelta = parallel_calls.METRICS_WINDOW,
) -> ConditionResults:
    """The condition of each alert, and what fails of what they and the order are about.

    Only requests and checks since `since` count. Without an alert and without a function that an
    order names, it is about the whole system. A probe of the system without a signal always counts.
    """
    newest = sorted((one for one in joined if one.is_open), key=lambda one: one.started_at, reverse=True)
    alerted = alert_conditions.affected_functions(newest, policy)
    functions = find_incident_functions(policy, incident, newest)
    cancelled = {alert.monitoring_id for alert in joined if alert.verdict == "cancelled"}
    calls = _build_calls(ports, policy, newest, functions, cancelled, max(since, now - window), now)
    answers = parallel_calls.call_in_batches(ports, calls)
    look = parallel_calls.read_health_answers(answers)
    services = {name: service_of(name) for name in policy.functions}
    requests = None if look.requests is None else counts_from_services(look.requests, services)
    passing = _find_passing_signals(policy, parallel_calls.answer_or_none(answers.get("record")), since)
    standing, states = open_alerts(joined), parallel_calls.read_alert_states(answers)
    closed = {one.key: None if one.monitoring_id in cancelled else one not in standing for one in newest}
    judge = partial(alert_conditions.evaluate_condition, states=states, requests=requests, gates=policy.gates)
    judged = tuple((one, judge(one, closed=closed[one.key], passing=passing)) for one in newest)
    counted = {name: one for name, one in (requests or {}).items() if name in functions}
    is_checked_again = incident.status is IncidentStatus.RECOVERED  # other checks may be the last
    find_failing = proven_failing_functions if is_checked_again else failing_functions
    failing_now = find_failing(requests or {}, policy.gates)
    failing = alert_conditions.failing_lines(functions & failing_now, look.probes)
    enough = sum_requests(counted.values()).total >= policy.gates.minimum_requests
    are_well = all(failure_ratio(one) <= policy.gates.failing_above for one in counted.values())
    return ConditionResults(
        judged,
        functions,
        tuple(failing),
        is_counted=requests is not None,
        is_observed=enough,
        is_alerted=functions == alerted,
        are_well=are_well,
        functions=tuple(sorted(failing_now)),
        working=working_functions(requests or {}, policy.gates),
    )


def _build_calls(
    ports: Ports,
    policy: Policy,
    alerts: Collection[Alert],
    functions: Set[str],
    cancelled: Set[str],
    since: datetime,
    now: datetime,
) -> parallel_calls.Calls:
    """Build the calls that read health, probes and the states of alerts that were not cancelled."""
    signals, own = {alert.signal for alert in alerts}, [one for one in policy.probes if not one.external]
    general = [one for one in own if one.function is None and one.signal is None]  # no alert tells of them
    probes = [*general, *(one for one in own if one.function in functions or one.signal in signals)]
    known = (one.monitoring_id for one in alerts if one.is_state_known)
    asked = list(dict.fromkeys(name for name in known if name not in cancelled))
    return {
        **parallel_calls.build_health_calls(ports, ports.system(policy.system).metrics, probes, since, now),
        "record": partial(ports.store.get, probes_path(policy.system)),
        **parallel_calls.build_alert_state_calls(ports, policy.system, asked),
    }


def find_incident_functions(policy: Policy, incident: Incident, opened: Collection[Alert]) -> set[str]:
    """Return the functions that its alerts and its orders are about; without any, all functions."""
    ordered = ordered_functions(incident.scopes, policy)
    if not (opened or ordered):
        return set(policy.functions)
    return alert_conditions.affected_functions(opened, policy) | ordered


def read_other_incidents(ports: Ports, incident: Incident) -> list[Incident]:
    """Return the other open incidents of the system."""
    system = ports.store.get(system_path(incident.system)).decode(System)
    names = [incident_path(one) for one in system.open_incidents if one != incident.id]
    return [ports.store.get(name).decode(Incident) for name in names]


def find_later_failures(policy: Policy, incident: Incident, others: Iterable[Incident]) -> set[str]:
    """Return the functions that the alerts of later incidents, not recovered, are about."""
    later = [one for one in others if one.detected_at > incident.detected_at]
    return find_reported_functions(policy, (one for one in later if not one.newest_turn.is_well))


def find_reported_functions(policy: Policy, opened: Iterable[Incident]) -> set[str]:
    """Return the functions that the alerts of these incidents are about."""
    scopes = (scope for one in opened for scope in one.scopes if scope.proves_failure)
    return alert_conditions.affected_functions(scopes, policy)


def _find_passing_signals(policy: Policy, record: Document | None, since: datetime) -> set[str]:
    """The signals whose probes have all passed several times in a row since then."""
    looks = record.decode(ProbeRecord).looks if record and record.fields is not None else {}

    def is_passing(probe: Probe) -> bool:
        last = [one.passed for one in looks.get(probe.name, ()) if one.at >= since][-MIN_PASSES_TO_CLOSE:]
        return len(last) == MIN_PASSES_TO_CLOSE and all(last)

    return {signal for signal, probes in probes_by_signal(policy).items() if all(map(is_passing, probes))}
