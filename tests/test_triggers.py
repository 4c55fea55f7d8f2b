"""Which functions a document that is written starts, by what their triggers hear of."""

from __future__ import annotations

from typing import Any

import pytest

from shared.inventory import FunctionState, Generation
from shared.triggers import started_by
from shared.versions import Scope

WRITTEN = "google.cloud.firestore.document.v1.written"
FIRST = "providers/cloud.firestore/eventTypes/document.write"
USERS = Scope("users")
ORDERS = Scope("users/ada/orders")
EVERY_ORDER = Scope("orders", everywhere=True)


def heard(scope: Scope, event: str, **filters: str) -> bool:
    """Whether a function whose trigger has these filters is started."""
    said: list[dict[str, Any]] = [{"attribute": key, "value": one} for key, one in filters.items()]
    definition = {"eventTrigger": {"eventType": event, "eventFilters": said}}
    one = FunctionState("it", Generation.SECOND, definition=definition)
    return started_by([one], "(default)", scope) == ["it"]


@pytest.mark.parametrize(
    ("scope", "document", "is_started"),
    [
        (USERS, "users/{user}", True),
        (USERS, "users/*", True),
        (USERS, "users/ada", True),
        (USERS, "{collection}/{id}", True),
        (USERS, "u*s/{id}", True),
        (USERS, "{path=**}", True),
        (USERS, "users/**", True),
        (USERS, "/users/{user}/", True),
        (USERS, "books/{book}", False),
        (USERS, "users/{user}/orders/{order}", False),
        (ORDERS, "users/{user}/orders/{order}", True),
        (ORDERS, "users/a*/orders/{order}", True),
        (ORDERS, "users/bob/orders/{order}", False),
        (ORDERS, "orders/{order}", False),
        (EVERY_ORDER, "orders/{order}", True),
        (EVERY_ORDER, "users/{user}/orders/{order}", True),
        (EVERY_ORDER, "users/{user}/{any}/{order}", True),
        (EVERY_ORDER, "users/{user}", False),
    ],
)
def test_the_documents_that_a_trigger_hears_of(
    scope: Scope, document: str, is_started: bool
) -> None:
    """What may match does, wherever a wildcard stands."""
    assert heard(scope, WRITTEN, database="(default)", document=document) is is_started


@pytest.mark.parametrize(
    ("document", "is_started"),
    [
        ("users/{user}/notes/{note}", True),
        ("users/{user}/{any}/{id}", True),
        ("{path=**}", True),
        ("users/{user}", False),
        ("users/{user}/orders/{order}", False),
    ],
)
def test_whoever_hears_of_other_collections_below_documents(
    document: str, is_started: bool
) -> None:
    """Of any but those that are gone through by themselves."""
    definition = {
        "eventTrigger": {
            "eventType": WRITTEN,
            "eventFilters": [{"attribute": "document", "value": document}],
        }
    }
    one = FunctionState("it", Generation.SECOND, definition=definition)
    found = started_by([one], "(default)", Scope("", everywhere=True), {"orders"})
    assert found == (["it"] if is_started else [])


def test_a_trigger_that_names_no_documents_hears_of_all() -> None:
    """Of its own database; of other events than a document's it hears none."""
    assert heard(USERS, WRITTEN, database="(default)")
    assert heard(USERS, f"{WRITTEN}.withAuthContext", database="(default)")
    assert not heard(USERS, WRITTEN, database="other")
    assert not heard(USERS, "google.cloud.storage.object.v1.finalized", bucket="users")


@pytest.mark.parametrize(("database", "is_started"), [("(default)", True), ("other", False)])
def test_a_trigger_of_the_first_generation(database: str, is_started: bool) -> None:
    """It is filtered by the whole name of what it hears of."""
    name = f"projects/shop/databases/{database}/documents/users/{{user}}"
    assert heard(USERS, FIRST, resource=name) is is_started
