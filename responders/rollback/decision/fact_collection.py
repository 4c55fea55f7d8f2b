"""The facts of one decision, each read once."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from responders.support.parallel_calls import (
    CALL_TIMEOUT_SECONDS,
    MAX_PARALLEL_CALLS,
    METRICS_WINDOW,
    Call,
    Calls,
    ExtendLease,
    answer_or_none,
    build_alert_state_calls,
    build_health_calls,
    call_all,
    read_alert_states,
    read_health_answers,
    require_answer,
    select_named,
    skip_lease,
)
from shared.core.codec import decode
from shared.core.store import Document, Query
from shared.domain.data.integrity.damage import IntegrityRecord
from shared.domain.decision.facts import DecisionFacts, live_shares
from shared.domain.deployments.deployment import (
    Deployment,
    DeploymentStatus,
    Inventory,
    counts_by_function,
    record_path,
)
from shared.domain.deployments.images import exclude_lost_images, repositories
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.deployments.inventory.inventory_parts import FunctionState, WholeInventory
from shared.domain.deployments.source_copies import carry_over_copies
from shared.domain.incidents.incident import Incident
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.alert import Alert, AlertFact, open_alerts
from shared.domain.signals.alert_conditions import affected_functions
from shared.domain.signals.baseline import BASELINE_DURATION
from shared.domain.signals.health import RouterRequests, failing_functions, sum_requests, working_functions
from shared.domain.signals.probe_history import SLOWDOWN_SIGNAL, ProbeResult
from shared.domain.signals.probe_signals import ProbeRecord, find_slow_probes, probes_path
from shared.domain.system_record import BUDGET_PATH, Budget, System
from shared.ports.groups import Ports
from shared.state.reader import StateReader

EVIDENCE_WINDOW = timedelta(minutes=15)
"""No older requests count; a quiet function needs so long to show anything."""
FIRST_REQUESTS_WINDOW = timedelta(minutes=4)
"""The first minutes of a release, from its last function on."""
RELEASE_MINUTES = 12
"""So many minutes are counted one by one, from the first function of a release on."""
MINUTE = timedelta(minutes=1)
MAX_RECORDS_READ = 2
"""The newest stable deployment, and the one to go back to where that one is the suspect."""


class CollectedFacts(Struct, frozen=True):
    """The facts of one decision, and what its commit is conditional on."""

    facts: DecisionFacts
    alerts: tuple[Alert, ...]
    budget: Document
    working: frozenset[str] = frozenset()
    """Functions that checks of other open incidents have observed to work; no later one to fail."""

    def find_unproven(self, policy: Policy, now: datetime) -> set[str]:
        """Return the functions whose counts may tell of an earlier revision that worked.

        They were released within `EVIDENCE_WINDOW`, and the first requests of the newest release do
        not show that they work.
        """
        released = _find_releases(self.facts.inventory or {}, now - EVIDENCE_WINDOW).keys()
        return released - working_functions(self.facts.first_requests or {}, policy.gates)

    def find_failing_again(self, policy: Policy, incident: Incident) -> set[str]:
        """Return the functions of standing alerts that began after the incident's last recovery.

        Empty where it has not recovered yet.
        """
        recovered = _find_recoveries([incident])
        told = zip(self.alerts, self.facts.alerts, strict=True)
        standing = [alert for alert, fact in told if recovered and not fact.is_over]
        return affected_functions([one for one in standing if one.started_at > recovered[-1]], policy)


def collect_facts(
    ports: Ports,
    policy: Policy,
    now: datetime,
    joined: Callable[[], list[Alert]],
    rollback: str,
    target: str = "",
    *,
    writing: bool = False,
    hold: ExtendLease = skip_lease,
) -> CollectedFacts:
    """Everything that the gates ask about, each read once; what gave no answer is None.

    `joined` reads the alerts of the incident that the rollback answers; `target` is the deployment
    that a person has named; `writing` says that documents may be written, which start something.
    Raises: Unavailable, when our own store does not tell of alerts, deployments, systems, the
    budget or the pace; as `hold`.
    """
    reading = StateReader(ports.store)
    system = reading.system(policy.system)
    opened = [*filter(None, map(reading.incident, system.open_incidents))]
    others = [incident for incident in opened if rollback not in incident.rollback_ids]
    first = call_all(ports, {"alerts": joined, "inventory": ports.system(policy.system).platform.inventory})
    alerts: list[Alert] = require_answer(first["alerts"])
    inventory: Inventory = answer_or_none(first["inventory"]) or {}
    judged = [alert for alert in alerts if alert.is_open and alert.absorbed_by in ("", rollback)]
    recovered = [*_find_recoveries(opened), *filter(None, [system.previous_incident_ended_at])]
    release_times = _find_releases(inventory, now - policy.gates.suspect_window).values()
    since = _find_count_start(reading, policy, now, judged, recovered, release_times)
    calls = _build_evidence_calls(ports, policy, judged, (since, now), release_times)
    hold(CALL_TIMEOUT_SECONDS)
    answers = first | _collect_answers(ports, policy, (since, now), others, calls, writing=writing)
    deployments: list[Deployment] = require_answer(answers["deployments"])
    live = _merge_inventory(answer_or_none(answers["functions"]), answer_or_none(answers["stock"]))
    counts = counts_by_function(read_health_answers(answers).requests or {}, inventory)
    asked_back = _select_alerts_to_check(alerts, failing_functions(counts, policy.gates))
    recorded = _select_recorded_deployments(deployments, target)
    checks = _read_checks(answers)
    places = repositories(
        revision.image for function in inventory.values() for revision in function.revisions
    )
    calls = _build_follow_up_calls(ports, policy, recorded, places)
    hold(CALL_TIMEOUT_SECONDS)
    later = call_all(ports, {**calls, **build_alert_state_calls(ports, policy.system, asked_back)})
    standing, states = open_alerts(alerts), read_alert_states(later)
    facts = _facts(policy.system, answers, later, now, deployments=deployments, live=live)
    facts = replace(
        facts,
        requests=_merge_counts(policy, facts.requests, _read_counts(answers, "all requests", inventory)),
        alerts=tuple(
            alert.fact(closed=alert not in standing, still_open=states.get(alert.monitoring_id))
            for alert in judged
        ),
        other_alerts=_select_other_alerts(answers),
        probe_counts=_count_probe_answers(answers, checks, since),
        checks=checks,
        slow_probes=find_slow_probes(policy, checks, now),
        first_requests=_read_counts(answers, "first requests", inventory),
        release_minutes={
            datetime.fromisoformat(minute): counts_by_function(counts, inventory)
            for minute, counts in select_named(answers, "requests at ").items()
            if counts is not None
        },
        slowdowns=_measure_slowdowns(answers, inventory),
    )
    working = frozenset(name for incident in others for name in incident.working)
    return CollectedFacts(facts, tuple(judged), require_answer(answers["budget"]), working)


def _find_count_start(
    reading: StateReader,
    policy: Policy,
    now: datetime,
    alerts: Iterable[Alert],
    recovered: Iterable[datetime],
    release_times: Iterable[datetime],
) -> datetime:
    """Return from when on requests are counted: from the onset, and after any change or recovery.

    Cloud Monitoring opens an alert up to `METRICS_WINDOW` after what it reports has begun. Of the
    requests of that time those before a release tell nothing of it.
    """
    started = [rollback for rollback in reading.rollbacks_of(policy.system) if rollback.started_at]
    shifts = filter(None, (rollback.shifted_at or rollback.ended_at for rollback in started))
    onsets = [
        alert.started_at - (METRICS_WINDOW if alert.is_of_monitoring else timedelta()) for alert in alerts
    ]
    onset = min(onsets, default=now - METRICS_WINDOW)
    # what failed before a shift, or before a recovery, may work since
    since = max([now - EVIDENCE_WINDOW, onset, *shifts, *recovered])
    return min((time for time in release_times if time > since), default=since)


def _find_releases(inventory: Inventory, since: datetime) -> dict[str, datetime]:
    """Return when the newest revision that serves was made, by function, if it was since then."""
    made = [
        (revision.created_at, name)
        for name, function in inventory.items()
        for revision in function.revisions
        if revision.created_at > since and revision.name in live_shares(function)
    ]
    return {name: at for at, name in sorted(made)}


def _collect_answers(
    ports: Ports,
    policy: Policy,
    window: tuple[datetime, datetime],
    others: Iterable[Incident],
    calls: Calls,
    *,
    writing: bool,
) -> dict[str, Any]:
    store, protected, reading = ports.store, ports.system(policy.system), StateReader(ports.store)
    triggers = {"triggers": protected.resources.triggers.list_triggers} if writing else {}
    (since, now), recent = window, window[1] - METRICS_WINDOW
    return call_all(
        ports,
        {
            "controls": reading.controls,
            "budget": partial(store.get, BUDGET_PATH),
            "pace": partial(reading.pace, policy.system),
            "systems": partial(store.query, Query("systems")),
            "deployments": partial(reading.every_deployment, policy.system),
            "functions": protected.platform.functions,
            "stock": partial(store.get, stocks.inventory_path(policy.system)),
            "damage": partial(reading.integrity, policy.system),
            "probe record": partial(store.get, probes_path(policy.system)),
            **{f"alerts of {incident.id}": partial(reading.alerts, incident.id) for incident in others},
            **triggers,
            **calls,
            **build_health_calls(ports, protected.metrics, policy.probes, max(since, recent), now),
        },
    )


def _build_evidence_calls(
    ports: Ports,
    policy: Policy,
    alerts: Iterable[Alert],
    window: tuple[datetime, datetime],
    release_times: Collection[datetime],
) -> Calls:
    """Return the calls that count a release's first requests, and measure slowness."""
    metrics, (since, now) = ports.system(policy.system).metrics, window
    calls: dict[str, Call] = {"all requests": partial(metrics.requests, since, now)}
    if release_times:
        newest = max(release_times)
        end = min(newest + FIRST_REQUESTS_WINDOW, now)
        calls["first requests"] = partial(metrics.requests, newest, end)
        minute = min(time for time in release_times if time > newest - EVIDENCE_WINDOW)
        minute = minute.replace(second=0, microsecond=0)
        for start in (minute + age * MINUTE for age in range(RELEASE_MINUTES)):
            if start < end:
                calls[f"requests at {start.isoformat()}"] = partial(metrics.requests, start, start + MINUTE)
    if any(alert.signal == SLOWDOWN_SIGNAL for alert in alerts):
        calls["latencies"] = partial(metrics.latencies, max(since, now - METRICS_WINDOW), now)
        calls["usual latencies"] = partial(metrics.latencies, since - BASELINE_DURATION, since)
    return calls


