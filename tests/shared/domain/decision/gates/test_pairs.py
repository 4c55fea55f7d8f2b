"""Every two gates that can disagree, in every combination: which of them decides."""

from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from shared.domain.decision.facts import DecisionFacts
from shared.domain.decision.gate_evaluation import evaluate_incident
from shared.domain.decision.gates.base import Outcome
from shared.domain.deployments.deployment import DeploymentStatus
from shared.domain.policy.probes import Probe
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.health import ProbeAnswer, RouterRequests
from shared.domain.system_record import Budget, Freeze
from tests.support.decision.gate_facts import (
    ALERT,
    BAD_RELEASE,
    EVERYTHING,
    NOW,
    ONSET,
    PAUSE,
    QUIET,
    STABLE,
    build_deployment,
    build_inventory,
)
from tests.support.decision.gate_levels import ORDER
from tests.support.runtime.world import BOOKSHOP

SECOND = timedelta(seconds=1)
FEW = dict.fromkeys(EVERYTHING, RouterRequests(4, 1))
"""More fail than a rollback needs, of too few requests to prove it."""
STATUS_PAGE = Probe("status page", "https://status.example/", external=True)


class Situation(Struct, frozen=True):
    """What alone makes one gate answer something else than pass."""

    gate: str
    leads_to: Outcome
    facts: dict[str, Any] = {}
    system: dict[str, Any] = {}
    gates: dict[str, Any] = {}
    policy: dict[str, Any] = {}
    is_unknown: bool = False
    is_refuted: bool = False
    """Whether enough requests refute the alert."""
    compares: bool = False
    """Whether it is told by comparing with what is live: then that is as it is."""

    def touches(self) -> set[str]:
        """What it is made of: two that are made of the same cannot both be so."""
        compared = {"inventory"} if self.compares else set()
        return {*compared, *self.facts, *self.system, *self.gates, *self.policy}


def frozen_now() -> tuple[Freeze, ...]:
    return (Freeze("somebody", NOW, "the sale", NOW - SECOND, NOW + SECOND),)


SITUATIONS = (
    Situation("stale", Outcome.IGNORE, {"alerts": (replace(ALERT, published_at=NOW - timedelta(hours=1)),)}),
    Situation(
        "still true",
        Outcome.HOLD,
        {"requests": FEW, "alerts": (replace(ALERT, function="getBook"),)},
        is_unknown=True,
    ),
    Situation(
        "still true",
        Outcome.HOLD,
        {"requests": QUIET, "alerts": (replace(ALERT, function="getBook"),)},
        is_refuted=True,
    ),
    Situation("still true", Outcome.IGNORE, {"requests": QUIET, "alerts": (replace(ALERT, closed=True),)}),
    Situation("mode", Outcome.OBSERVE, system={"mode": Mode.OBSERVE}),
    Situation("mode", Outcome.ASK, system={"mode": Mode.ASK}),
    Situation("kill switch", Outcome.HOLD, system={"pause": PAUSE}),
    Situation("kill switch", Outcome.HOLD, {"controls": None}),
    Situation("freeze", Outcome.HOLD, system={"freezes": frozen_now()}),
    Situation("active rollback", Outcome.HOLD, system={"slot": "INC-0"}),
    Situation("budget", Outcome.ESCALATE, {"budget": Budget((NOW,) * 3)}),
    Situation("cool-down", Outcome.ESCALATE, system={"cool_down_until": NOW + SECOND}),
    Situation("external cause", Outcome.ESCALATE, {"other_incidents": {"other": ONSET}}),
    Situation(
        "external cause",
        Outcome.ESCALATE,
        {"probes": {"status page": ProbeAnswer(False, 503)}},
        policy={"probes": (STATUS_PAGE,)},
    ),
    Situation("external cause", Outcome.ASK, {"first_requests": QUIET, "requests": BAD_RELEASE.requests}),
    Situation("cause", Outcome.HOLD, {"inventory": None}, is_unknown=True),
    Situation("cause", Outcome.ESCALATE, {"inventory": build_inventory(set())}),
    Situation("cause", Outcome.ESCALATE, {"inventory": build_inventory(EVERYTHING, ONSET + SECOND)}),
    Situation(
        "barrier",
        Outcome.ASK,
        {
            "deployments": (
                build_deployment("v2", DeploymentStatus.LIVE, timedelta(minutes=10), "migrated"),
                STABLE,
            )
        },
    ),
    Situation(
        "target",
        Outcome.ESCALATE,
        {"deployments": (build_deployment("v1", DeploymentStatus.BAD, timedelta(days=3)),)},
        compares=True,
    ),
    Situation("restorable", Outcome.ESCALATE, {"inventory": build_inventory(EVERYTHING, ready=False)}),
    Situation("restorable", Outcome.HOLD, {"records": {"v1": None}}, is_unknown=True),
    Situation(
        "human first",
        Outcome.ESCALATE,
        system={"suspended": dict.fromkeys(EVERYTHING, NOW + SECOND)},
        compares=True,
    ),
    Situation("approval", Outcome.ASK, gates={"approvals": (ScenarioName.FUNCTIONS,)}),
)


