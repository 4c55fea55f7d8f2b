"""What makes each gate answer barely so, which facts it reads, and which gates read the same.

Which facts a gate reads is found by watching it, so that a gate that comes to read another one has
its pairs at once.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any, TypeVar, cast

from msgspec import Struct, defstruct
from msgspec.structs import replace

from shared.domain.decision.facts import DecisionFacts, worst_signal
from shared.domain.decision.gates.base import Gate, GateInput, GateResult
from shared.domain.decision.gates.registry import GATES, RequestKind
from shared.domain.decision.scenario_scope import restrict_to_failing, widen_scenario
from shared.domain.decision.target_selection import change_since_target
from shared.domain.deployments.deployment import DeploymentStatus, Inventory
from shared.domain.deployments.inventory.inventory_parts import (
    Configuration,
    FunctionState,
    Generation,
    RevisionState,
    SecretUse,
    SecretVersion,
    WholeInventory,
)
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.health import RouterRequests
from shared.domain.system_record import Budget
from tests.support.decision.gate_facts import (
    BAD_RELEASE,
    CHANGED_AT,
    HALF,
    ILL,
    LATE,
    NOW,
    ONSET,
    PAUSE,
    QUIET,
    REST,
    build_deployment,
    build_freeze,
    build_inventory,
)
from tests.support.runtime.world import BOOKSHOP

S = TypeVar("S", bound=Struct)
World = tuple[DecisionFacts, Policy]
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
GONE_BACK: World = (
    replace(BAD_RELEASE, inventory=build_inventory(HALF), requests={**QUIET, **dict.fromkeys(HALF, ILL)}),
    BOOKSHOP,
)
"""Half of the functions were changed, and they alone fail: every gate lets it go back."""
NOT_PROVEN, PROVEN = RouterRequests(100, 23), RouterRequests(100, 24)
"""Counts of each changed function that together prove a failure barely not, and barely."""
REFUTING, FEW = RouterRequests(5, 1), RouterRequests(4, 1)
"""Counts that refute an alert barely, and one request too few to do so."""


class GateLevel(Struct, frozen=True):
    """What makes one gate answer so, by as little as can be; the rest of the world stays."""

    gate: str
    situation: str
    answer: GateResult
    made: Callable[[DecisionFacts], DecisionFacts] = lambda facts: facts
    policy: dict[str, Any] = {}
    """Changes of the policy's gates."""

    def __str__(self) -> str:
        return f"{self.gate}: {self.situation}"


def change_facts(**changes: Any) -> Callable[[DecisionFacts], DecisionFacts]:
    return lambda facts: replace(facts, **changes)


def change_system(**changes: Any) -> Callable[[DecisionFacts], DecisionFacts]:
    return lambda facts: replace(facts, system=replace(facts.system, **changes))


def change_alerts(**changes: Any) -> Callable[[DecisionFacts], DecisionFacts]:
    return lambda facts: replace(facts, alerts=tuple(replace(one, **changes) for one in facts.alerts))


def change_request_counts(**by_function: RouterRequests) -> Callable[[DecisionFacts], DecisionFacts]:
    """What routers count of some functions, where they can be read."""
    return lambda facts: (
        facts if facts.requests is None else replace(facts, requests={**facts.requests, **by_function})
    )


def close_alert_with_counts(requests: RouterRequests) -> Callable[[DecisionFacts], DecisionFacts]:
    return lambda facts: change_request_counts(**dict.fromkeys(HALF, requests))(
        change_alerts(closed=True)(facts)
    )


def name_function_with_counts(requests: RouterRequests) -> Callable[[DecisionFacts], DecisionFacts]:
    """The alert names a function with these requests; the other changed ones have few."""
    counts = {**dict.fromkeys(HALF, FEW), "getBook": requests}
    return lambda facts: change_request_counts(**counts)(change_alerts(function="getBook")(facts))


def step_back(began: datetime) -> Callable[[DecisionFacts], DecisionFacts]:
    """A rollback to the same target that began then; its cool-down lasts."""
    return change_system(cool_down_until=began + BOOKSHOP.gates.cool_down, cool_down_target="v1")


