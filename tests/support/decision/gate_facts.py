"""A bad release with nothing against going back from it, and what may be changed about it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from shared.domain.decision.facts import DecisionFacts
from shared.domain.decision.gate_evaluation import Decision, evaluate_incident, evaluate_request
from shared.domain.decision.rebuild_selection import change_since_stable
from shared.domain.deployments.deployment import (
    Deployment,
    DeploymentStatus,
    Inventory,
    LiveFunction,
    Placement,
)
from shared.domain.deployments.inventory.traffic import LATEST_REVISION, Revision, Service, TrafficTarget
from shared.domain.policy.scenario_names import Mode
from shared.domain.signals.alert import AlertFact
from shared.domain.signals.health import ProbeAnswer, RouterRequests
from shared.domain.system_record import Budget, Controls, Freeze, Pause, System
from tests.support.runtime.world import BOOKSHOP

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ONSET = NOW - timedelta(minutes=2)
CHANGED_AT = NOW - timedelta(minutes=10)
ILL, WELL = RouterRequests(100, 80), RouterRequests(100, 0)
PAUSE = Pause("somebody", NOW, "maintenance")


def build_live(function: str, serving: str, revisions: dict[str, tuple[datetime, bool]]) -> LiveFunction:
    name = f"projects/p/locations/l/services/{function.lower()}"
    traffic = (TrafficTarget(LATEST_REVISION, 100),)
    return LiveFunction(
        function,
        Service(name, "etag", serving, serving, traffic, traffic, False, True),
        tuple(Revision(one, name, at, ready) for one, (at, ready) in revisions.items()),
    )


def build_inventory(changed: set[str], at: datetime = CHANGED_AT, ready: bool = True) -> Inventory:
    return {
        function: build_live(
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


def build_deployment(name: str, status: DeploymentStatus, ago: timedelta, barrier: str = "") -> Deployment:
    placed = {
        function: Placement(function.lower(), (TrafficTarget("old", 100),), {"old": 100})
        for function in BOOKSHOP.functions
    }
    return Deployment(name, "bookshop", NOW - ago, status, placed, barrier=barrier)


STABLE = build_deployment("v1", DeploymentStatus.STABLE, timedelta(days=3))
ALERT = AlertFact("function_failure_rate", ONSET, NOW, NOW, None)
EVERYTHING = set(BOOKSHOP.functions)

BAD_RELEASE = DecisionFacts(
    alerts=(ALERT,),
    system=System("bookshop", mode=Mode.ACT, incident="INC", rollback="INC"),
    controls=Controls(),
    budget=Budget(),
    deployments=(STABLE,),
    inventory=build_inventory(EVERYTHING),
    requests=dict.fromkeys(BOOKSHOP.functions, ILL),
    probes={"shop": ProbeAnswer(True, 200)},
    other_incidents={},
)


def decide(facts: DecisionFacts, *, expired: bool = False, asked: bool = False, **policy: Any) -> Decision:
    deadline = NOW - timedelta(seconds=1) if expired else NOW + timedelta(minutes=1)
    return evaluate_incident(facts, replace(BOOKSHOP, **policy), deadline, NOW, "INC", asked=asked)


def change_facts(**changes: Any) -> DecisionFacts:
    return replace(BAD_RELEASE, **changes)


def change_system(**changes: Any) -> DecisionFacts:
    return change_facts(system=replace(BAD_RELEASE.system, **changes))


def change_alert(**changes: Any) -> DecisionFacts:
    return change_facts(alerts=(replace(ALERT, **changes),))


def failing_requests(*several: set[str]) -> dict[str, RouterRequests]:
    return {name: ILL for names in several for name in names}


def build_freeze(begins: timedelta, ends: timedelta) -> Freeze:
    return Freeze("somebody", NOW, "the sale", NOW + begins, NOW + ends)


MINUTE = timedelta(minutes=1)
LATE = BOOKSHOP.gates.stale_after
WINDOW = BOOKSHOP.gates.suspect_window
SECOND = timedelta(seconds=1)
QUIET = dict.fromkeys(BOOKSHOP.functions, WELL)
HALF, REST = set(sorted(EVERYTHING)[:4]), sorted(EVERYTHING)[4:]
HALF_OF_THE_REST, ONE_OF_THE_REST = set(REST[:2]), set(REST[:1])


def decide_order(given: DecisionFacts, *, override: bool = False, **gates: Any) -> Decision:
    policy = replace(BOOKSHOP, gates=replace(BOOKSHOP.gates, **gates))
    deadline = NOW + timedelta(minutes=1)
    change = change_since_stable(given, policy)
    return evaluate_request(given, policy, change, deadline, NOW, "INC", override=override)
