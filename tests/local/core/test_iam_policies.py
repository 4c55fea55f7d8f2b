"""IAM policies, which every kind of resource has alike."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local.application.names import project_number
from local.cloud import Cloud
from tests.local.support.rest import Product, running

ROLE = "roles/secretmanager.secretAccessor"
ANN = "user:ann@example.com"
SHOP = project_number("shop")
CONDITION = {"title": "until spring", "expression": 'request.time < timestamp("2027-03-01T00:00:00Z")'}
HOLDERS = {
    "project": ("cloudresourcemanager.googleapis.com", "/v1/projects/other", "POST"),
    "project in v3": ("cloudresourcemanager.googleapis.com", "/v3/projects/another", "POST"),
    "secret": ("secretmanager.googleapis.com", "/v1/projects/shop/secrets/PAYMENT_KEY", "GET"),
    "account": (
        "iam.googleapis.com",
        "/v1/projects/shop/serviceAccounts/worker@shop.iam.gserviceaccount.com",
        "POST",
    ),
    "key": (
        "cloudkms.googleapis.com",
        "/v1/projects/keys/locations/us/keyRings/rollback/cryptoKeys/state",
        "GET",
    ),
    "repository": (
        "artifactregistry.googleapis.com",
        "/v1/projects/shop/locations/europe-west1/repositories/gcf-artifacts",
        "GET",
    ),
    "topic": ("pubsub.googleapis.com", "/v1/projects/shop/topics/rollback-alerts", "GET"),
}


class Holder:
    """A resource that has a policy."""

    def __init__(self, product: Product, path: str, read_by: str) -> None:
        self.product = product
        self.path = path
        self._read_by = read_by

    def read(self, version: int = 3) -> Any:
        if self._read_by == "GET":
            return self.product.get(f"{self.path}:getIamPolicy?options.requestedPolicyVersion={version}")
        options = {"options": {"requestedPolicyVersion": version}}
        return self.product.done("POST", f"{self.path}:getIamPolicy", options)

    def set(self, policy: dict[str, Any], **more: Any) -> Any:
        return self.product.done("POST", f"{self.path}:setIamPolicy", {"policy": policy, **more})

    def refused(self, policy: dict[str, Any], **more: Any) -> str:
        return self.product.refused("POST", f"{self.path}:setIamPolicy", {"policy": policy, **more})


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running() as cloud:
        cloud.surroundings.accounts.provision("shop", "worker@shop.iam.gserviceaccount.com")
        cloud.buckets.create("shelf", location="EU")
        yield cloud


@pytest.fixture(params=HOLDERS)
def holder(request: pytest.FixtureRequest, cloud: Cloud) -> Iterator[Holder]:
    host, path, read_by = HOLDERS[request.param]
    holder = Holder(Product(cloud, host), path, read_by)
    yield holder
    holder.set({"bindings": []}, updateMask="bindings,auditConfigs")


def grant(*members: str, role: str = ROLE, **more: Any) -> dict[str, Any]:
    return {"bindings": [{"role": role, "members": [*members], **more}]}


def conditional(version: int) -> dict[str, Any]:
    """A policy of that version whose grant has a condition."""
    return {**grant(ANN, condition=CONDITION), "version": version}


def test_a_policy_is_replaced_under_its_etag(holder: Holder) -> None:
    """Whoever has read another state is refused; without an etag the last one wins."""
    before = holder.read()

    stored = holder.set({**grant(ANN), "etag": before["etag"]})

    assert holder.read() == stored
    assert stored["bindings"] == grant(ANN)["bindings"]
    assert holder.refused({**grant(ANN), "etag": before["etag"]}) == "ABORTED"
    assert "bindings" not in holder.set({"bindings": []})


def test_a_condition_needs_version_3(holder: Holder) -> None:
    """A client that knows no conditions reads another role, so that it cannot drop one."""
    assert holder.refused(conditional(1)) == "INVALID_ARGUMENT"

    holder.set(conditional(3))

    assert holder.read()["version"] == 3
    assert holder.read()["bindings"][0]["condition"] == CONDITION
    (hidden,) = holder.read(version=1)["bindings"]
    assert hidden["role"].startswith(f"{ROLE}_withcond_")
    assert "condition" not in hidden


@pytest.mark.parametrize(
    "expression",
    [
        'resource.name == "projects/shop/databases/rollback"',
        'api.getAttribute("iam.googleapis.com/modifiedGrantsByRole", []).hasOnly(["roles/run.invoker"])',
        'request.auth.access_levels.exists(level, level == "trusted") && destination.port == 22',
        'has(resource.name) && !resource.matchTag("1/env", "prod")',
        "true",
    ],
)
def test_a_condition_on_attributes(cloud: Cloud, expression: str) -> None:
    """Those of the resource, the request, the destination and the API; a constant is one, too."""
    product, path = Product(cloud, "cloudresourcemanager.googleapis.com"), "/v1/projects/other:setIamPolicy"
    condition = {"title": "some", "expression": expression}
    policy = {"version": 3, **grant(ANN, condition=condition)}

    assert product.done("POST", path, {"policy": policy})["bindings"][0]["condition"] == condition


def test_audit_configs_change_by_the_mask_alone(holder: Holder) -> None:
    """Without a mask only bindings are replaced."""
    logs = [{"service": "storage.googleapis.com", "auditLogConfigs": [{"logType": "DATA_READ"}]}]
    holder.set({**grant(ANN), "auditConfigs": logs})
    assert "auditConfigs" not in holder.read()

    holder.set({**grant(ANN), "auditConfigs": logs}, updateMask="bindings,etag,auditConfigs")
    holder.set(grant(ANN))

    assert holder.read()["auditConfigs"] == logs


@pytest.mark.parametrize(
    "policy",
    [
        {"colour": "red"},
        {"version": 2},
        grant(ANN, condition={"title": "no expression", "expression": ""}),
        grant(ANN, role="roles/doesNotExist"),
        grant(ANN, colour="red"),
        grant(ANN, condition={"expression": "true", "colour": "red"}),
        grant(ANN, condition={"title": "no CEL", "expression": "resource.name =="}),
        grant(ANN, condition={"title": "no CEL", "expression": "a ||| b"}),
        *(
            grant(ANN, condition={"title": "no truth of attributes", "expression": text})
            for text in ("foo.bar == 1", '"text"', "1", "[true]", "resource.x.exists(y, z)", "user == 'a'")
        ),
        grant(ANN, condition={"expression": "true"}),
        *(grant(ANN, role=f"roles/{one}", condition=CONDITION) for one in ("owner", "editor", "viewer")),
        grant("allUsers", condition=CONDITION),
        grant("allAuthenticatedUsers", condition=CONDITION),
        grant("ann@example.com"),
        grant("serviceAccount:nobody@shop.iam.gserviceaccount.com"),
        grant(ANN, role="projects/shop/roles/none"),
    ],
)
def test_a_policy_that_google_refuses(holder: Holder, policy: dict[str, Any]) -> None:
    """An unknown field, version, member, account or role: 400, and the policy stays."""
    before = holder.read()

    assert holder.refused({"version": 3, **policy}) == "INVALID_ARGUMENT"
    assert holder.read() == before


def test_grants_to_accounts_that_are_there(holder: Holder) -> None:
    """An account of a project, and agents of Google's services."""
    members = (
        "serviceAccount:worker@shop.iam.gserviceaccount.com",
        f"serviceAccount:service-{SHOP}@gcp-sa-pubsub.iam.gserviceaccount.com",
        f"serviceAccount:service-{SHOP}@gcf-admin-robot.iam.gserviceaccount.com",
        f"serviceAccount:service-project-{SHOP}@gcp-sa-scc-notification.iam.gserviceaccount.com",
        f"serviceAccount:{SHOP}-compute@developer.gserviceaccount.com",
        f"serviceAccount:{SHOP}@cloudservices.gserviceaccount.com",
        "serviceAccount:shop@appspot.gserviceaccount.com",
        "serviceAccount:cloud-logs@system.gserviceaccount.com",
    )

    assert holder.set(grant(*members))["bindings"][0]["members"] == [*members]