def change_first_requests(further_failures: int) -> Callable[[DecisionFacts], DecisionFacts]:
    """Half of the level failed in the first minutes of the release, and so many requests more."""
    first = dict.fromkeys(HALF, RouterRequests(10, 1))
    return change_facts(first_requests={**first, min(HALF): RouterRequests(10, 1 + further_failures)})


def change_revisions(name: str, functions: Any, **changes: Any) -> Callable[[DecisionFacts], DecisionFacts]:
    """A revision of these functions as it is live, where that can be read."""

    def made(facts: DecisionFacts) -> DecisionFacts:
        if facts.inventory is None:
            return facts
        found: Inventory = dict(facts.inventory)
        for function in functions:
            revisions = tuple(
                replace(one, **changes) if one.name == name else one for one in found[function].revisions
            )
            found[function] = replace(found[function], revisions=revisions)
        return replace(facts, inventory=found)

    return made


def add_barrier(facts: DecisionFacts) -> DecisionFacts:
    """A deployment between that nobody goes back past."""
    between = build_deployment("v2", DeploymentStatus.LIVE, 10 * MINUTE, "migrated")
    return replace(facts, deployments=(between, *facts.deployments))


def add_barrier_at_target(facts: DecisionFacts) -> DecisionFacts:
    known = (replace(one, barrier="migrated") if one.id == "v1" else one for one in facts.deployments)
    return replace(facts, deployments=tuple(known))


def remove_stable_deployments(facts: DecisionFacts) -> DecisionFacts:
    known = (replace(one, status=DeploymentStatus.BAD) for one in facts.deployments)
    return replace(facts, deployments=tuple(known))


def add_second_stable_deployment(ago: timedelta) -> Callable[[DecisionFacts], DecisionFacts]:
    """Another stable deployment, which places everything elsewhere."""

    def made(facts: DecisionFacts) -> DecisionFacts:
        [target] = [one for one in facts.deployments if one.id == "v1"]
        placed = {name: replace(one, revisions={"other": 100}) for name, one in target.functions.items()}
        other = replace(target, id="v0", at=target.at - ago, functions=placed, barrier="")
        return replace(facts, deployments=(*facts.deployments, other))

    return made


def add_fix(*, let_through: bool) -> Callable[[DecisionFacts], DecisionFacts]:
    """A deployment that served something else, ten minutes before the trouble."""

    def made(facts: DecisionFacts) -> DecisionFacts:
        fix = build_deployment("v2", DeploymentStatus.LIVE, NOW - ONSET + 10 * MINUTE)
        placed = {name: replace(one, revisions={"other": 100}) for name, one in fix.functions.items()}
        fix = replace(fix, functions=placed, let_through=let_through)
        newest_first = sorted((fix, *facts.deployments), key=lambda one: one.at, reverse=True)
        return replace(facts, deployments=tuple(newest_first))

    return made


def disable_secret(functions: Iterable[str]) -> Callable[[DecisionFacts], DecisionFacts]:
    """The target's record binds a secret to the first of these functions, and it is disabled."""
    name, used = min(functions), Configuration(secrets=(SecretUse("KEY", "PAY", "1"),))
    state = FunctionState(
        name, Generation.SECOND, revisions={"old": RevisionState(NOW - 72 * HOUR, "image", used)}
    )
    enabled, disabled = (SecretVersion(one, NOW - 72 * HOUR) for one in ("ENABLED", "DISABLED"))
    record = WholeInventory(functions={name: state}, secrets={"PAY/1": enabled})
    seen = WholeInventory(functions={name: state}, secrets={"PAY/1": disabled})
    return change_facts(records={"v1": record}, seen=seen)


def suspend_function(until: timedelta) -> Callable[[DecisionFacts], DecisionFacts]:
    return change_system(suspended=dict.fromkeys(HALF, NOW + until))


