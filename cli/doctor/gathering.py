"""What doctor looks at, read side by side; whatever gives no answer is an error in its place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from cli.doctor import apis, counts, measuring, monitored, rights, spoken
from cli.doctor import system as systems
from cli.doctor.facts import Facts, StoreTime
from cli.doctor.installation import DEAD_MAN
from cli.doctor.monitored import by
from cli.wired import Operations
from responders.anchoring import AT_ONCE
from responders.asking import ask_all
from responders.taking_stock import take_stock
from shared import anchor, handover, probing, topics
from shared.alert_record import Alert
from shared.audience import Channel
from shared.buckets import Seen
from shared.checks import counts_sign_ins
from shared.documents import decode
from shared.errors import RollbackError
from shared.health import Requests
from shared.installation import Run
from shared.inventory import WholeInventory
from shared.looks import HALF_MINUTE
from shared.notice import Notice, Status
from shared.policy import Policy, ScenarioName
from shared.ports import Query, Store
from shared.probing import Record
from shared.status_rendering import PAGE, folder
from shared.system import GLOBAL
from shared.wiring import Wiring

CHECKOUT = Path(__file__).parent.parent.parent
REGIONS_SECONDS = 10.0
"""For the jobs of all regions, beside each other."""
GIVEN_UP = 200
"""Notices that were given up, at most, of one channel."""
DAY = timedelta(days=1)
MARK_SIGNS = 40
"""Of a fingerprint: a label may have 63."""


def installation(ours: Operations, policies: Iterable[Policy]) -> Facts:
    """What the responders are made of, and how they work just now."""
    wiring = ours.wiring
    store, made, now = wiring.store, wiring.installation, wiring.clock.now()
    halves = [handover.tick(now - HALF_MINUTE * back) for back in (1, 2)]
    kinds = handover.COLLECTIONS
    calls: dict[str, Callable[[], Any]] = {
        "state": partial(_store_time, ours),
        "topics": made.topics,
        "subscriptions": made.subscriptions,
        "functions": made.functions,
        **{f"grants {topic}": partial(made.grants, topic) for topic in topics.ALL},
        **{
            f"bucket {bucket}": partial(made.bucket_grants, bucket) for bucket in _entrusted(wiring)
        },
        **{f"tick {half}": partial(_is_there, store, half) for half in halves},
        **{
            f"due {kind}": partial(handover.due_since, store, kind, now, ours.policies)
            for kind in kinds
        },
        **_on(wiring, apis.SIGN_IN, (wiring.identity_project, wiring.project)),
        "project grants": wiring.own_accounts.grants,
        "asked": partial(monitored.asked, wiring, wiring.project),
        "dead man": partial(_dead_man, wiring),
        "anchors": partial(_unanchored_since, store),
    }
    answers = ask_all(wiring, calls)
    asked = answers["asked"]
    return Facts(
        project=wiring.project,
        is_local=wiring.is_local,
        now=now,
        code=code_of(CHECKOUT),
        policies={one.system: one.fingerprint[:MARK_SIGNS] for one in policies},
        state=answers["state"],
        versions=versions_of(CHECKOUT / "requirements.txt"),
        topics=answers["topics"],
        subscriptions=answers["subscriptions"],
        functions=answers["functions"],
        grants=by("grants ", answers),
        project_grants=answers["project grants"],
        sign_in=by("api ", answers),
        dead_man=answers["dead man"],
        values=wiring.values_bucket,
        bucket_grants=by("bucket ", answers),
        ticks=by("tick ", answers),
        due_since=by("due ", answers),
        measured=monitored.measured(
            wiring,
            wiring.project,
            asked,
            measuring.is_own,
            *(() if wiring.is_local else (measuring.TRENDS,)),
        ),
        unanchored_since=answers["anchors"],
    )


def system(ours: Operations, policy: Policy, accounts: Mapping[str, str]) -> systems.Facts:
    """What one protected system is like just now; `accounts`: what the responders run as."""
    wiring, reading, now = ours.wiring, ours.reading, ours.wiring.clock.now()
    since = now - systems.COUNTED_WITHIN
    pushes = rights.ASKED["push"](policy)
    if counts_sign_ins(policy, ScenarioName.AUTH):
        signed_in = partial(wiring.metrics(policy.system).sign_ins, now - DAY, now)
    else:
        signed_in = partial(Requests, 0, 0)
    calls: dict[str, Callable[[], Any]] = {
        "system": partial(reading.system, policy.system),
        "controls": reading.controls,
        "deployments": partial(reading.deployments, policy.system),
        "inventory": wiring.platform(policy.system).inventory,
        "requests": partial(wiring.metrics(policy.system).requests, since, now),
        "sign-ins": signed_in,
        "looks": partial(_looks, wiring.store, policy),
        "read back": partial(_read_back, wiring, policy),
        "exports": partial(reading.backups, policy.system),
        "proofs": partial(reading.proofs, policy.system),
        "native": partial(reading.watched, policy.system),
        "assets": partial(reading.posture, policy.system),
        "granted": partial(_granted, wiring, policy),
        "writes": partial(wiring.quotas(policy.system).writes_a_minute, policy.region),
        **(_on(wiring, apis.PUSH, (policy.project, wiring.project)) if pushes else {}),
        "asked": partial(monitored.asked, wiring, policy.project),
        "integrity": partial(reading.integrity, policy.system),
        **{f"spoken {one.name}": partial(_spoken, wiring.store, one) for one in policy.channels},
        "page": partial(_page, wiring, policy),
        **{f"probe {one.name}": partial(wiring.prober.ask, one) for one in policy.probes},
    }
    rest, answers = take_stock(wiring, policy), ask_all(wiring, calls)
    return systems.Facts(
        policy=policy,
        now=now,
        system=answers["system"],
        controls=answers["controls"],
        deployments=answers["deployments"],
        inventory=answers["inventory"],
        requests=answers["requests"],
        probes=by("probe ", answers),
        looks=answers["looks"],
        accounts=accounts,
        granted=answers["granted"],
        read_back=answers["read back"],
        writes=answers["writes"],
        rest=rest,
        exports=answers["exports"],
        proofs=answers["proofs"],
        native=answers["native"],
        assets=answers["assets"],
        page=answers["page"],
        push=by("api ", answers),
        measured=monitored.measured(
            wiring, policy.project, answers["asked"], partial(measuring.is_of, policy)
        ),
        sign_ins=answers["sign-ins"],
        waiting=_waiting(wiring, policy, rest, now),
        integrity=answers["integrity"],
        spoken=by("spoken ", answers),
    )


def code_of(checkout: Path) -> str:
    """The fingerprint of what functions are made of, policies apart (terraform/source.tf)."""
    files = [
        file.relative_to(checkout).as_posix()
        for folder in ("responders", "shared")
        for file in (checkout / folder).rglob("*")
        if file.suffix in (".atom", ".css", ".html", ".js", ".json", ".md", ".py", ".txt")
    ]
    named = sorted(["main.py", "requirements.txt", *files])
    lines = [f"{name} {_sha256((checkout / name).read_bytes())}" for name in named]
    return _sha256("\n".join(lines).encode())[:MARK_SIGNS]


def versions_of(requirements: Path) -> dict[str, tuple[str, str]]:
    """Each pinned library's stated version, and the one that is installed here; "": it is not."""
    lines = requirements.read_text().splitlines()
    pinned = [line.split("==") for line in lines if line and not line.startswith("#")]
    here = {one.name.lower().replace("_", "-"): one.version for one in distributions()}
    return {name: (stated, here.get(name.lower().replace("_", "-"), "")) for name, stated in pinned}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _store_time(ours: Operations) -> StoreTime:
    clock = ours.wiring.clock
    before = clock.now()
    store = ours.wiring.store.get(GLOBAL).read_at
    return StoreTime(before, store, clock.now())