@pytest.mark.parametrize(
    "member",
    [
        "serviceAccount:nobody",
        "serviceAccount:nobody@example.com",
        "serviceAccount:nobody@shop.iam.gserviceaccount.com",
        "serviceAccount:service-9@shop.iam.gserviceaccount.com",
        "serviceAccount:service-1234@gcp-sa-pubsub.iam.gserviceaccount.com",
        f"serviceAccount:service-{SHOP}@gcp-sa-nonsense.iam.gserviceaccount.com",
        f"serviceAccount:service-{SHOP}@elsewhere.iam.gserviceaccount.com",
        "serviceAccount:1234-compute@developer.gserviceaccount.com",
        "serviceAccount:nowhere@appspot.gserviceaccount.com",
        "user:ann",
        "group:everybody",
    ],
)
def test_a_grant_to_nobody(holder: Holder, member: str) -> None:
    """An account that nobody has made, and one of a project that is not there."""
    assert holder.refused(grant(member)) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("version", [2, 7])
def test_a_policy_in_a_version_that_is_none(holder: Holder, version: int) -> None:
    """Versions are 0, 1 and 3."""
    with pytest.raises(AssertionError, match="INVALID_ARGUMENT"):
        holder.read(version)


def test_permissions_are_enforced_nowhere(holder: Holder) -> None:
    """Whoever asks may do everything."""
    asked = {"permissions": ["secretmanager.versions.access"]}

    assert holder.product.done("POST", f"{holder.path}:testIamPermissions", asked) == asked