PASS, STOP, UNKNOWN = GateResult.PASS, GateResult.STOP, GateResult.UNKNOWN
NOT_APPLICABLE = GateResult.NOT_APPLICABLE
LEVELS = (
    GateLevel("stale", "a second too old", STOP, change_alerts(published_at=NOW - LATE - SECOND)),
    GateLevel("stale", "just in time", PASS, change_alerts(published_at=NOW - LATE)),
    GateLevel("still true", "over, and no failure is proven", STOP, close_alert_with_counts(NOT_PROVEN)),
    GateLevel("still true", "over, and a failure is proven", PASS, close_alert_with_counts(PROVEN)),
    GateLevel("still true", "the metrics are silent", UNKNOWN, change_facts(requests=None)),
    GateLevel("still true", "only the source that raised it", UNKNOWN, name_function_with_counts(FEW)),
    GateLevel("still true", "enough requests refute it", UNKNOWN, name_function_with_counts(REFUTING)),
    GateLevel("mode", "asks", STOP, change_system(mode=Mode.ASK)),
    GateLevel("mode", "observes", STOP, change_system(mode=Mode.OBSERVE)),
    GateLevel("mode", "acts", PASS, change_system(mode=Mode.ACT)),
    GateLevel(
        "mode", "marked wrong", STOP, change_system(wrong_signals={"INC-1": ("function_failure_rate",)})
    ),
    GateLevel("mode", "another marked wrong", PASS, change_system(wrong_signals={"INC-1": ("error_rate",)})),
    GateLevel("kill switch", "paused", STOP, change_system(pause=PAUSE)),
    GateLevel("kill switch", "not paused", PASS, change_system(pause=None)),
    GateLevel("kill switch", "unreadable", STOP, change_facts(controls=None)),
    GateLevel("freeze", "for a second more", STOP, change_system(freezes=(build_freeze(-MINUTE, SECOND),))),
    GateLevel("freeze", "until now", PASS, change_system(freezes=(build_freeze(-MINUTE, 0 * SECOND),))),
    GateLevel("freeze", "unreadable", STOP, change_facts(controls=None)),
    GateLevel("active rollback", "another", STOP, change_system(slot="INC-0")),
    GateLevel("active rollback", "this one", PASS, change_system(slot="INC")),
    GateLevel("budget", "three in the hour", STOP, change_facts(budget=Budget((NOW,) * 3))),
    GateLevel(
        "budget", "one of three an hour ago", PASS, change_facts(budget=Budget((NOW - HOUR, NOW, NOW)))
    ),
    GateLevel("cool-down", "for a second more", STOP, change_system(cool_down_until=NOW + SECOND)),
    GateLevel("cool-down", "until now", PASS, change_system(cool_down_until=NOW)),
    GateLevel("cool-down", "changed a second after the step", STOP, step_back(CHANGED_AT - SECOND)),
    GateLevel("cool-down", "changed before the same step back", PASS, step_back(CHANGED_AT)),
    GateLevel(
        "external cause",
        "another system within five minutes",
        STOP,
        change_facts(other_incidents={"other": ONSET - 5 * MINUTE}),
    ),
    GateLevel(
        "external cause",
        "another system a second before that",
        PASS,
        change_facts(other_incidents={"other": ONSET - 5 * MINUTE - SECOND}),
    ),
    GateLevel(
        "external cause",
        "half as many unchanged ones fail",
        STOP,
        change_request_counts(**dict.fromkeys(REST[:2], ILL)),
    ),
    GateLevel(
        "external cause",
        "fewer than half as many fail",
        PASS,
        change_request_counts(**dict.fromkeys(REST[:1], ILL)),
    ),
    GateLevel("external cause", "a tenth of the first requests failed", STOP, change_first_requests(0)),
    GateLevel("external cause", "more than a tenth of the first failed", PASS, change_first_requests(1)),
    GateLevel("external cause", "the metrics are silent", UNKNOWN, change_facts(requests=None)),
    GateLevel(
        "cause",
        "changed a second after the onset",
        STOP,
        change_revisions("new", HALF, created_at=ONSET + SECOND),
    ),
    GateLevel("cause", "changed at the onset", PASS, change_revisions("new", HALF, created_at=ONSET)),
    GateLevel("cause", "what is live is silent", UNKNOWN, change_facts(inventory=None)),
    GateLevel("barrier", "between", STOP, add_barrier),
    GateLevel("barrier", "at the target itself", PASS, add_barrier_at_target),
    GateLevel("target", "none is stable", STOP, remove_stable_deployments),
    GateLevel("target", "two of the same moment", STOP, add_second_stable_deployment(0 * SECOND)),
    GateLevel("target", "two, a second apart", PASS, add_second_stable_deployment(SECOND)),
    GateLevel("target", "operators let something else serve between", STOP, add_fix(let_through=True)),
    GateLevel("target", "something else was deployed between", PASS, add_fix(let_through=False)),
    GateLevel(
        "restorable",
        "a changed one is not ready",
        STOP,
        change_revisions("old", sorted(HALF)[:1], ready=False),
    ),
    GateLevel(
        "restorable", "an unchanged one is not ready", PASS, change_revisions("old", REST[:1], ready=False)
    ),
    GateLevel("restorable", "a secret of a changed one is disabled", STOP, disable_secret(HALF)),
    GateLevel("restorable", "a secret of an unchanged one is disabled", PASS, disable_secret(REST)),
    GateLevel("restorable", "the record is silent", UNKNOWN, change_facts(records={"v1": None})),
    GateLevel("human first", "for a second more", STOP, suspend_function(SECOND)),
    GateLevel("human first", "until now", PASS, suspend_function(0 * SECOND)),
    GateLevel("approval", "asks", STOP, policy={"approvals": (ScenarioName.FUNCTIONS,)}),
    GateLevel("approval", "another scenario asks", PASS, policy={"approvals": (ScenarioName.COMPLETE,)}),
)


