"""The facts of one decision, each read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from responders.rollback.joined_alerts import open_ones
from responders.support.parallel_calls import (
    AT_ONCE,
    METRICS_WINDOW,
    ObservedHealth,
    answered,
    ask_all,
    looking,
    or_none,
    reading_back,
    seen,
    select_named,
    still_open,
)
from shared.core.codec import decode
from shared.core.errors import RollbackError
from shared.core.store import Document, Query
from shared.domain.data.integrity import damage
from shared.domain.data.integrity.damage import DamageFinding, IntegrityRecord
from shared.domain.decision.facts import Facts
from shared.domain.deployments.deployment import (
    Deployment,
    DeploymentStatus,
    by_function,
    record_path,
)
from shared.domain.deployments.images import images_of, repositories, without_lost
from shared.domain.deployments.inventory import record as stocks
from shared.domain.deployments.inventory.state import FunctionState, WholeInventory
from shared.domain.deployments.source_copies import carried
from shared.domain.policy.model import Policy
from shared.domain.rollback.write_quota import PaceLeft, quota_path
from shared.domain.signals.alert import Alert, AlertFact
from shared.domain.signals.health import failing
from shared.domain.system import BUDGET, GLOBAL, Budget, Controls, System
from shared.ports.groups import Ports

RECORDS_READ = 2
"""The newest stable deployment, and the one to go back to where that one is the suspect."""


class Gathered(Struct, frozen=True):
    """The facts of one decision, and what its commit is conditional on."""

    facts: Facts
    alerts: tuple[Alert, ...]
    budget: Document


def gather(
    ports: Ports,
    policy: Policy,
    now: datetime,
    joined: Callable[[], list[Alert]],
    rollback: str,
    target: str = "",
    *,
    writing: bool = False,
) -> Gathered:
    """Everything that the gates ask about, each read once; what gave no answer is None.

    `joined` reads the alerts of the incident that the rollback answers; `target` is the deployment
    that a person has named; `writing` says that documents may be written, which start something.
    Raises: Unavailable, when our own store does not tell of alerts, deployments, systems, the
    budget or the pace.
    """
    answers = _asked(ports, policy, now, joined, writing=writing)
    alerts: list[Alert] = answered(answers["alerts"])
    deployments = _all(Deployment, answered(answers["deployments"]))
    judged = [alert for alert in alerts if alert.is_open and alert.absorbed_by in ("", rollback)]
    live = _seen(or_none(answers["functions"]), or_none(answers["stock"]))
    asked_back = [] if _is_seen(seen(answers), policy) else _to_read_back(alerts)
    later = ask_all(
        ports,
        {
            **_calls_later(ports, policy, _recorded(deployments, target), live),
            **reading_back(ports, policy.system, asked_back),
        },
    )
    standing, states = open_ones(alerts), still_open(later)
    facts = _facts(
        policy.system,
        answers,
        later,
        now,
        alerts=tuple(
            alert.fact(closed=alert not in standing, still_open=states.get(alert.monitoring_id))
            for alert in judged
        ),
        deployments=deployments,
        live=live,
    )
    return Gathered(facts, tuple(judged), answered(answers["budget"]))


def _asked(
    ports: Ports,
    policy: Policy,
    now: datetime,
    joined: Callable[[], list[Alert]],
    *,
    writing: bool,
) -> dict[str, Any]:
    """What our own store, the platform, the routers and the probes say, or why they do not."""
    store, platform = ports.store, ports.system(policy.system).platform
    triggers = {"triggers": ports.system(policy.system).resources.triggers.every} if writing else {}
    ours = (("system", "==", policy.system),)
    return ask_all(
        ports,
        {
            "alerts": joined,
            "controls": partial(store.get, GLOBAL),
            "budget": partial(store.get, BUDGET),
            "pace": partial(store.get, quota_path(policy.system)),
            "systems": partial(store.query, Query("systems")),
            "deployments": partial(store.query, Query("deployments", where=ours)),
            "inventory": platform.inventory,
            "functions": platform.functions,
            "stock": partial(store.get, stocks.inventory_path(policy.system)),
            "damage": partial(store.get, damage.damage_path(policy.system)),
            **triggers,
            **looking(
                ports, ports.system(policy.system).metrics, policy.probes, now - METRICS_WINDOW, now
            ),
        },
    )


def _facts(
    name: str,
    answers: Mapping[str, Any],
    later: Mapping[str, Any],
    now: datetime,
    *,
    alerts: tuple[AlertFact, ...],
    deployments: Iterable[Deployment],
    live: WholeInventory | None,
) -> Facts:
    """What the answers say of the system of that name; what was not answered is None.

    A revision whose image is known to be gone is none that one can go back to.
    """
    look, inventory = seen(answers), or_none(answers["inventory"])
    if inventory is not None:
        inventory = without_lost(inventory, select_named(later, "images "))
    known = {one.name: one for one in _all(System, answered(answers["systems"]))}
    triggers = answers.get("triggers")
    unreadable = inventory is None or look.requests is None
    return Facts(
        alerts=alerts,
        system=_with_what_is_theirs(known.get(name, System(name)), now),
        controls=_switch(answers["controls"]),
        budget=_value(Budget, answered(answers["budget"])),
        deployments=tuple(sorted(deployments, key=lambda one: one.at, reverse=True)),
        inventory=inventory,
        requests=None if unreadable else by_function(look.requests or {}, inventory or {}),
        probes=look.probes,
        other_incidents={
            one.name: one.incident_detected_at
            for one in known.values()
            if one.name != name and one.incident_detected_at and not one.incident_ended_at
        },
        seen=live,
        records=_records(select_named(later, "record ")),
        triggers=tuple(triggers) if isinstance(triggers, list) else triggers,
        damage=_damage(or_none(answers["damage"])),
        pace=_pace(answered(answers["pace"])),
    )


def _pace(kept: Document) -> PaceLeft | None:
    return decode(PaceLeft, kept.fields) if kept.fields is not None else None


def _damage(record: Document | None) -> tuple[DamageFinding, ...]:
    """What was found of the data and is not over; nothing where that could not be read."""
    fields = record.fields if record is not None else None
    return tuple(decode(IntegrityRecord, fields).open.values()) if fields is not None else ()


def _is_seen(look: ObservedHealth, policy: Policy) -> bool:
    """Whether routers or probes see the trouble: then nobody else need be asked."""
    external = {probe.name for probe in policy.probes if probe.external}
    passed = (answer.passed for name, answer in look.probes.items() if name not in external)
    return bool(failing(look.requests or {}, policy.gates)) or not all(passed)


def _to_read_back(alerts: Iterable[Alert]) -> list[str]:
    """The newest alerts of Cloud Monitoring, as many as are asked about at once.

    Not what it called cancelled: an edited policy closes an alert, and cures nothing.
    """
    everything = sorted(alerts, key=lambda alert: alert.started_at, reverse=True)
    cancelled = {alert.monitoring_id for alert in everything if alert.verdict == "cancelled"}
    asked = [
        alert.monitoring_id
        for alert in everything
        if alert.is_open and alert.is_of_monitoring and alert.monitoring_id not in cancelled
    ]
    return asked[:AT_ONCE]


def _seen(
    functions: dict[str, FunctionState] | None, stock: Document | None
) -> WholeInventory | None:
    """The functions as they are, and what is kept of them and beside them, as last looked at."""
    if functions is None:
        return None
    fields = stock.fields if stock is not None else None
    beside = stocks.decode(fields).live if fields is not None else WholeInventory()
    return carried(replace(beside, functions=functions), beside)


def _recorded(deployments: Iterable[Deployment], target: str) -> list[Deployment]:
    """The newest stable deployments and the named one, as far as they have a record."""
    newest = sorted(deployments, key=lambda one: one.at, reverse=True)
    stable = [one for one in newest if one.status is DeploymentStatus.STABLE][:RECORDS_READ]
    wanted = {one.id: one for one in (*stable, *(one for one in newest if one.id == target))}
    return [one for one in wanted.values() if one.settled_at is not None]


def _calls_later(
    ports: Ports, policy: Policy, recorded: Iterable[Deployment], live: WholeInventory | None
) -> dict[str, Callable[[], Any]]:
    """The calls for what was recorded of these deployments, and for the images of what is live."""
    images = ports.system(policy.system).resources.images
    places = repositories(images_of(live)) if live is not None else ()
    return {
        **{
            f"record {one.id}": partial(ports.store.get, record_path(one.system, one.id))
            for one in recorded
        },
        **{f"images {place}": partial(images.stored, place) for place in places},
    }


def _records(found: Mapping[str, Document | None]) -> dict[str, WholeInventory | None]:
    """All that was live in deployments, by their ids; None for one that gave no answer.

    One without a record is left out: nothing of it can be built again.
    """
    return {
        name: stocks.unpacked(one.fields["live"]) if one is not None and one.fields else None
        for name, one in found.items()
        if one is None or one.fields is not None
    }


def _with_what_is_theirs(system: System, now: datetime) -> System:
    """The system without what was in a person's hands, and is no more."""
    suspended = {name: until for name, until in system.suspended.items() if until > now}
    return replace(system, suspended=suspended)


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