def test_what_is_not_there_has_no_policy(cloud: Cloud) -> None:
    """A policy goes with its resource."""
    product, path = Product(cloud, "secretmanager.googleapis.com"), "/v1/projects/shop/secrets"
    product.done("POST", f"{path}?secretId=gone", {"replication": {"automatic": {}}})
    product.done("POST", f"{path}/gone:setIamPolicy", {"policy": grant(ANN)})
    product.done("DELETE", f"{path}/gone")
    assert product.refused("GET", f"{path}/gone:getIamPolicy") == "NOT_FOUND"

    product.done("POST", f"{path}?secretId=gone", {"replication": {"automatic": {}}})

    assert "bindings" not in product.get(f"{path}/gone:getIamPolicy")


@pytest.mark.parametrize(
    "policy",
    [
        {**grant(ANN), "colour": "red"},
        grant("serviceAccount:nobody@shop.iam.gserviceaccount.com"),
        grant(ANN, colour="red"),
        grant(ANN, role="projects/shop/roles/none"),
        grant(ANN, role="roles/doesNotExist"),
        {**grant(ANN, condition={"title": "no expression", "expression": ""}), "version": 3},
        conditional(1),
        {**grant(ANN), "version": 2},
    ],
)
def test_a_policy_of_a_bucket_that_google_refuses(cloud: Cloud, policy: dict[str, Any]) -> None:
    """Cloud Storage has a form of its own, and the same rules."""
    path = f"http://{cloud.addresses['storage']}/storage/v1/b/shelf/iam"

    refused = httpx.put(path, json=policy, trust_env=False)

    assert refused.status_code == 400
    assert not httpx.get(path, trust_env=False).json()["bindings"]


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("pubsub.googleapis.com", "/v1/projects/shop/topics/rollback-alerts"),
        ("run.googleapis.com", "/v2/projects/shop/locations/europe-west1/services/placeorder"),
    ],
)
def test_a_grant_by_grpc_to_an_account_that_is_not_there(cloud: Cloud, host: str, path: str) -> None:
    """Services with a gRPC form refuse it too, and take one to an account that is there."""
    product, role = Product(cloud, host), "roles/run.invoker"
    gone = grant("serviceAccount:nobody@shop.iam.gserviceaccount.com", role=role)
    there = grant("serviceAccount:worker@shop.iam.gserviceaccount.com", role=role)

    assert product.refused("POST", f"{path}:setIamPolicy", {"policy": gone}) == "INVALID_ARGUMENT"
    stored = product.done("POST", f"{path}:setIamPolicy", {"policy": there})

    assert stored["bindings"] == there["bindings"]


def test_a_condition_on_a_bucket(cloud: Cloud) -> None:
    """As everywhere: a client that knows no conditions reads another role."""
    path = f"http://{cloud.addresses['storage']}/storage/v1/b/shelf/iam"
    policy = conditional(3)
    stored = httpx.put(path, json=policy, trust_env=False).json()

    def read(version: str) -> httpx.Response:
        return httpx.get(path, params={"optionsRequestedPolicyVersion": version}, trust_env=False)

    [hidden] = read("1").json()["bindings"]

    assert (stored["version"], stored["bindings"]) == (3, policy["bindings"])
    assert read("3").json() == stored
    assert read("1").json()["version"] == 1
    assert hidden["role"].startswith(f"{ROLE}_withcond_")
    assert read("7").status_code == 400
    httpx.put(path, json={"bindings": []}, trust_env=False).raise_for_status()