def record_field_reads(value: S, into: set[str], prefix: str = "") -> S:
    """The same value, which notes the fields of it that are read."""
    kind = type(value)
    fields = {*kind.__struct_fields__}

    def noted(self: Any, name: str) -> Any:
        if name in fields:
            into.add(f"{prefix}{name}")
        return object.__getattribute__(self, name)

    noter = defstruct("Noter", [], bases=(kind,), namespace={"__getattribute__": noted}, frozen=True)
    return cast(S, noter(**{name: getattr(value, name) for name in kind.__struct_fields__}))


def record_fact_reads(facts: DecisionFacts, into: set[str]) -> DecisionFacts:
    """The facts, noting what is read of them; of the system each field by itself."""
    return record_field_reads(replace(facts, system=record_field_reads(facts.system, into, "system.")), into)


def facts_read_by_gate(gate: Gate, facts: DecisionFacts, policy: Policy) -> set[str]:
    """The facts that a gate reads in one world, those that what it is given was made of too."""
    own, of_case, of_signal, of_change = set[str](), set[str](), set[str](), set[str]()
    given = record_fact_reads(facts, of_signal)
    signal = widen_scenario(worst_signal(given, policy), given, policy)
    given = record_fact_reads(facts, of_change)
    released = change_since_target(given, policy)
    change = restrict_to_failing(released, signal.scenario, given, policy)
    case = GateInput(record_fact_reads(facts, own), policy, signal, change, NOW, "INC", released=released)
    gate(record_field_reads(case, of_case))
    found = own | (of_signal if "signal" in of_case else set())
    found |= of_change if {"change", "released"} & of_case else set()
    return found - {"system"}


def compose_levels(*levels: GateLevel) -> World:
    facts, policy = GONE_BACK
    for one in levels:
        facts = one.made(facts)
        policy = replace(policy, gates=replace(policy.gates, **one.policy))
    return facts, policy


