"""Custom roles and service accounts as the embedded cloud plays them."""

from datetime import timedelta

import pytest

from local.cloud import Cloud
from local.services.iam.permissions import read_permissions
from local.services.iam.roles import ID_RELEASE_PERIOD, UNDELETE_PERIOD
from local.services.iam.service_accounts import HOST
from tests.local.support.rest import Product, product_at

ROLES = "/v1/projects/shop/roles"
ACCOUNTS = "/v1/projects/shop/serviceAccounts"


iam = product_at(HOST)


def make(iam: Product, role: str = "reader", *permissions: str) -> str:
    body = {"roleId": role, "role": {"title": role, "includedPermissions": [*permissions]}}
    return str(iam.done("POST", ROLES, body)["name"])


def test_a_permission_that_does_not_exist(iam: Product) -> None:
    """No custom role holds it, at its creation or after a change."""
    body = {"roleId": "odd", "role": {"includedPermissions": ["storage.objects.get", "storage.objects.fly"]}}
    refused = iam.ask("POST", ROLES, body)
    name = make(iam, "even", "storage.objects.get")

    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == "Permission storage.objects.fly is not valid."
    assert iam.refused("GET", f"{ROLES}/odd") == "NOT_FOUND"
    assert iam.refused("PATCH", f"/v1/{name}", {"includedPermissions": ["a.b.c"]}) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("permission", ["projects.list", "organizations.get", "folders.list"])
def test_a_permission_of_no_project(iam: Product, permission: str) -> None:
    """Custom roles of organizations alone hold it."""
    body = {"roleId": "odd", "role": {"includedPermissions": [f"resourcemanager.{permission}"]}}

    refused = iam.ask("POST", ROLES, body)

    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == f"Permission resourcemanager.{permission} is not valid."


@pytest.mark.parametrize("role", ["", "ab", "a-b", "a" * 65])
def test_a_role_with_a_name_against_the_rules(iam: Product, role: str) -> None:
    """From 3 to 64 letters, digits, underscores and periods."""
    assert iam.refused("POST", ROLES, {"roleId": role, "role": {"title": "x"}}) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("account", ["short", "1account", "Account", "account-", "a" * 31])
def test_an_account_with_a_name_against_the_rules(iam: Product, account: str) -> None:
    """From 6 to 30 lower-case letters, digits and hyphens."""
    assert iam.refused("POST", ACCOUNTS, {"accountId": account}) == "INVALID_ARGUMENT"


def test_a_deleted_role_can_be_restored_for_seven_days(iam: Product, cloud: Cloud) -> None:
    """Until then it is shown as deleted, cannot be changed or granted, and its id is taken."""
    name = make(iam)
    iam.done("DELETE", f"/v1/{name}")

    assert iam.get(f"/v1/{name}")["deleted"] is True
    assert "roles" not in iam.get(ROLES)
    assert [one["name"] for one in iam.get(f"{ROLES}?showDeleted=true")["roles"]] == [name]
    assert iam.refused("PATCH", f"/v1/{name}", {"title": "x"}) == "FAILED_PRECONDITION"
    assert iam.refused("DELETE", f"/v1/{name}") == "FAILED_PRECONDITION"
    assert iam.refused("POST", ROLES, {"roleId": "reader", "role": {}}) == "FAILED_PRECONDITION"

    cloud.clock.advance(UNDELETE_PERIOD - timedelta(seconds=1))
    assert "deleted" not in iam.done("POST", f"/v1/{name}:undelete", {})

    assert "deleted" not in iam.get(f"/v1/{name}")
    assert iam.refused("POST", f"/v1/{name}:undelete", {}) == "FAILED_PRECONDITION"


def test_the_id_of_a_deleted_role_is_taken_for_37_days(iam: Product, cloud: Cloud) -> None:
    """After seven of them nobody can restore the role."""
    name = make(iam)
    iam.done("DELETE", f"/v1/{name}")

    cloud.clock.advance(UNDELETE_PERIOD)
    assert iam.refused("GET", f"/v1/{name}") == "NOT_FOUND"
    assert iam.refused("POST", f"/v1/{name}:undelete", {}) == "NOT_FOUND"
    assert iam.refused("POST", ROLES, {"roleId": "reader", "role": {}}) == "FAILED_PRECONDITION"

    cloud.clock.advance(ID_RELEASE_PERIOD - UNDELETE_PERIOD)
    assert make(iam) == name
    assert "deleted" not in iam.get(f"/v1/{name}")


def test_permissions_are_listed_on_request(iam: Product) -> None:
    """A list shows them in the full view alone."""
    make(iam, "reader", "storage.objects.get")

    assert "includedPermissions" not in iam.get(ROLES)["roles"][0]
    assert iam.get(f"{ROLES}?view=FULL")["roles"][0]["includedPermissions"] == ["storage.objects.get"]


def test_an_account_is_found_by_unique_id_and_in_any_project(iam: Product) -> None:
    """As clients that know only one of them ask for it."""
    made = iam.done("POST", ACCOUNTS, {"accountId": "shop-worker"})

    assert made["email"] == "shop-worker@shop.iam.gserviceaccount.com"
    assert iam.get(f"{ACCOUNTS}/{made['uniqueId']}") == made
    assert iam.get(f"/v1/projects/-/serviceAccounts/{made['email']}") == made
    assert iam.get(f"/v1/projects/-/serviceAccounts/{made['uniqueId']}") == made


def test_a_permission_that_google_has_renamed() -> None:
    """No predefined role holds `datastore.indexes.create`: Firestore calls it `schemas` now."""
    known = read_permissions()

    assert {"datastore.schemas.create", "pubsub.topics.publish", "cloudmessaging.messages.create"} <= known
    assert known.isdisjoint({"datastore.indexes.create", "cloudfunctions.runtimes.list"})


def test_a_role_at_another_etag_is_not_restored(iam: Product) -> None:
    """As with every other change of it."""
    path = f"/v1/{make(iam)}"
    iam.done("DELETE", path)

    assert iam.refused("POST", f"{path}:undelete", {"etag": "old"}) == "ABORTED"
    iam.done("POST", f"{path}:undelete", {"etag": iam.get(path)["etag"]})
