"""A bad release with nothing against going back from it, and what may be changed about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from shared.domain.decision.facts import Facts, changed
from shared.domain.decision.gate_evaluation import Decision, evaluate, evaluate_order
from shared.domain.deployments.deployment import (
    Deployment,
    DeploymentStatus,
    Inventory,
    Live,
    Placement,
)
from shared.domain.deployments.inventory.traffic import LATEST, Revision, Service, TrafficTarget
from shared.domain.policy.model import Mode
from shared.domain.signals.alert import AlertFact
from shared.domain.signals.health import ProbeAnswer, Requests
from shared.domain.system import Budget, Controls, Freeze, Pause, System
from tests.support.runtime.world import BOOKSHOP

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ONSET = NOW - timedelta(minutes=2)
CHANGED_AT = NOW - timedelta(minutes=10)
ILL, WELL = Requests(100, 80), Requests(100, 0)
PAUSE = Pause("somebody", NOW, "maintenance")


def live(function: str, serving: str, revisions: dict[str, tuple[datetime, bool]]) -> Live:
    name = f"projects/p/locations/l/services/{function.lower()}"
    traffic = (TrafficTarget(LATEST, 100),)
    return Live(
        function,
        Service(name, "etag", serving, serving, traffic, traffic, False, True),
        tuple(Revision(one, name, at, ready) for one, (at, ready) in revisions.items()),
    )


def inventory(changed: set[str], at: datetime = CHANGED_AT, ready: bool = True) -> Inventory:
    return {
        function: live(
            function,
            "new" if function in changed else "old",
            {
                "old": (NOW - timedelta(days=3), ready),
                "other": (NOW - timedelta(days=1), True),
                "new": (at, True),
            },
        )
        for function in BOOKSHOP.functions
    }


def deployment(
    name: str, status: DeploymentStatus, ago: timedelta, barrier: str = ""
) -> Deployment:
    placed = {
        function: Placement(function.lower(), (TrafficTarget("old", 100),), {"old": 100})
        for function in BOOKSHOP.functions
    }
    return Deployment(name, "bookshop", NOW - ago, status, placed, barrier=barrier)


STABLE = deployment("v1", DeploymentStatus.STABLE, timedelta(days=3))
ALERT = AlertFact("function_failure_rate", ONSET, NOW, NOW, None)
EVERYTHING = set(BOOKSHOP.functions)

BAD_RELEASE = Facts(
    alerts=(ALERT,),
    system=System("bookshop", mode=Mode.ACT, incident="INC", rollback="INC"),
    controls=Controls(),
    budget=Budget(),
    deployments=(STABLE,),
    inventory=inventory(EVERYTHING),
    requests=dict.fromkeys(BOOKSHOP.functions, ILL),
    probes={"shop": ProbeAnswer(True, 200)},
    other_incidents={},
)


def decide(facts: Facts, *, expired: bool = False, **policy: Any) -> Decision:
    deadline = NOW - timedelta(seconds=1) if expired else NOW + timedelta(minutes=1)
    return evaluate(facts, replace(BOOKSHOP, **policy), deadline, NOW, "INC")


def facts(**changes: Any) -> Facts:
    return replace(BAD_RELEASE, **changes)


def system(**changes: Any) -> Facts:
    return facts(system=replace(BAD_RELEASE.system, **changes))


def alert(**changes: Any) -> Facts:
    return facts(alerts=(replace(ALERT, **changes),))


def ill(*several: set[str]) -> dict[str, Requests]:
    return {name: ILL for names in several for name in names}


def window(begins: timedelta, ends: timedelta) -> Freeze:
    return Freeze("somebody", NOW, "the sale", NOW + begins, NOW + ends)


MINUTE = timedelta(minutes=1)
LATE = BOOKSHOP.gates.stale_after
WINDOW = BOOKSHOP.gates.suspect_window
SECOND = timedelta(seconds=1)
QUIET = dict.fromkeys(BOOKSHOP.functions, WELL)
HALF, REST = set(sorted(EVERYTHING)[:4]), sorted(EVERYTHING)[4:]
HALF_OF_THE_REST, ONE_OF_THE_REST = set(REST[:2]), set(REST[:1])


def order(given: Facts, *, override: bool = False, **gates: Any) -> Decision:
    policy = replace(BOOKSHOP, gates=replace(BOOKSHOP.gates, **gates))
    deadline = NOW + timedelta(minutes=1)
    change = changed(given, policy)
    return evaluate_order(given, policy, change, deadline, NOW, "INC", override=override)
