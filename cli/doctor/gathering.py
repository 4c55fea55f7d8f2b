"""What doctor looks at of the responders; whatever gives no answer is an error in its place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cli.doctor import apis, measuring, monitored
from cli.doctor.facts import Facts, StoreTime
from cli.doctor.installation import DEAD_MAN
from cli.doctor.monitored import by
from cli.wired import Operations
from responders.anchoring import AT_ONCE
from responders.asking import ask_all
from shared import anchor, handover, topics
from shared.errors import RollbackError
from shared.installation import Run
from shared.looks import HALF_MINUTE
from shared.policy import Policy
from shared.ports import Query, Store
from shared.system import GLOBAL
from shared.wiring import Wiring

CHECKOUT = Path(__file__).parent.parent.parent
REGIONS_SECONDS = 10.0
"""For the jobs of all regions, beside each other."""
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
            f"due {kind}": partial(
                handover.due_since, store, kind, now, handover.concerned(kind, ours.policies)
            )
            for kind in kinds
        },
        **apis_on(wiring, apis.SIGN_IN, (wiring.identity_project, wiring.project)),
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
    """Return by library the version that the lock states for this machine, and the installed one.

    The installed version of a library that is not installed is "".
    """
    lines = requirements.read_text().splitlines()
    locked = [Requirement(line.rstrip("\\")) for line in lines if line[:1].isalnum()]
    here = {canonicalize_name(one.name): one.version for one in distributions()}
    return {
        one.name: (str(one.specifier).removeprefix("=="), here.get(canonicalize_name(one.name), ""))
        for one in locked
        if one.marker is None or one.marker.evaluate()
    }


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


def apis_on(wiring: Wiring, service: str, projects: Iterable[str]) -> dict[str, Callable[[], bool]]:
    """Whether each of some projects has an API on."""
    return {f"api {one}": partial(wiring.apis.is_on, one, service) for one in sorted({*projects})}


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
