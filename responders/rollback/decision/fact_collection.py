"""The facts of one decision, each read once."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from responders.support.parallel_calls import (
    MAX_PARALLEL_CALLS,
    METRICS_WINDOW,
    answer_or_none,
    build_alert_state_calls,
    build_health_calls,
    call_all,
    read_alert_states,
    read_health_answers,
    require_answer,
    select_named,
)
from shared.core.codec import decode
from shared.core.store import Document, Query
from shared.domain.data.integrity.damage import IntegrityRecord
from shared.domain.decision.facts import DecisionFacts
from shared.domain.deployments.deployment import Deployment, DeploymentStatus, counts_by_function, record_path
from shared.domain.deployments.images import exclude_lost_images, repositories
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.deployments.inventory.inventory_parts import FunctionState, WholeInventory
from shared.domain.deployments.source_copies import carry_over_copies
from shared.domain.incidents.incident import Incident
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.alert import Alert, AlertFact, open_alerts
from shared.domain.signals.alert_conditions import affected_functions
from shared.domain.signals.health import failing_functions
from shared.domain.system_record import BUDGET_PATH, Budget, System
from shared.ports.groups import Ports
from shared.state.reader import StateReader

MAX_RECORDS_READ = 2
"""The newest stable deployment, and the one to go back to where that one is the suspect."""


class CollectedFacts(Struct, frozen=True):
    """The facts of one decision, and what its commit is conditional on."""

    facts: DecisionFacts
    alerts: tuple[Alert, ...]
    budget: Document
    working: frozenset[str] = frozenset()
    """Functions that checks of other open incidents have observed to work; no later one to fail."""

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
) -> CollectedFacts:
    """Everything that the gates ask about, each read once; what gave no answer is None.

    `joined` reads the alerts of the incident that the rollback answers; `target` is the deployment
    that a person has named; `writing` says that documents may be written, which start something.
    Raises: Unavailable, when our own store does not tell of alerts, deployments, systems, the
    budget or the pace.
    """
    reading = StateReader(ports.store)
    system = reading.system(policy.system)
    opened = [*filter(None, map(reading.incident, system.open_incidents))]
    recovered = [*_find_recoveries(opened), *filter(None, [system.previous_incident_ended_at])]
    answers = _collect_answers(ports, policy, now, joined, recovered, writing=writing)
    alerts: list[Alert] = require_answer(answers["alerts"])
    deployments: list[Deployment] = require_answer(answers["deployments"])
    judged = [alert for alert in alerts if alert.is_open and alert.absorbed_by in ("", rollback)]
    live = _merge_inventory(answer_or_none(answers["functions"]), answer_or_none(answers["stock"]))
    inventory = answer_or_none(answers["inventory"]) or {}
    counted = counts_by_function(read_health_answers(answers).requests or {}, inventory)
    asked_back = _select_alerts_to_check(alerts, failing_functions(counted, policy.gates))
    recorded = _select_recorded_deployments(deployments, target)
    places = repositories(one.image for live in inventory.values() for one in live.revisions)
    calls = _build_follow_up_calls(ports, policy, recorded, places)
    later = call_all(ports, {**calls, **build_alert_state_calls(ports, policy.system, asked_back)})
    standing, states = open_alerts(alerts), read_alert_states(later)
    found = tuple(
        alert.fact(closed=alert not in standing, still_open=states.get(alert.monitoring_id))
        for alert in judged
    )
    facts = _facts(policy.system, answers, later, now, alerts=found, deployments=deployments, live=live)
    others = (one for one in opened if rollback not in one.rollback_ids)
    working = frozenset(name for one in others for name in one.working)
    return CollectedFacts(facts, tuple(judged), require_answer(answers["budget"]), working)


def _collect_answers(
    ports: Ports,
    policy: Policy,
    now: datetime,
    joined: Callable[[], list[Alert]],
    recovered: Iterable[datetime],
    *,
    writing: bool,
) -> dict[str, Any]:
    store, platform = ports.store, ports.system(policy.system).platform
    triggers = {"triggers": ports.system(policy.system).resources.triggers.list_triggers} if writing else {}
    reading = StateReader(store)
    shifts = [one.shifted_at for one in reading.rollbacks_of(policy.system) if one.shifted_at is not None]
    # what failed before a shift, or before a recovery, may work since
    since = max([now - METRICS_WINDOW, *shifts, *recovered])
    return call_all(
        ports,
        {
            "alerts": joined,
            "controls": reading.controls,
            "budget": partial(store.get, BUDGET_PATH),
            "pace": partial(reading.pace, policy.system),
            "systems": partial(store.query, Query("systems")),
            "deployments": partial(reading.every_deployment, policy.system),
            "inventory": platform.inventory,
            "functions": platform.functions,
            "stock": partial(store.get, stocks.inventory_path(policy.system)),
            "damage": partial(reading.integrity, policy.system),
            **triggers,
            **build_health_calls(ports, ports.system(policy.system).metrics, policy.probes, since, now),
        },
    )


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
    alerts: tuple[AlertFact, ...],
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
        alerts=alerts,
        system=replace(
            system,
            suspended={one: until for one, until in system.suspended.items() if until > now},
            chosen={one: until for one, until in system.chosen.items() if until > now},
        ),
        controls=answer_or_none(answers["controls"]),
        budget=decode(Budget, budget.fields) if budget.fields is not None else Budget(),
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
        triggers=tuple(triggers) if isinstance(triggers, list) else triggers,
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
) -> dict[str, Callable[[], Any]]:
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