ASKED = {name: one.gate for name, one in GATES.items() if RequestKind.ALERT in one.requests}
READS = {
    name: set[str]().union(*(facts_read_by_gate(gate, *compose_levels(one)) for one in LEVELS))
    for name, gate in ASKED.items()
}
ORDER = list(ASKED)
SHARING = [(first, second) for first, second in combinations(ORDER, 2) if READS[first] & READS[second]]
SILENT: tuple[dict[str, Any], ...] = (
    {"controls": None},
    {"inventory": None},
    {"records": {"v1": None}},
    {"requests": None},
    {"seen": None},
)
_ROWS = (
    ("still true: over, and no failure is proven", UNKNOWN, ("cause: changed at the onset",)),
    (
        "still true: over, and no failure is proven",
        PASS,
        ("external cause: a tenth of the first requests failed",),
    ),
    ("still true: the metrics are silent", UNKNOWN, ("cause: changed at the onset",)),
    (
        "still true: the metrics are silent",
        UNKNOWN,
        (
            "external cause: another system a second before that",
            "external cause: half as many unchanged ones fail",
            "external cause: fewer than half as many fail",
            "external cause: a tenth of the first requests failed",
            "external cause: more than a tenth of the first failed",
        ),
    ),
    ("kill switch: unreadable", STOP, ("freeze: until now",)),
    ("freeze: unreadable", STOP, ("kill switch: not paused",)),
    (
        "external cause: half as many unchanged ones fail",
        PASS,
        ("still true: over, and no failure is proven",),
    ),
    ("external cause: fewer than half as many fail", PASS, ("still true: over, and no failure is proven",)),
    (
        "external cause: the metrics are silent",
        UNKNOWN,
        (
            "still true: over, and no failure is proven",
            "still true: over, and a failure is proven",
            "cause: changed at the onset",
        ),
    ),
    (
        "cause: what is live is silent",
        NOT_APPLICABLE,
        (
            "external cause: another system a second before that",
            "external cause: half as many unchanged ones fail",
            "external cause: fewer than half as many fail",
            "external cause: a tenth of the first requests failed",
            "external cause: more than a tenth of the first failed",
            "external cause: the metrics are silent",
        ),
    ),
    (
        "cause: what is live is silent",
        PASS,
        (
            "barrier: between",
            "target: two of the same moment",
            "target: operators let something else serve between",
            "human first: for a second more",
        ),
    ),
    (
        "cause: what is live is silent",
        UNKNOWN,
        (
            "restorable: a changed one is not ready",
            "restorable: an unchanged one is not ready",
            "restorable: a secret of a changed one is disabled",
            "restorable: a secret of an unchanged one is disabled",
        ),
    ),
    (
        "cause: changed a second after the onset",
        PASS,
        ("external cause: a tenth of the first requests failed",),
    ),
    *(
        (situation, STOP, ("cool-down: changed before the same step back",))
        for situation in (
            "cause: changed a second after the onset",
            "cause: changed at the onset",
            "cause: what is live is silent",
            "target: none is stable",
            "human first: for a second more",
        )
    ),
    ("barrier: between", PASS, ("target: operators let something else serve between",)),
    (
        "target: none is stable",
        NOT_APPLICABLE,
        (
            "external cause: another system a second before that",
            "external cause: half as many unchanged ones fail",
            "external cause: fewer than half as many fail",
            "external cause: a tenth of the first requests failed",
            "external cause: more than a tenth of the first failed",
            "external cause: the metrics are silent",
            "cause: changed a second after the onset",
            "cause: changed at the onset",
            "restorable: a changed one is not ready",
            "restorable: an unchanged one is not ready",
            "restorable: a secret of a changed one is disabled",
            "restorable: a secret of an unchanged one is disabled",
            "restorable: the record is silent",
        ),
    ),
    ("target: none is stable", PASS, ("barrier: between", "human first: for a second more")),
    (
        "human first: for a second more",
        PASS,
        ("restorable: a changed one is not ready", "restorable: a secret of a changed one is disabled"),
    ),
)
SETTLED = {(by, of): answer for by, answer, several in _ROWS for of in several}
"""What one situation makes of the gate of another, whatever alone would have been true there."""


def changed_facts(facts: DecisionFacts) -> set[str]:
    """The facts that are not those of `GONE_BACK`; of the system each field by itself."""
    before, _ = GONE_BACK

    def differing(now: Struct, then: Struct, prefix: str = "") -> set[str]:
        fields = now.__struct_fields__
        return {f"{prefix}{one}" for one in fields if getattr(now, one) != getattr(then, one)}

    of_system = differing(facts.system, before.system, "system.")
    return of_system | differing(facts, before) - {"system"}
