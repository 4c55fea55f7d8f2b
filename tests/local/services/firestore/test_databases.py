"""Databases with settings of their own, and fields with indexes of their own, as Terraform asks."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from local.cloud import Cloud
from tests.local.support.rest import Product, product_at, running

PROJECT = "/v1/projects/shop-operations"
LEDGER = f"{PROJECT}/databases/ledger"
FIELD = f"{LEDGER}/collectionGroups/alerts/fields/expires_at"
SETTINGS = {
    "type": "FIRESTORE_NATIVE",
    "locationId": "eur3",
    "concurrencyMode": "OPTIMISTIC",
    "appEngineIntegrationMode": "DISABLED",
    "pointInTimeRecoveryEnablement": "POINT_IN_TIME_RECOVERY_ENABLED",
    "deleteProtectionState": "DELETE_PROTECTION_ENABLED",
}


firestore = product_at("firestore.googleapis.com")


def create(firestore: Product, asked: Any = SETTINGS) -> Any:
    return firestore.done("POST", f"{PROJECT}/databases?databaseId=ledger", asked)["response"]


def test_a_database_keeps_its_settings(firestore: Product) -> None:
    """It says those that were asked for, and Google's own for the others."""
    made = create(firestore)

    shown = firestore.get(LEDGER)
    assert {**shown, **SETTINGS} == shown
    assert (shown["versionRetentionPeriod"], shown["databaseEdition"]) == ("604800s", "STANDARD")
    assert shown["etag"] == made["etag"]
    refused = firestore.refused(
        "POST", f"{PROJECT}/databases?databaseId=large", {"databaseEdition": "ENTERPRISE"}
    )
    assert refused == "UNIMPLEMENTED"


def test_a_database_without_a_location(firestore: Product) -> None:
    """It is refused: nothing is assumed that cannot be changed."""
    path = f"{PROJECT}/databases?databaseId=nowhere"

    assert firestore.refused("POST", path, {"type": "FIRESTORE_NATIVE"}) == "INVALID_ARGUMENT"


def test_settings_change(firestore: Product) -> None:
    """Those of the mask alone, under the etag; the place stays."""
    made = create(firestore)
    changed = {
        **SETTINGS,
        "etag": made["etag"],
        "deleteProtectionState": "DELETE_PROTECTION_DISABLED",
        "concurrencyMode": "PESSIMISTIC",
    }
    assert firestore.refused("DELETE", LEDGER) == "FAILED_PRECONDITION"

    operation = firestore.done("PATCH", f"{LEDGER}?updateMask=deleteProtectionState", changed)

    assert operation["done"] is True
    shown = firestore.get(LEDGER)
    assert (shown["deleteProtectionState"], shown["concurrencyMode"]) == (
        "DELETE_PROTECTION_DISABLED",
        "OPTIMISTIC",
    )
    assert (
        firestore.refused("PATCH", f"{LEDGER}?updateMask=concurrencyMode", changed) == "FAILED_PRECONDITION"
    )
    assert firestore.refused("PATCH", f"{LEDGER}?updateMask=locationId", {}) == "INVALID_ARGUMENT"
    assert firestore.refused("PATCH", f"{PROJECT}/databases/none", {}) == "NOT_FOUND"
    firestore.done("DELETE", LEDGER)
    assert firestore.refused("GET", LEDGER) == "NOT_FOUND"


def test_the_past_of_a_database_with_recovery(cloud: Cloud, firestore: Product) -> None:
    """It is readable for days, that of its neighbour for an hour."""
    create(firestore)
    neighbour = f"{PROJECT}/databases/(default)"
    moment = cloud.clock.now() + timedelta(minutes=1)
    for database in (LEDGER, neighbour):
        firestore.done("PATCH", f"{database}/documents/a/b", {"fields": {"n": {"integerValue": "1"}}})
    cloud.clock.advance(timedelta(hours=30))
    for database in (LEDGER, neighbour):
        firestore.done("PATCH", f"{database}/documents/a/b", {"fields": {"n": {"integerValue": "2"}}})

    then = moment.strftime("%Y-%m-%dT%H:%M:00Z")

    assert firestore.get(f"{LEDGER}/documents/a/b?readTime={then}")["fields"]["n"]["integerValue"] == "1"
    assert firestore.refused("GET", f"{neighbour}/documents/a/b?readTime={then}") == "FAILED_PRECONDITION"


def test_the_transactions_of_a_database(firestore: Product) -> None:
    """An optimistic one lets others write what it has read, and fails itself."""
    create(firestore)
    document = f"{LEDGER}/documents/a/b"
    firestore.done("PATCH", document, {"fields": {}})
    begun = firestore.done("POST", f"{LEDGER}/documents:beginTransaction", {})["transaction"]
    firestore.done(
        "POST", f"{LEDGER}/documents:batchGet", {"documents": [document[4:]], "transaction": begun}
    )

    firestore.done("PATCH", document, {"fields": {"n": {"integerValue": "1"}}})

    writes = {"transaction": begun, "writes": [{"delete": document[4:]}]}
    assert firestore.refused("POST", f"{LEDGER}/documents:commit", writes) == "ABORTED"


def test_a_field_without_indexes_that_expires(firestore: Product) -> None:
    """One change sets both, as Terraform does; another one takes both away."""
    create(firestore)
    ancestor = firestore.get(FIELD)["indexConfig"]
    assert ancestor["usesAncestorConfig"] is True

    operation = firestore.done("PATCH", FIELD, {"indexConfig": {}, "ttlConfig": {}})

    name = FIELD.removeprefix("/v1/")
    assert operation["metadata"]["field"] == name
    assert firestore.get(FIELD) == {"name": name, "indexConfig": {}, "ttlConfig": {"state": "ACTIVE"}}
    firestore.done("PATCH", f"{FIELD}?updateMask=indexConfig,ttlConfig", {})
    assert firestore.get(FIELD) == {"name": name, "indexConfig": ancestor}


def test_a_field_with_indexes_of_its_own(firestore: Product) -> None:
    """They are ready, and the field is listed among those that have any."""
    create(firestore)
    asked = {"indexes": [{"queryScope": "COLLECTION_GROUP", "fields": [{"order": "ASCENDING"}]}]}

    firestore.done("PATCH", f"{FIELD}?updateMask=indexConfig", {"indexConfig": asked})

    shown = firestore.get(FIELD)
    [index] = shown["indexConfig"]["indexes"]
    assert (index["state"], index["fields"]) == ("READY", [{"fieldPath": "expires_at", "order": "ASCENDING"}])
    group = f"{LEDGER}/collectionGroups/-/fields"
    found = firestore.get(f"{group}?filter=indexConfig.usesAncestorConfig=false OR ttlConfig:*")
    assert found["fields"] == [shown]
    assert firestore.get(f"{group}?filter=ttlConfig:*") == {}
    assert firestore.refused("PATCH", f"{FIELD}?updateMask=name", {}) == "INVALID_ARGUMENT"


def test_settings_outlive_a_restart(tmp_path: Path) -> None:
    """Those of the database and of its fields."""
    with running(tmp_path) as cloud:
        create(Product(cloud, "firestore.googleapis.com"))
        Product(cloud, "firestore.googleapis.com").done("PATCH", FIELD, {"indexConfig": {}})

    with running(tmp_path) as cloud:
        firestore = Product(cloud, "firestore.googleapis.com")
        assert firestore.get(LEDGER)["concurrencyMode"] == "OPTIMISTIC"
        assert firestore.get(FIELD)["indexConfig"] == {}
