"""The facts of a decision are stored so that the decision can be evaluated again."""

import random
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.core.chunks import MAX_DOCUMENT_BYTES
from shared.domain.data.integrity.damage import CORRUPTION_SIGNAL, DamageFinding
from shared.domain.data.integrity.scan import FaultSample
from shared.domain.data.integrity.validator import IntegrityCheck
from shared.domain.decision.decision_snapshot import pack_facts, unpack_facts
from shared.domain.decision.facts import DecisionFacts
from shared.domain.decision.gate_evaluation import evaluate_incident
from shared.domain.deployments.deployment import DeploymentStatus
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from tests.support.decision.gate_facts import BAD_RELEASE, MINUTE, NOW, build_deployment, build_inventory
from tests.support.decision.gate_levels import LEVELS, GateLevel, compose_levels

DAY = timedelta(days=1)


@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_stored_facts_lead_to_the_same_decision(level: GateLevel) -> None:
    """Whatever a gate answers, it answers the same by the stored facts, reason included."""
    facts, policy = compose_levels(level)

    again = unpack_facts(pack_facts(facts))

    assert again == facts
    decisions = [evaluate_incident(one, policy, NOW + MINUTE, NOW, "INC") for one in (facts, again)]
    assert decisions[0] == decisions[1]


def test_paths_of_documents_are_not_stored() -> None:
    """A path may name a person; no gate reads it."""
    sample = FaultSample("customers/ada@example.com", IntegrityCheck.SCHEMA, "no name", NOW)
    finding = DamageFinding(
        CORRUPTION_SIGNAL, NOW, NOW, "looked back", "1 of 3", ("customers",), (sample,), ()
    )

    again = unpack_facts(pack_facts(replace(BAD_RELEASE, damage=(finding,))))

    assert again.damage == (replace(finding, samples=()),)


def _multiply(functions: dict[str, Any], times: int) -> dict[str, Any]:
    return {f"{name}{number}": one for number in range(times) for name, one in functions.items()}


def build_large_facts(times: int) -> DecisionFacts:
    """Eight functions so many times, 30 deployments and three inventories of them."""
    deployments = []
    for number in range(30):
        one = build_deployment(f"v{number}", DeploymentStatus.STABLE, (number + 1) * DAY)
        deployments.append(replace(one, functions=_multiply(one.functions, times)))
    return replace(
        BAD_RELEASE,
        deployments=tuple(deployments),
        inventory=_multiply(build_inventory({"getBook"}), times),
        seen=WholeInventory(),
    )


def test_the_facts_of_ten_thousand_functions_fit_a_document_or_are_left_out() -> None:
    """A decision is committed however many functions there are."""
    packed = pack_facts(build_large_facts(1250))

    assert len(packed) < MAX_DOCUMENT_BYTES
    assert packed == b"" or unpack_facts(packed).inventory


def test_facts_that_are_too_large_are_left_out() -> None:
    """Facts that do not compress below the size of a document are not stored at all."""
    noise = random.Random(0).randbytes(MAX_DOCUMENT_BYTES).hex()
    about = replace(build_deployment("v0", DeploymentStatus.STABLE, DAY), reason=noise)

    assert pack_facts(replace(BAD_RELEASE, deployments=(about,))) == b""
