"""What doctor looks at, read side by side; whatever gives no answer is an error in its place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from cli.doctor import system as systems
from cli.doctor.facts import Facts, StoreTime
from cli.wired import Operations
from responders.asking import ask_all
from responders.taking_stock import take_stock
from shared import handover, probing, topics
from shared.documents import decode
from shared.looks import HALF_MINUTE
from shared.policy import Policy
from shared.ports import Store
from shared.probing import Record
from shared.system import GLOBAL

CHECKOUT = Path(__file__).parent.parent.parent
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
        **{f"tick {half}": partial(_is_there, store, half) for half in halves},
        **{
            f"due {kind}": partial(handover.due_since, store, kind, now, ours.policies)
            for kind in kinds
        },
    }
    answers = ask_all(wiring, calls)
    return Facts(
        project=wiring.project,
        is_local=wiring.is_local,
        now=now,
        code=code_of(CHECKOUT),
        policies={one.system: one.fingerprint[:MARK_SIGNS] for one in policies},
        state=answers["state"],
        topics=answers["topics"],
        subscriptions=answers["subscriptions"],
        functions=answers["functions"],
        grants=_of("grants ", answers),
        ticks=_of("tick ", answers),
        due_since=_of("due ", answers),
    )


def system(ours: Operations, policy: Policy) -> systems.Facts:
    """What one protected system is like just now."""
    wiring, reading, now = ours.wiring, ours.reading, ours.wiring.clock.now()
    since = now - systems.COUNTED_WITHIN
    calls: dict[str, Callable[[], Any]] = {
        "system": partial(reading.system, policy.system),
        "controls": reading.controls,
        "deployments": partial(reading.deployments, policy.system),
        "inventory": wiring.platform(policy.system).inventory,
        "requests": partial(wiring.metrics(policy.system).requests, since, now),
        "looks": partial(_looks, wiring.store, policy),
        **{f"probe {one.name}": partial(wiring.prober.ask, one) for one in policy.probes},
    }
    answers = ask_all(wiring, calls)
    return systems.Facts(
        policy=policy,
        now=now,
        system=answers["system"],
        controls=answers["controls"],
        deployments=answers["deployments"],
        inventory=answers["inventory"],
        requests=answers["requests"],
        probes=_of("probe ", answers),
        looks=answers["looks"],
        rest=take_stock(wiring, policy),
    )


def code_of(checkout: Path) -> str:
    """The fingerprint of what functions are made of, policies apart (terraform/source.tf)."""
    files = [
        file.relative_to(checkout).as_posix()
        for folder in ("responders", "shared")
        for file in (checkout / folder).rglob("*")
        if file.suffix in (".json", ".py")
    ]
    named = sorted(["main.py", "requirements.txt", *files])
    lines = [f"{name} {_sha256((checkout / name).read_bytes())}" for name in named]
    return _sha256("\n".join(lines).encode())[:MARK_SIGNS]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _store_time(ours: Operations) -> StoreTime:
    clock = ours.wiring.clock
    before = clock.now()
    store = ours.wiring.store.get(GLOBAL).read_at
    return StoreTime(before, store, clock.now())


def _is_there(store: Store, path: str) -> bool:
    return store.get(path).fields is not None


def _looks(store: Store, policy: Policy) -> Record:
    """What is kept of the clock's looks; an empty record when there is nothing."""
    document = store.get(probing.path(policy.system))
    if document.fields is None:
        return Record(policy.system, document.read_at)
    return decode(Record, document.fields)


def _of(prefix: str, answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers whose names begin so, by what follows."""
    return {
        name.removeprefix(prefix): answer
        for name, answer in answers.items()
        if name.startswith(prefix)
    }
