"""What makes each gate answer barely so, which facts it reads, and which gates read the same.

Which facts a gate reads is found by watching it, so that a gate that comes to read another one has
its pairs at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import combinations
from typing import Any, TypeVar, cast

from msgspec import Struct, defstruct
from msgspec.structs import replace

from shared.domain.decision.facts import Facts, worst_signal
from shared.domain.decision.gates.base import Gate, GateInput, GateResult
from shared.domain.decision.gates.registry import GATES, RequestKind
from shared.domain.decision.scenario_scope import widened, within
from shared.domain.decision.target_selection import suspected
from shared.domain.deployments.deployment import DeploymentStatus, Inventory
from shared.domain.deployments.inventory.state import (
    Configuration,
    FunctionState,
    Generation,
    RevisionState,
    SecretUse,
    SecretVersion,
    WholeInventory,
)
from shared.domain.policy.model import Mode, Policy, ScenarioName
from shared.domain.signals.health import Requests
from shared.domain.system import Budget
from tests.support.decision.gate_facts import (
    BAD_RELEASE,
    HALF,
    ILL,
    LATE,
    NOW,
    ONSET,
    PAUSE,
    QUIET,
    REST,
    deployment,
    inventory,
    window,
)
from tests.support.runtime.world import BOOKSHOP

S = TypeVar("S", bound=Struct)
World = tuple[Facts, Policy]
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
GONE_BACK: World = (
    replace(BAD_RELEASE, inventory=inventory(HALF), requests={**QUIET, **dict.fromkeys(HALF, ILL)}),
    replace(BOOKSHOP, gates=replace(BOOKSHOP.gates, blast_radius=len(HALF))),
)
"""Half of the functions were changed, and they alone fail: every gate lets it go back."""
WELL_ENOUGH, ILL_ENOUGH = Requests(100, 10), Requests(100, 11)


class Level(Struct, frozen=True):
    """What makes one gate answer so, by as little as can be; the rest of the world stays."""

    gate: str
    situation: str
    answer: GateResult
    made: Callable[[Facts], Facts] = lambda facts: facts
    policy: dict[str, Any] = {}
    """Changes of the policy's gates."""

    def __str__(self) -> str:
        return f"{self.gate}: {self.situation}"


def of_facts(**changes: Any) -> Callable[[Facts], Facts]:
    return lambda facts: replace(facts, **changes)


def of_system(**changes: Any) -> Callable[[Facts], Facts]:
    return lambda facts: replace(facts, system=replace(facts.system, **changes))


def of_alerts(**changes: Any) -> Callable[[Facts], Facts]:
    return lambda facts: replace(
        facts, alerts=tuple(replace(one, **changes) for one in facts.alerts)
    )


def counted(**by_function: Requests) -> Callable[[Facts], Facts]:
    """What routers count of some functions, where they can be read."""
    return lambda facts: (
        facts
        if facts.requests is None
        else replace(facts, requests={**facts.requests, **by_function})
    )


def closed_and_counted(requests: Requests) -> Callable[[Facts], Facts]:
    return lambda facts: counted(**dict.fromkeys(HALF, requests))(of_alerts(closed=True)(facts))


def of_revisions(name: str, functions: Any, **changes: Any) -> Callable[[Facts], Facts]:
    """A revision of these functions as it is live, where that can be read."""

    def made(facts: Facts) -> Facts:
        if facts.inventory is None:
            return facts
        found: Inventory = dict(facts.inventory)
        for function in functions:
            revisions = tuple(
                replace(one, **changes) if one.name == name else one
                for one in found[function].revisions
            )
            found[function] = replace(found[function], revisions=revisions)
        return replace(facts, inventory=found)

    return made


def barred(facts: Facts) -> Facts:
    """A deployment between that nobody goes back past."""
    between = deployment("v2", DeploymentStatus.LIVE, 10 * MINUTE, "migrated")
    return replace(facts, deployments=(between, *facts.deployments))