def _merge_counts(
    policy: Policy, recent: Mapping[str, RouterRequests] | None, whole: Mapping[str, RouterRequests] | None
) -> Mapping[str, RouterRequests] | None:
    """Return the recent requests of each function; of a quiet one, all since the onset.

    What a person has changed meanwhile shows in recent requests alone.
    """
    if recent is None or whole is None:
        return recent
    enough = policy.gates.minimum_requests
    busy = {name: count for name, count in recent.items() if count.total >= enough}
    return {**whole, **busy}


def _read_counts(
    answers: Mapping[str, Any], name: str, inventory: Inventory
) -> dict[str, RouterRequests] | None:
    counts = answer_or_none(answers.get(name))
    return None if counts is None else counts_by_function(counts, inventory)


def _select_other_alerts(answers: Mapping[str, Any]) -> tuple[AlertFact, ...]:
    """Return the open alerts of the other open incidents."""
    lists = (alerts for alerts in select_named(answers, "alerts of ").values() if alerts is not None)
    return tuple(alert.fact(closed=False) for alerts in lists for alert in open_alerts(alerts))


def _count_probe_answers(
    answers: Mapping[str, Any], checks: Mapping[str, tuple[ProbeResult, ...]], since: datetime
) -> dict[str, RouterRequests]:
    """Return the answers of each probe since a time, by the stored record and by this decision."""
    counts = {name: [answer.count] for name, answer in read_health_answers(answers).probes.items()}
    for probe, results in checks.items():
        counts.setdefault(probe, []).extend(result.count for result in results if result.at >= since)
    return {probe: sum_requests(several) for probe, several in counts.items()}


