from datetime import timedelta
from typing import Any

import pytest

from shared.domain.decision.facts import DecisionFacts
from shared.domain.decision.gate_evaluation import evaluate_reversal
from shared.domain.decision.gates.base import Outcome
from shared.domain.deployments.deployment import DeploymentStatus
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.system_record import Budget
from tests.support.decision.gate_facts import (
    BAD_RELEASE,
    EVERYTHING,
    MINUTE,
    NOW,
    PAUSE,
    STABLE,
    build_deployment,
    build_freeze,
    build_inventory,
    change_facts,
    change_system,
    decide_order,
)
from tests.support.runtime.world import BOOKSHOP

FROZEN = change_system(freezes=(build_freeze(-MINUTE, MINUTE),))
BARRED = change_facts(
    deployments=(build_deployment("v2", DeploymentStatus.LIVE, timedelta(minutes=10), "migrated"), STABLE)
)
ASKS = {"approvals": (ScenarioName.FUNCTIONS,)}
FOUR_EYES = {"four_eyes": (ScenarioName.FUNCTIONS,)}


@pytest.mark.parametrize(
    ("given", "gates", "ordered", "overridden", "skipped"),
    [
        (BAD_RELEASE, {}, Outcome.ROLLBACK, Outcome.ROLLBACK, []),
        (change_facts(budget=Budget((NOW,) * 3)), {}, Outcome.ROLLBACK, Outcome.ROLLBACK, ["budget"]),
        (FROZEN, {}, Outcome.HOLD, Outcome.ROLLBACK, ["freeze"]),
        (BARRED, {}, Outcome.ASK, Outcome.ROLLBACK, ["barrier"]),
        (BAD_RELEASE, ASKS, Outcome.ASK, Outcome.ROLLBACK, ["approval"]),
        (BAD_RELEASE, FOUR_EYES, Outcome.ASK, Outcome.ROLLBACK, ["approval"]),
        (FROZEN, ASKS, Outcome.HOLD, Outcome.ROLLBACK, ["freeze", "approval"]),
        (change_system(pause=PAUSE), {}, Outcome.HOLD, Outcome.HOLD, []),
        (change_facts(controls=None), {}, Outcome.HOLD, Outcome.HOLD, ["freeze"]),
        (change_system(slot="INC-0"), {}, Outcome.HOLD, Outcome.HOLD, []),
        (change_facts(deployments=()), {}, Outcome.ESCALATE, Outcome.ESCALATE, []),
        (
            change_facts(inventory=build_inventory(EVERYTHING, ready=False)),
            *({}, Outcome.ESCALATE, Outcome.ESCALATE, []),
        ),
        (change_facts(inventory=None), {}, Outcome.HOLD, Outcome.HOLD, []),
    ],
)
def test_what_an_order_and_what_an_override_may_skip(
    given: DecisionFacts, gates: dict[str, Any], ordered: Outcome, overridden: Outcome, skipped: list[str]
) -> None:
    """An override skips approval, freeze and barrier; never switch, slot or target.

    What it skips is told, and nothing else.
    """
    forced = decide_order(given, override=True, **gates)

    assert decide_order(given, **gates).outcome is ordered
    assert decide_order(given, **gates).overridden == ()
    assert forced.outcome is overridden
    assert [one.gate for one in forced.overridden] == skipped


@pytest.mark.parametrize(
    ("given", "ordered", "overridden", "skipped"),
    [
        (BAD_RELEASE, Outcome.ROLLBACK, Outcome.ROLLBACK, []),
        (FROZEN, Outcome.HOLD, Outcome.ROLLBACK, ["freeze"]),
        (change_system(pause=PAUSE), Outcome.HOLD, Outcome.HOLD, []),
        (change_facts(controls=None), Outcome.HOLD, Outcome.HOLD, ["freeze"]),
        (change_system(slot="INC-0"), Outcome.HOLD, Outcome.HOLD, []),
        (change_facts(inventory=None), Outcome.HOLD, Outcome.HOLD, []),
    ],
)
def test_what_an_order_of_data_and_what_an_override_may_skip(
    given: DecisionFacts, ordered: Outcome, overridden: Outcome, skipped: list[str]
) -> None:
    """The same freeze as any other order skips by override, and nothing beside it."""
    asked = given, BOOKSHOP, NOW + MINUTE, NOW, "INC"
    forced = evaluate_reversal(*asked, override=True)

    assert evaluate_reversal(*asked).outcome is ordered
    assert evaluate_reversal(*asked).overridden == ()
    assert forced.outcome is overridden
    assert [one.gate for one in forced.overridden] == skipped