def barred_at_the_target(facts: Facts) -> Facts:
    known = (
        replace(one, barrier="migrated") if one.id == "v1" else one for one in facts.deployments
    )
    return replace(facts, deployments=tuple(known))


def never_stable(facts: Facts) -> Facts:
    known = (replace(one, status=DeploymentStatus.BAD) for one in facts.deployments)
    return replace(facts, deployments=tuple(known))


def twice_stable(ago: timedelta) -> Callable[[Facts], Facts]:
    """Another stable deployment, which places everything elsewhere."""

    def made(facts: Facts) -> Facts:
        [target] = [one for one in facts.deployments if one.id == "v1"]
        placed = {
            name: replace(one, revisions={"other": 100}) for name, one in target.functions.items()
        }
        other = replace(target, id="v0", at=target.at - ago, functions=placed, barrier="")
        return replace(facts, deployments=(*facts.deployments, other))

    return made


def without_a_secret(functions: Iterable[str]) -> Callable[[Facts], Facts]:
    """The target's record binds a secret to the first of these functions, and it is disabled."""
    name, used = min(functions), Configuration(secrets=(SecretUse("KEY", "PAY", "1"),))
    state = FunctionState(
        name, Generation.SECOND, revisions={"old": RevisionState(NOW - 72 * HOUR, "image", used)}
    )
    enabled, disabled = (SecretVersion(one, NOW - 72 * HOUR) for one in ("ENABLED", "DISABLED"))
    record = WholeInventory(functions={name: state}, secrets={"PAY/1": enabled})
    seen = WholeInventory(functions={name: state}, secrets={"PAY/1": disabled})
    return of_facts(records={"v1": record}, seen=seen)


def in_hand(until: timedelta) -> Callable[[Facts], Facts]:
    return of_system(suspended=dict.fromkeys(HALF, NOW + until))


