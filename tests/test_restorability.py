from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.deployment import Deployment, Inventory, Live, Placement, Status
from shared.inventory import (
    Configuration,
    FunctionState,
    Generation,
    Index,
    IndexField,
    RevisionState,
    SecretUse,
    SecretVersion,
    WholeInventory,
)
from shared.restorability import restorability
from shared.traffic import Revision, Service
from tests.fakes.clock import START

PLACED = Placement("services/pay", (), {"pay-1": 100})
DEPLOYMENT = Deployment("v1", "bookshop", START, Status.STABLE, {"pay": PLACED})
BOUND = (SecretUse("KEY", "PAY", "3"), SecretUse("MAIL", "MAIL", "latest"))
REVISION = RevisionState(START, "image", Configuration(account="run@shop", secrets=BOUND))
INDEX = Index("(default)", "carts", "COLLECTION", (IndexField("at", "DESCENDING"),))
ENABLED, DISABLED = SecretVersion("ENABLED", START), SecretVersion("DISABLED", START)
SECRETS = {"PAY/3": ENABLED, "MAIL/1": DISABLED, "MAIL/2": ENABLED}
RECORD = WholeInventory(
    functions={"pay": FunctionState("pay", Generation.SECOND, revisions={"pay-1": REVISION})},
    secrets=SECRETS,
    accounts={"run@shop": ("roles/editor",)},
    indexes={INDEX.definition: INDEX},
)


def inventory(*revisions: tuple[str, bool]) -> Inventory:
    service = Service("services/pay", "etag", "pay-2", "pay-2", (), (), False, True)
    found = tuple(Revision(name, "services/pay", START, ready) for name, ready in revisions)
    return {"pay": Live("pay", service, found)}


NO_MAIL = "pay: secret MAIL/latest is gone or disabled"
NO_ROLE = "account run@shop is gone, or has no role any more"
THERE = inventory(("pay-1", True), ("pay-2", True))


@pytest.mark.parametrize(
    ("changes", "found", "faults", "unknown"),
    [
        ({}, THERE, [], []),
        ({}, inventory(("pay-1", False)), ["pay: revision pay-1 is not ready"], []),
        ({}, inventory(("pay-2", True)), ["pay: revision pay-1 is gone"], []),
        ({}, {}, ["pay is gone"], []),
        ({}, None, [], ["revisions"]),
        ({"secrets": {**SECRETS, "PAY/3": DISABLED}}, THERE, ["pay: secret PAY/3 is DISABLED"], []),
        ({"secrets": {"MAIL/2": ENABLED}}, THERE, ["pay: secret PAY/3 is gone"], []),
        ({"secrets": {**SECRETS, "MAIL/2": DISABLED}}, THERE, [NO_MAIL], []),
        ({"secrets": None}, THERE, [], ["secrets"]),
        ({"accounts": {"run@shop": ()}}, THERE, [NO_ROLE], []),
        ({"accounts": {}}, THERE, [], []),  # nothing runs as it now: nobody asked
        ({"accounts": None}, THERE, [], ["accounts"]),
        ({"indexes": {}}, THERE, [f"index {INDEX.definition} is gone"], []),
        ({"indexes": None}, THERE, [], ["indexes"]),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_of_going_back(
    changes: dict[str, Any], found: Inventory | None, faults: list[str], unknown: list[str]
) -> None:
    """Whatever it needs and is not there; what gave no answer is no fault, and is said."""
    proof = restorability(DEPLOYMENT, RECORD, replace(RECORD, **changes), found, START)

    assert list(proof.faults) == faults
    assert list(proof.unknown) == [*unknown, "images"]
    assert proof.checked_at == START


def test_secrets_that_are_not_watched() -> None:
    """What the policy does not name is not known to be gone."""
    record = replace(RECORD, secrets={})

    assert restorability(DEPLOYMENT, record, record, THERE, START + timedelta(1)).faults == ()