def _read_checks(answers: Mapping[str, Any]) -> Mapping[str, tuple[ProbeResult, ...]]:
    """Return the stored checks of each probe, oldest first; none if they cannot be read."""
    document = answer_or_none(answers["probe record"])
    return {} if document is None or document.fields is None else document.decode(ProbeRecord).looks


def _measure_slowdowns(answers: Mapping[str, Any], inventory: Inventory) -> dict[str, float]:
    """Return by how much functions take longer than in the hour before, as ratios."""
    seconds = answer_or_none(answers.get("latencies")) or {}
    usual = answer_or_none(answers.get("usual latencies")) or {}
    slowdowns = {name: seconds[name] / usual[name] - 1.0 for name in seconds if usual.get(name)}
    return counts_by_function(slowdowns, inventory)


def _find_recoveries(opened: Iterable[Incident]) -> list[datetime]:
    """When incidents were observed to have recovered."""
    turns = (two for one in opened for two in pairwise(one.timeline))
    return [after.at for before, after in turns if after.is_well and not before.is_well]


def _facts(
    name: str,
    answers: Mapping[str, Any],
    later: Mapping[str, Any],
    now: datetime,
    *,
    deployments: Iterable[Deployment],
    live: WholeInventory | None,
) -> DecisionFacts:
    """Build the facts; unanswered ones are None, revisions without an image not ready."""
    look, inventory = read_health_answers(answers), answer_or_none(answers["inventory"])
    if inventory is not None:
        inventory = exclude_lost_images(inventory, select_named(later, "images "))
    systems = [decode(System, one.fields) for one in require_answer(answers["systems"])]
    known = {one.name: one for one in systems}
    system = known.get(name, System(name))
    budget: Document = require_answer(answers["budget"])
    integrity: IntegrityRecord | None = answer_or_none(answers["damage"])
    triggers = answers.get("triggers")
    unreadable = inventory is None or look.requests is None
    return DecisionFacts(
        alerts=(),
        system=replace(
            system,
            suspended={one: until for one, until in system.suspended.items() if until > now},
            chosen={one: until for one, until in system.chosen.items() if until > now},
        ),
        controls=answer_or_none(answers["controls"]),
        budget=budget.find(Budget) or Budget(),
        deployments=tuple(sorted(deployments, key=lambda one: one.at, reverse=True)),
        inventory=inventory,
        requests=None if unreadable else counts_by_function(look.requests or {}, inventory or {}),
        probes=look.probes,
        other_incidents={
            one.name: one.incident_detected_at
            for one in known.values()
            if one.name != name and one.incident_detected_at and not one.incident_ended_at
        },
        seen=live,
        records=_records(select_named(later, "record ")),
        triggers=tuple(triggers) if isinstance(triggers, list) else triggers and str(triggers),
        damage=tuple(integrity.open_findings.values()) if integrity is not None else (),
        pace=require_answer(answers["pace"]),
    )


