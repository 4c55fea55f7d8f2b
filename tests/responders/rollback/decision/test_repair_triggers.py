"""What documents that are written back would start: named, and asked about anew when it changes."""

import pytest
from msgspec.structs import replace

from shared.core.errors import Unavailable
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import RollbackStatus
from shared.state.reader import StateReader
from tests.support.data.corrupted_bookshop import (
    GOOD,
    MINUTE,
    SHOP,
    SPOILT,
    CorruptedShop,
    build_document_trigger,
)
from tests.support.fakes.runtime.hooks import no_hook, raise_error
from tests.support.runtime.world import CHECKED


@pytest.mark.parametrize(
    ("policy", "document", "status"),
    [
        (SHOP, "orders/{id}", RollbackStatus.PARKED),
        (replace(SHOP, collections=CHECKED.collections), "orders/{id}", RollbackStatus.NOT_TAKEN),
        (replace(SHOP, collections=CHECKED.collections), "books/{id}", RollbackStatus.PARKED),
    ],
)
def test_functions_that_would_be_started(
    policy: Policy, document: str, status: RollbackStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are named; where the policy does not let them start, no document is written."""
    shop = CorruptedShop(policy)
    functions = {**shop.platform.functions(), "sendReceipt": build_document_trigger(document)}
    monkeypatch.setattr(shop.platform, "functions", lambda: functions)
    shop.order()
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is status
    if status is RollbackStatus.NOT_TAKEN:
        assert "sendReceipt: about 1 invocation, by writes to orders" in shop.newest.outcome
    elif document == "orders/{id}" and shop.newest.question is not None:
        assert "sendReceipt: about 1 invocation, by writes to orders" in str(
            shop.newest.question.plan.reported
        )


def test_a_collection_of_which_the_policy_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hears of it is started by no repair, though all that is declared may be."""
    shop = CorruptedShop()
    shop.write({"drafts/1": {"n": 1}})
    shop.advance_clock(3 * MINUTE)
    shop.write({"drafts/1": {"n": 2}})
    functions = {**shop.platform.functions(), "sendReceipt": build_document_trigger("drafts/{id}")}
    monkeypatch.setattr(shop.platform, "functions", lambda: functions)
    shop.order(select="collection:drafts", restore_point="2m")
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.NOT_TAKEN
    assert "sendReceipt: about 1 invocation, by writes to drafts" in shop.newest.outcome


def test_a_trigger_that_comes_after_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has agreed to what it starts: people are asked again, with its name."""
    shop = CorruptedShop()
    shop.order_until_parked()
    functions = {**shop.platform.functions(), "sendReceipt": build_document_trigger("orders/{id}")}
    monkeypatch.setattr(shop.platform, "functions", lambda: functions)
    shop.approve("bob")
    shop.pass_time(2 * MINUTE)

    question = shop.newest.question
    assert shop.newest.status is RollbackStatus.PARKED
    assert question is not None
    assert "sendReceipt: about 1 invocation, by writes to orders" in question.plan.reported
    assert shop.data == {**GOOD, **SPOILT}
    shop.approve("bob", "carol")
    shop.pass_time(10 * MINUTE)
    assert shop.data == GOOD


def test_functions_that_cannot_be_read_may_be_started() -> None:
    """Whom the documents would start is not known: nothing is asked, and written, until it is."""
    shop = CorruptedShop(replace(SHOP, collections=CHECKED.collections))
    shop.platform.hook = raise_error("platform.functions", Unavailable("no answer"))
    shop.order()
    shop.pass_time(8 * MINUTE)
    assert shop.newest.status is RollbackStatus.DECIDING
    assert "could not be read" in str(StateReader(shop.store).audit_entries(shop.newest.id))

    shop.platform.hook = no_hook
    shop.run_until_parked()
