"""What doctor looks at of a protected system; whatever gives no answer is an error in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from cli.doctor import apis, measuring, monitored, rights, spoken
from cli.doctor import system as systems
from cli.doctor.gathering import apis_on
from cli.doctor.monitored import by
from cli.wired import Operations
from responders.asking import ask_all
from responders.taking_stock import take_stock
from shared import probing, stand
from shared.alert_record import Alert
from shared.audience import Channel
from shared.buckets import Seen
from shared.checks import counts_sign_ins
from shared.documents import decode
from shared.health import Requests
from shared.notice import Notice, Status
from shared.policy import Policy, ScenarioName
from shared.ports import Query, Store
from shared.probing import Record
from shared.status_rendering import PAGE, folder
from shared.wiring import Wiring

GIVEN_UP = 200
"""Notices that were given up, at most, of one channel."""
DAY = timedelta(days=1)


def gather(ours: Operations, policy: Policy, accounts: Mapping[str, str]) -> systems.Facts:
    """What one protected system is like just now; `accounts`: what the responders run as."""
    wiring, now = ours.wiring, ours.wiring.clock.now()
    pushes = rights.ASKED["push"](policy)
    parts: dict[str, Callable[[], Any]] = {
        **_kept(ours, policy),
        **_live(wiring, policy, now),
        **_stand(wiring, policy),
    }
    beside: dict[str, Callable[[], Any]] = {
        **(apis_on(wiring, apis.PUSH, (policy.project, wiring.project)) if pushes else {}),
        **{f"spoken {one.name}": partial(_spoken, wiring.store, one) for one in policy.channels},
        **{f"probe {one.name}": partial(wiring.prober.ask, one) for one in policy.probes},
        "asked": partial(monitored.asked, wiring, policy.project),
    }
    rest, answers = take_stock(wiring, policy), ask_all(wiring, parts | beside)
    return systems.Facts(
        policy=policy,
        now=now,
        accounts=accounts,
        rest=rest,
        probes=by("probe ", answers),
        push=by("api ", answers),
        spoken=by("spoken ", answers),
        measured=monitored.measured(
            wiring, policy.project, answers["asked"], partial(measuring.is_of, policy)
        ),
        **{part: answers[part] for part in parts},
    )


def _kept(ours: Operations, policy: Policy) -> dict[str, Callable[[], Any]]:
    """What the responders have on record, by the name of its fact."""
    reading, system = ours.reading, policy.system
    return {
        "system": partial(reading.system, system),
        "controls": reading.controls,
        "deployments": partial(reading.deployments, system),
        "exports": partial(reading.backups, system),
        "proofs": partial(reading.proofs, system),
        "native": partial(reading.watched, system),
        "assets": partial(reading.posture, system),
        "integrity": partial(reading.integrity, system),
        "looks": partial(_looks, ours.wiring.store, policy),
    }


def _live(wiring: Wiring, policy: Policy, now: datetime) -> dict[str, Callable[[], Any]]:
    """What Google and the page say now, by the name of its fact."""
    metrics = wiring.metrics(policy.system)
    signed_in: Callable[[], Any] = partial(Requests, 0, 0)
    if counts_sign_ins(policy, ScenarioName.AUTH):
        signed_in = partial(metrics.sign_ins, now - DAY, now)
    return {
        "inventory": wiring.platform(policy.system).inventory,
        "requests": partial(metrics.requests, now - systems.COUNTED_WITHIN, now),
        "sign_ins": signed_in,
        "read_back": partial(_read_back, wiring, policy),
        "granted": partial(_granted, wiring, policy),
        "writes": partial(wiring.quotas(policy.system).writes_a_minute, policy.region),
        "page": partial(_page, wiring, policy),
        "expiries": partial(
            wiring.estate(policy.system).indexes.expiries, policy.integrity.database
        ),
        "triggers": wiring.estate(policy.system).triggers.every,
    }


def _stand(wiring: Wiring, policy: Policy) -> dict[str, Callable[[], Any]]:
    """What is on the stand, where the policy names one, by the name of its fact."""
    if not policy.deployments.starts:
        return {}
    callers = wiring.platform(policy.system).invokers
    return {
        "stand": wiring.trials(policy.system).found,
        "stand_callers": partial(callers, stand.service(policy)),
    }


def _looks(store: Store, policy: Policy) -> Record:
    """What is kept of the clock's looks; an empty record when there is nothing."""
    document = store.get(probing.path(policy.system))
    if document.fields is None:
        return Record(policy.system, document.read_at)
    return decode(Record, document.fields)


def _read_back(wiring: Wiring, policy: Policy) -> bool | None:
    """Whether the newest alert of Cloud Monitoring is open, by its own id; None: none was kept."""
    ours = (("system", "==", policy.system),)
    found = [decode(Alert, one.fields) for one in wiring.store.query(Query("alerts", where=ours))]
    told = [one for one in found if one.is_of_monitoring]
    if not told:
        return None
    newest = max(told, key=lambda one: one.received_at)
    return wiring.alert_states(policy.system).is_open(newest.monitoring_id)


def _spoken(store: Store, channel: Channel) -> spoken.Spoken:
    """What became of a channel's notices; of those that were sent, one is enough."""
    of_it = ("channel", "==", channel.name)
    sent, given_up = (
        store.query(Query("notices", (of_it, ("status", "==", status)), limit=limit))
        for status, limit in ((Status.SENT, 1), (Status.UNDELIVERABLE, GIVEN_UP))
    )
    return spoken.Spoken(bool(sent), [decode(Notice, one.fields) for one in given_up])


def _page(wiring: Wiring, policy: Policy) -> Seen | None:
    """What everybody sees of the status page; None: this shell names no bucket of pages."""
    pages = wiring.pages
    return None if pages is None else pages.seen(f"{folder(policy.system)}/{PAGE}")


def _granted(wiring: Wiring, policy: Policy) -> dict[str, tuple[str, ...]] | None:
    """The roles of each account in the application; None: on this machine nobody has any."""
    return None if wiring.is_local else wiring.estate(policy.system).accounts.roles()