PASS, STOP, UNKNOWN = GateResult.PASS, GateResult.STOP, GateResult.UNKNOWN
NOT_APPLICABLE = GateResult.NOT_APPLICABLE
LEVELS = (
    Level("stale", "a second too old", STOP, of_alerts(published_at=NOW - LATE - SECOND)),
    Level("stale", "just in time", PASS, of_alerts(published_at=NOW - LATE)),
    Level(
        "still true",
        "over, and a tenth of the requests fails",
        STOP,
        closed_and_counted(WELL_ENOUGH),
    ),
    Level(
        "still true", "over, and more than a tenth of them", PASS, closed_and_counted(ILL_ENOUGH)
    ),
    Level("still true", "the metrics are silent", UNKNOWN, of_facts(requests=None)),
    Level("mode", "asks", STOP, of_system(mode=Mode.ASK)),
    Level("mode", "observes", STOP, of_system(mode=Mode.OBSERVE)),
    Level("mode", "acts", PASS, of_system(mode=Mode.ACT)),
    Level("kill switch", "paused", STOP, of_system(pause=PAUSE)),
    Level("kill switch", "not paused", PASS, of_system(pause=None)),
    Level("kill switch", "unreadable", STOP, of_facts(controls=None)),
    Level("freeze", "for a second more", STOP, of_system(freezes=(window(-MINUTE, SECOND),))),
    Level("freeze", "until now", PASS, of_system(freezes=(window(-MINUTE, 0 * SECOND),))),
    Level("freeze", "unreadable", STOP, of_facts(controls=None)),
    Level("active rollback", "another", STOP, of_system(slot="INC-0")),
    Level("active rollback", "this one", PASS, of_system(slot="INC")),
    Level("budget", "three in the hour", STOP, of_facts(budget=Budget((NOW,) * 3))),
    Level(
        "budget", "one of three an hour ago", PASS, of_facts(budget=Budget((NOW - HOUR, NOW, NOW)))
    ),
    Level("cool-down", "for a second more", STOP, of_system(cool_down_until=NOW + SECOND)),
    Level("cool-down", "until now", PASS, of_system(cool_down_until=NOW)),
    Level(
        "external cause",
        "another system within five minutes",
        STOP,
        of_facts(other_incidents={"other": ONSET - 5 * MINUTE}),
    ),
    Level(
        "external cause",
        "another system a second before that",
        PASS,
        of_facts(other_incidents={"other": ONSET - 5 * MINUTE - SECOND}),
    ),
    Level(
        "external cause",
        "half as many unchanged ones fail",
        STOP,
        counted(**dict.fromkeys(REST[:2], ILL)),
    ),
    Level(
        "external cause",
        "fewer than half as many fail",
        PASS,
        counted(**dict.fromkeys(REST[:1], ILL)),
    ),
    Level("external cause", "the metrics are silent", UNKNOWN, of_facts(requests=None)),
    Level(
        "cause",
        "changed a second after the onset",
        STOP,
        of_revisions("new", HALF, created_at=ONSET + SECOND),
    ),
    Level("cause", "changed at the onset", PASS, of_revisions("new", HALF, created_at=ONSET)),
    Level("cause", "what is live is silent", UNKNOWN, of_facts(inventory=None)),
    Level("barrier", "between", STOP, barred),
    Level("barrier", "at the target itself", PASS, barred_at_the_target),
    Level("target", "none is stable", STOP, never_stable),
    Level("target", "two of the same moment", STOP, twice_stable(0 * SECOND)),
    Level("target", "two, a second apart", PASS, twice_stable(SECOND)),
    Level(
        "restorable",
        "a changed one is not ready",
        STOP,
        of_revisions("old", sorted(HALF)[:1], ready=False),
    ),
    Level(
        "restorable",
        "an unchanged one is not ready",
        PASS,
        of_revisions("old", REST[:1], ready=False),
    ),
    Level("restorable", "a secret of a changed one is disabled", STOP, without_a_secret(HALF)),
    Level("restorable", "a secret of an unchanged one is disabled", PASS, without_a_secret(REST)),
    Level("restorable", "the record is silent", UNKNOWN, of_facts(records={"v1": None})),
    Level("human first", "for a second more", STOP, in_hand(SECOND)),
    Level("human first", "until now", PASS, in_hand(0 * SECOND)),
    Level("blast radius", "one too many", STOP, policy={"blast_radius": len(HALF) - 1}),
    Level("blast radius", "as many as may be", PASS, policy={"blast_radius": len(HALF)}),
    Level("approval", "asks", STOP, policy={"approvals": (ScenarioName.FUNCTIONS,)}),
    Level(
        "approval", "another scenario asks", PASS, policy={"approvals": (ScenarioName.COMPLETE,)}
    ),
)


def case_of(facts: Facts, policy: Policy) -> GateInput:
    """As `evaluate` makes it."""
    signal = widened(worst_signal(facts, policy), facts, policy)
    change = within(suspected(facts, policy), signal.scenario, policy, facts.failing(policy))
    return GateInput(facts, policy, signal, change, NOW, "INC")


def noting(value: S, into: set[str], prefix: str = "") -> S:
    """The same value, which notes the fields of it that are read."""
    kind = type(value)
    fields = {*kind.__struct_fields__}

    def noted(self: Any, name: str) -> Any:
        if name in fields:
            into.add(f"{prefix}{name}")
        return object.__getattribute__(self, name)

    noter = defstruct(
        "Noter", [], bases=(kind,), namespace={"__getattribute__": noted}, frozen=True
    )
    return cast(S, noter(**{name: getattr(value, name) for name in kind.__struct_fields__}))


def watched(facts: Facts, into: set[str]) -> Facts:
    """The facts, noting what is read of them; of the system each field by itself."""
    return noting(replace(facts, system=noting(facts.system, into, "system.")), into)


