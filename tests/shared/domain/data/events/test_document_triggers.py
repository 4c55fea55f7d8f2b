"""What a document that is written starts, by what triggers hear of."""

from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.data.events.document_triggers import (
    DocumentEvent,
    DocumentListener,
    EventarcTrigger,
    find_listeners,
)
from shared.domain.deployments.inventory.inventory_parts import FunctionState, Generation
from shared.domain.policy.document_scope import Scope
from shared.domain.policy.resources import DEFAULT_DATABASE as HERE

WRITTEN = "google.cloud.firestore.document.v1.written"
FIRST = "providers/cloud.firestore/eventTypes/document.write"
AUDITED = "google.cloud.audit.log.v1.written"
BATCH = "google.firestore.v1.Firestore.BatchWrite"
USERS = Scope("users")
ORDERS = Scope("users/ada/orders")
EVERY_ORDER = Scope("orders", everywhere=True)
NAME = "projects/shop/locations/eur3/triggers/on-user"


def function(event: str, **filters: str) -> FunctionState:
    """One whose own trigger has these filters."""
    said: list[dict[str, Any]] = [{"attribute": key, "value": one} for key, one in filters.items()]
    definition = {"eventTrigger": {"eventType": event, "eventFilters": said}}
    return FunctionState("it", Generation.SECOND, definition=definition, trigger=NAME)


def workflow(**filters: str) -> EventarcTrigger:
    """One that has a trigger with these filters."""
    return EventarcTrigger(NAME, "workflow bill", filters)


def started_by(*asked: Any) -> list[str]:
    """The names of what hears."""
    return [one.name for one in find_listeners(*asked)]


def heard(scope: Scope, event: str, **filters: str) -> bool:
    """Whether what has a trigger with these filters is started, a function or not."""
    by_function = started_by([function(event, **filters)], [], HERE, scope)
    by_workflow = started_by([], [workflow(type=event, **filters)], HERE, scope)
    assert by_workflow == (["workflow bill (trigger on-user)"] if by_function else [])
    return by_function == ["it"]


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
def test_the_documents_that_a_trigger_hears_of(scope: Scope, document: str, is_started: bool) -> None:
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
def test_whoever_hears_of_other_collections_below_documents(document: str, is_started: bool) -> None:
    """Of any but those that are gone through by themselves."""
    one = function(WRITTEN, document=document)
    found = started_by([one], [], HERE, Scope("", everywhere=True), {"orders"})
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


@pytest.mark.parametrize(
    ("filters", "is_started"),
    [
        ({}, True),
        ({"methodName": BATCH, "serviceName": "firestore.googleapis.com"}, True),
        ({"resourceName": "projects/shop/databases/(default)"}, True),
        ({"resourceName": "projects/shop/databases/(default)/documents/books/1"}, True),
        ({"resourceName": "/projects/*/databases/*"}, True),
        ({"resourceName": "/projects/shop/**"}, True),
        ({"resourceName": "projects/shop/databases/other"}, False),
        ({"methodName": "google.firestore.v1.Firestore.Commit"}, False),
        ({"methodName": "google.firestore.admin.v1.FirestoreAdmin.CreateIndex"}, False),
        ({"serviceName": "storage.googleapis.com"}, False),
    ],
)
def test_a_trigger_on_the_audit_log(filters: dict[str, str], is_started: bool) -> None:
    """It hears of what a repair writes by the method that writes it, whatever the collection."""
    assert heard(USERS, AUDITED, **filters) is is_started


@pytest.mark.parametrize(
    ("filters", "is_started"),
    [
        ({"database": "**", "document": "users/{user}"}, True),
        ({"database": HERE, "document": "**"}, True),
        ({"database": HERE, "document": "users/{user}", "namespace": "tenant"}, True),
        ({"document": "users/{user}"}, True),
        ({"database": "other", "document": "users/{user}"}, False),
    ],
)
def test_filters_that_leave_something_open(filters: dict[str, str], is_started: bool) -> None:
    """What may be heard of is taken to be."""
    assert heard(USERS, WRITTEN, **filters) is is_started


def test_a_trigger_whose_type_nobody_knows() -> None:
    """It may hear of documents; a function without a trigger hears of none."""
    assert started_by([], [workflow()], HERE, USERS) == ["workflow bill (trigger on-user)"]
    assert started_by([], [workflow(type="**")], HERE, USERS) != []
    assert started_by([replace(function(WRITTEN), definition={})], [], HERE, USERS) == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (NAME, ["it"]),
        (NAME.replace("shop", "1234567890"), ["it"]),
        (NAME.replace("eur3", "nam5"), ["function it (trigger on-user)", "it"]),
        (f"{NAME}-2", ["function it (trigger on-user-2)", "it"]),
        ("odd", ["function it (trigger odd)", "it"]),
    ],
)
def test_a_function_s_own_trigger_in_the_list_of_all(name: str, told: list[str]) -> None:
    """It is named once; another one to the same function is another."""
    listed = EventarcTrigger(name, "function it", {"type": WRITTEN})
    assert started_by([function(WRITTEN)], [listed], HERE, USERS) == told
    bare = replace(function(WRITTEN), name="that", definition={}, trigger="")
    assert started_by([function(WRITTEN), bare], [listed], HERE, USERS) == told


@pytest.mark.parametrize(
    ("event", "heard"),
    [
        (WRITTEN, [*DocumentEvent]),
        (f"{WRITTEN}.withAuthContext", [*DocumentEvent]),
        (WRITTEN.replace("written", "created"), [DocumentEvent.CREATED]),
        (f"{WRITTEN}.withAuthContext".replace("written", "updated"), [DocumentEvent.UPDATED]),
        (WRITTEN.replace("written", "deleted"), [DocumentEvent.DELETED]),
        (FIRST, [*DocumentEvent]),
        (FIRST.replace("write", "create"), [DocumentEvent.CREATED]),
        (FIRST.replace("write", "update"), [DocumentEvent.UPDATED]),
        (FIRST.replace("write", "delete"), [DocumentEvent.DELETED]),
        (AUDITED, [*DocumentEvent]),
        ("**", [*DocumentEvent]),
    ],
)
def test_of_which_change_something_is_told(event: str, heard: list[DocumentEvent]) -> None:
    """By the type of its events; where that says nothing, of each."""
    assert [one for one in DocumentEvent if DocumentListener("it", event).is_notified_of(one)] == heard