def _is_there(store: Store, path: str) -> bool:
    return store.get(path).fields is not None


def _unanchored_since(store: Store) -> datetime | None:
    """Since when a head has waited at the least; None when none does."""
    asked = Query(anchor.WAITING, where=(("waiting", "==", True),), limit=AT_ONCE)
    return min((one.version for one in store.query(asked) if one.version), default=None)


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


def _on(wiring: Wiring, service: str, projects: Iterable[str]) -> dict[str, Callable[[], bool]]:
    """Whether each of some projects has an API on."""
    return {f"api {one}": partial(wiring.apis.is_on, one, service) for one in sorted({*projects})}


def _spoken(store: Store, channel: Channel) -> spoken.Spoken:
    """What became of a channel's notices; of those that were sent, one is enough."""
    of_it = ("channel", "==", channel.name)
    sent, given_up = (
        store.query(Query("notices", (of_it, ("status", "==", status)), limit=limit))
        for status, limit in ((Status.SENT, 1), (Status.UNDELIVERABLE, GIVEN_UP))
    )
    return spoken.Spoken(bool(sent), [decode(Notice, one.fields) for one in given_up])


def _waiting(
    wiring: Wiring, policy: Policy, rest: WholeInventory, now: datetime
) -> dict[str, int] | RollbackError:
    """What waits for the functions that there are, by function."""
    counted = partial(wiring.metrics(policy.system).waiting, counts.brought(rest), now)
    found: dict[str, int] | RollbackError = ask_all(wiring, {"waiting": counted})["waiting"]
    return found


def _dead_man(wiring: Wiring) -> Run | None:
    """How the job went that keeps the switch outside quiet, whichever region it is in."""
    regions = wiring.timetable.regions()
    calls = {region: partial(wiring.timetable.runs, region) for region in regions}
    answers = ask_all(wiring, calls, REGIONS_SECONDS).values()
    found = [one[DEAD_MAN] for one in answers if isinstance(one, dict) and DEAD_MAN in one]
    errors = [one for one in answers if isinstance(one, RollbackError)]
    if not found and errors:
        raise errors[0]
    return next(iter(found), None)


def _entrusted(wiring: Wiring) -> list[str]:
    """The buckets of values and of exports that are known here."""
    rules = [policy.backups for policy in wiring.policies.values()]
    named = (wiring.values_bucket, *(one.bucket for one in rules), *(one.second for one in rules))
    return sorted({*filter(None, named)})


def _page(wiring: Wiring, policy: Policy) -> Seen | None:
    """What everybody sees of the status page; None: this shell names no bucket of pages."""
    pages = wiring.pages
    return None if pages is None else pages.seen(f"{folder(policy.system)}/{PAGE}")


def _granted(wiring: Wiring, policy: Policy) -> dict[str, tuple[str, ...]] | None:
    """The roles of each account in the application; None: on this machine nobody has any."""
    return None if wiring.is_local else wiring.estate(policy.system).accounts.roles()