def reads_in(gate: Gate, facts: Facts, policy: Policy) -> set[str]:
    """The facts that a gate reads in one world, those that what it is given was made of too."""
    own, of_case, of_signal, of_change = set[str](), set[str](), set[str](), set[str]()
    given = watched(facts, of_signal)
    signal = widened(worst_signal(given, policy), given, policy)
    given = watched(facts, of_change)
    change = within(suspected(given, policy), signal.scenario, policy, given.failing(policy))
    gate(noting(GateInput(watched(facts, own), policy, signal, change, NOW, "INC"), of_case))
    found = own | (of_signal if "signal" in of_case else set())
    found |= of_change if "change" in of_case else set()
    return found - {"system"}


def composed(*levels: Level) -> World:
    facts, policy = GONE_BACK
    for one in levels:
        facts = one.made(facts)
        policy = replace(policy, gates=replace(policy.gates, **one.policy))
    return facts, policy


ASKED = {name: one.gate for name, one in GATES.items() if RequestKind.ALERT in one.requests}
READS = {
    name: set[str]().union(*(reads_in(gate, *composed(one)) for one in LEVELS))
    for name, gate in ASKED.items()
}
ORDER = list(ASKED)
SHARING = [
    (first, second) for first, second in combinations(ORDER, 2) if READS[first] & READS[second]
]
SILENT: tuple[dict[str, Any], ...] = (
    {"controls": None},
    {"inventory": None},
    {"records": {"v1": None}},
    {"requests": None},
    {"seen": None},
)
_ROWS = (
    (
        "still true: over, and a tenth of the requests fails",
        UNKNOWN,
        ("cause: changed at the onset",),
    ),
    (
        "still true: over, and a tenth of the requests fails",
        STOP,
        ("external cause: fewer than half as many fail",),
    ),
    ("still true: the metrics are silent", UNKNOWN, ("cause: changed at the onset",)),
    (
        "still true: the metrics are silent",
        UNKNOWN,
        (
            "external cause: another system a second before that",
            "external cause: half as many unchanged ones fail",
            "external cause: fewer than half as many fail",
        ),
    ),
    ("kill switch: unreadable", STOP, ("freeze: until now",)),
    ("freeze: unreadable", STOP, ("kill switch: not paused",)),
    (
        "external cause: half as many unchanged ones fail",
        PASS,
        ("still true: over, and a tenth of the requests fails",),
    ),
    (
        "external cause: fewer than half as many fail",
        PASS,
        ("still true: over, and a tenth of the requests fails",),
    ),
    (
        "external cause: the metrics are silent",
        UNKNOWN,
        (
            "still true: over, and a tenth of the requests fails",
            "still true: over, and more than a tenth of them",
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
            "external cause: the metrics are silent",
        ),
    ),
    (
        "cause: what is live is silent",
        PASS,
        (
            "barrier: between",
            "target: two of the same moment",
            "human first: for a second more",
            "blast radius: one too many",
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
        "target: none is stable",
        NOT_APPLICABLE,
        (
            "external cause: another system a second before that",
            "external cause: half as many unchanged ones fail",
            "external cause: fewer than half as many fail",
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
    (
        "target: none is stable",
        PASS,
        (
            "barrier: between",
            "human first: for a second more",
            "blast radius: one too many",
        ),
    ),
    (
        "human first: for a second more",
        PASS,
        (
            "restorable: a changed one is not ready",
            "restorable: a secret of a changed one is disabled",
            "blast radius: one too many",
        ),
    ),
)
SETTLED = {(by, of): answer for by, answer, several in _ROWS for of in several}
"""What one situation makes of the gate of another, whatever alone would have been true there."""


def changed_facts(facts: Facts) -> set[str]:
    """The facts that are not those of `GONE_BACK`; of the system each field by itself."""
    before, _ = GONE_BACK

    def differing(now: Struct, then: Struct, prefix: str = "") -> set[str]:
        fields = now.__struct_fields__
        return {f"{prefix}{one}" for one in fields if getattr(now, one) != getattr(then, one)}

    of_system = differing(facts.system, before.system, "system.")
    return of_system | differing(facts, before) - {"system"}