def made(*situations: Situation) -> tuple[DecisionFacts, Policy]:
    facts, policy = BAD_RELEASE, BOOKSHOP
    for one in situations:
        facts = replace(facts, **one.facts, system=replace(facts.system, **one.system))
        policy = replace(policy, **one.policy, gates=replace(policy.gates, **one.gates))
    return facts, policy


def decides(first: Situation, second: Situation, *, expired: bool) -> tuple[Outcome, str]:
    """A stop before an unknown before a question; of two alike the first in order.

    What no second source confirms is a question when the time is over, or beside another one;
    before that it holds what would only be observed or escalated. What requests refute decides
    before all: it holds until the time is over, and is ignored then.
    """
    if first.is_refuted or second.is_refuted:
        return Outcome.IGNORE if expired else Outcome.HOLD, "still true"
    asks = expired or Outcome.ASK in (first.leads_to, second.leads_to)

    def outcome(one: Situation) -> Outcome:
        return Outcome.ASK if one.is_unknown and one.gate == "still true" and asks else one.leads_to

    def rank(one: Situation) -> tuple[int, int]:
        kind = 2 if outcome(one) is Outcome.ASK else 1 if one.is_unknown else 0
        return kind, ORDER.index(one.gate)

    one = min(first, second, key=rank)
    is_alone = first.gate == "still true" and first.is_unknown
    if is_alone and outcome(one) in (Outcome.OBSERVE, Outcome.ESCALATE) and not expired:
        return Outcome.HOLD, first.gate
    found = outcome(one)
    return Outcome.ESCALATE if expired and found is Outcome.HOLD else found, one.gate


@pytest.mark.parametrize("one", SITUATIONS, ids=lambda one: f"{one.gate} {one.leads_to}")
def test_each_alone(one: Situation) -> None:
    """Each situation is what it says, and nothing else is in its way."""
    facts, policy = made(one)

    decision = evaluate_incident(facts, policy, NOW + SECOND, NOW, "INC")

    assert (decision.outcome, decision.reason.partition(":")[0]) == (one.leads_to, one.gate)


PAIRS = [
    (first, second)
    for first, second in combinations(SITUATIONS, 2)
    if first.gate != second.gate and not first.touches() & second.touches()
]


@pytest.mark.parametrize("expired", [False, True])
def test_each_two_that_disagree(expired: bool) -> None:
    """A stop outranks what is unknown, that outranks a question; of two alike the first decides."""
    deadline = NOW - SECOND if expired else NOW + SECOND
    wrong = []
    for first, second in PAIRS:
        decision = evaluate_incident(*made(first, second), deadline, NOW, "INC")
        found = (decision.outcome, decision.reason.partition(":")[0])
        if found != decides(first, second, expired=expired):
            wrong.append((first.gate, second.gate, decision.outcome, decision.reason))

    assert len(PAIRS) > 100
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("field", ["requests", "inventory", "controls"])
def test_what_cannot_be_read_never_acts(field: str) -> None:
    """Beside any other situation, what is unknown leads to no rollback."""
    for one in SITUATIONS:
        facts, policy = made(one)
        unread = replace(facts, **{field: None})

        assert evaluate_incident(unread, policy, NOW + SECOND, NOW, "INC").outcome is not Outcome.ROLLBACK