def _select_alerts_to_check(alerts: Iterable[Alert], failing: Collection[str]) -> list[str]:
    """Select the newest open alerts but those cancelled, or about a function that is failing."""
    everything = sorted(alerts, key=lambda alert: alert.started_at, reverse=True)
    cancelled = {alert.monitoring_id for alert in everything if alert.verdict == "cancelled"}
    known = (one for one in everything if one.is_open and one.is_of_monitoring)
    asked = (one for one in known if one.monitoring_id not in cancelled and one.function not in failing)
    return [one.monitoring_id for one in asked][:MAX_PARALLEL_CALLS]


def _merge_inventory(
    functions: dict[str, FunctionState] | None, stock: Document | None
) -> WholeInventory | None:
    """The functions as they are, and what is kept of them and beside them, as last looked at."""
    if functions is None:
        return None
    fields = stock.fields if stock is not None else None
    beside = stocks.decode(fields).live if fields is not None else WholeInventory()
    return carry_over_copies(replace(beside, functions=functions), beside)


def _select_recorded_deployments(deployments: Iterable[Deployment], target: str) -> list[Deployment]:
    """The newest stable deployments and the named one, as far as they have a record."""
    newest = sorted(deployments, key=lambda one: one.at, reverse=True)
    stable = [one for one in newest if one.status is DeploymentStatus.STABLE][:MAX_RECORDS_READ]
    wanted = {one.id: one for one in (*stable, *(one for one in newest if one.id == target))}
    return [one for one in wanted.values() if one.settled_at is not None]


def _build_follow_up_calls(
    ports: Ports, policy: Policy, recorded: Iterable[Deployment], places: Iterable[str]
) -> Calls:
    images = ports.system(policy.system).resources.images
    return {
        **{f"record {one.id}": partial(ports.store.get, record_path(one.system, one.id)) for one in recorded},
        **{f"images {place}": partial(images.list_images, place) for place in places},
    }


def _records(found: Mapping[str, Document | None]) -> dict[str, WholeInventory | None]:
    """Return inventories by deployment; None: no answer. Without a record: left out."""
    return {
        name: stocks.unpack_inventory(one.fields["live"]) if one is not None and one.fields else None
        for name, one in found.items()
        if one is None or one.fields is not None
    }
