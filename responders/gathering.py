"""The facts of one decision, each read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from msgspec import Struct

from responders.asking import Seen, answered, ask_all, looking, or_none, seen
from responders.joined import open_ones
from shared.alert_record import Alert
from shared.deployment import Deployment, Inventory, by_function
from shared.documents import decode
from shared.errors import RollbackError
from shared.facts import Facts
from shared.health import failing
from shared.policy import Policy
from shared.ports import Document, Ports, Query
from shared.system import BUDGET, GLOBAL, Budget, Controls, System

METRICS_WINDOW = timedelta(minutes=5)
"""Points come up to 3 minutes late; the two minutes before say something."""
READ_BACK_AT_MOST = 16
"""Alerts that Cloud Monitoring is asked about: as many as calls run beside each other."""


class Gathered(Struct, frozen=True):
    """The facts of one decision, and what its commit is conditional on."""

    facts: Facts
    alerts: tuple[Alert, ...]
    budget: Document


def gather(
    ports: Ports, policy: Policy, now: datetime, joined: Callable[[], list[Alert]], rollback: str
) -> Gathered:
    """Everything that the gates ask about, each read once; what gave no answer is None.

    `joined` reads the alerts of the incident that the rollback answers.
    Raises: Unavailable, when our own store does not tell of alerts, deployments, systems or the
    budget.
    """
    store, metrics = ports.store, ports.metrics(policy.system)
    ours = (("system", "==", policy.system),)
    answers = ask_all(
        ports,
        {
            "alerts": joined,
            "controls": lambda: store.get(GLOBAL),
            "budget": lambda: store.get(BUDGET),
            "systems": lambda: store.query(Query("systems")),
            "deployments": lambda: store.query(Query("deployments", where=ours)),
            "inventory": ports.platform(policy.system).inventory,
            **looking(ports, metrics, policy.probes, now - METRICS_WINDOW, now),
        },
    )
    alerts: list[Alert] = answered(answers["alerts"])
    mine = [alert for alert in alerts if alert.is_open and alert.absorbed_by in ("", rollback)]
    said_open = open_ones(alerts)
    inventory: Inventory | None = or_none(answers["inventory"])
    look = seen(answers)
    known = {one.name: one for one in _all(System, answered(answers["systems"]))}
    budget: Document = answered(answers["budget"])
    deployments = _all(Deployment, answered(answers["deployments"]))
    unreadable = inventory is None or look.requests is None
    states = {} if _is_seen(look, policy) else _read_back(ports, policy, alerts)
    facts = Facts(
        alerts=tuple(
            alert.fact(closed=alert not in said_open, still_open=states.get(alert.monitoring_id))
            for alert in mine
        ),
        system=known.get(policy.system, System(policy.system)),
        controls=_switch(answers["controls"]),
        budget=_value(Budget, budget),
        deployments=tuple(sorted(deployments, key=lambda one: one.at, reverse=True)),
        inventory=inventory,
        requests=None if unreadable else by_function(look.requests or {}, inventory or {}),
        probes=look.probes,
        other_incidents={
            name: other.incident_detected_at
            for name, other in known.items()
            if name != policy.system and other.incident_detected_at and not other.incident_ended_at
        },
    )
    return Gathered(facts, tuple(mine), budget)


def _is_seen(look: Seen, policy: Policy) -> bool:
    """Whether routers or probes see the trouble: then nobody else need be asked."""
    external = {probe.name for probe in policy.probes if probe.external}
    passed = (answer.passed for name, answer in look.probes.items() if name not in external)
    return bool(failing(look.requests or {}, policy.gates)) or not all(passed)


def _read_back(ports: Ports, policy: Policy, alerts: Iterable[Alert]) -> dict[str, bool]:
    """What Cloud Monitoring says of its newest alerts now, by id: whether they are open.

    Not of what it called cancelled: an edited policy closes an alert, and cures nothing. An alert
    without an answer is left out.
    """
    everything = sorted(alerts, key=lambda alert: alert.started_at, reverse=True)
    cancelled = {alert.monitoring_id for alert in everything if alert.verdict == "cancelled"}
    asked = [
        alert.monitoring_id
        for alert in everything
        if alert.is_open and alert.is_of_monitoring and alert.monitoring_id not in cancelled
    ]
    states = ports.alert_states(policy.system)
    answers = ask_all(
        ports, {name: partial(states.is_open, name) for name in asked[:READ_BACK_AT_MOST]}
    )
    return {name: said for name, said in answers.items() if isinstance(said, bool)}


def _value(kind: type[Any], document: Document) -> Any:
    """The value of a document; the empty one when there is none."""
    return decode(kind, document.fields) if document.fields is not None else kind()


def _switch(answer: Document | RollbackError) -> Controls | None:
    """The global switch; None when it could not be read, which means stop."""
    if isinstance(answer, RollbackError):
        return None
    controls: Controls = _value(Controls, answer)
    return controls


def _all(kind: type[Any], documents: Iterable[Document]) -> list[Any]:
    return [decode(kind, document.fields) for document in documents]
