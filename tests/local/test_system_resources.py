"""Identity Platform, secrets, scheduled jobs and IAM as the embedded cloud plays them."""

from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from local.application.names import project_number
from local.cloud import Cloud
from local.faults import plan as fault_plan
from local.services import eventarc
from local.services.firebase import hosting, identity, remote_config
from local.services.iam import project_policies, service_accounts
from local.services.scheduler import jobs
from local.services.secret_manager import secrets
from tests.local.support.rest import SHOP, Product, running

CONFIG = "/admin/v2/projects/shop/config"
SECRET = "/v1/projects/shop/secrets/PAYMENT_KEY"
VALUE = {"payload": {"data": "eA=="}}
JOBS = "/v1/projects/shop/locations/europe-west1/jobs"
TRIGGERS = "/v1/projects/shop/locations/{}/triggers"
WORKFLOW = {"workflow": "projects/shop/locations/europe-west1/workflows/bill"}


def test_a_project_may_lie_below_a_domain() -> None:
    """Its colon begins no custom verb, and does not hide one."""
    below = replace(SHOP, project="example.com:shop-4u")
    with running(shop=below, home="shop-operations") as cloud:
        config = Product(cloud, identity.HOST).get(f"/admin/v2/projects/{below.project}/config")
        path = f"/v3/projects/{below.project}:getIamPolicy"
        policy = Product(cloud, project_policies.HOST).done("POST", path, {})

    assert config["name"] == f"projects/{below.project}/config"
    assert "bindings" in policy


def test_identity_changes_by_its_mask(cloud: Cloud) -> None:
    """What the mask names is as the body says, absent is cleared; the rest stays."""
    product = Product(cloud, identity.HOST)
    before = product.get(CONFIG)

    product.done(
        "PATCH",
        f"{CONFIG}?updateMask=mfa.state,signIn.email.enabled,authorizedDomains",
        {"mfa": {"state": "ENABLED"}, "signIn": {"allowDuplicateEmails": True}},
    )

    after = product.get(CONFIG)
    assert after["mfa"] == {"state": "ENABLED"}
    assert after["signIn"]["email"] == {"passwordRequired": True}
    assert after["signIn"]["hashConfig"] == before["signIn"]["hashConfig"]
    assert not after["signIn"]["allowDuplicateEmails"]
    assert "authorizedDomains" not in after
    assert product.refused("PATCH", f"{CONFIG}?updateMask=colour", {}) == "INVALID_ARGUMENT"


def test_the_life_of_a_secret_s_version(cloud: Cloud) -> None:
    """A version is disabled and enabled again; destroyed, it never comes back."""
    product = Product(cloud, secrets.HOST)
    name = str(product.done("POST", f"{SECRET}:addVersion", VALUE)["name"])

    def states() -> list[str]:
        return [one["state"] for one in product.get(f"{SECRET}/versions")["versions"]]

    assert name.endswith("/versions/2")
    assert states() == ["ENABLED", "ENABLED"]
    product.done("POST", f"/v1/{name}:disable", {})
    assert states() == ["DISABLED", "ENABLED"]
    product.done("POST", f"/v1/{name}:enable", {})
    assert product.get(f"{SECRET}/versions/latest")["state"] == "ENABLED"
    assert product.done("POST", f"/v1/{name}:destroy", {})["destroyTime"]
    assert states() == ["DESTROYED", "ENABLED"]
    assert product.refused("POST", f"/v1/{name}:enable", {}) == "FAILED_PRECONDITION"


def test_a_job_that_is_paused(cloud: Cloud) -> None:
    """A job says whether it runs; one that is not valid is not made."""
    product = Product(cloud, jobs.HOST)
    (job,) = product.get(JOBS)["jobs"]

    product.done("POST", f"/v1/{job['name']}:pause", {})

    assert product.get(f"/v1/{job['name']}") == {**job, "state": "PAUSED"}
    assert product.done("POST", f"/v1/{job['name']}:resume", {}) == job
    assert product.refused("POST", JOBS, {"name": "x"}) == "INVALID_ARGUMENT"


def test_triggers_are_made_and_listed(cloud: Cloud) -> None:
    """Beside those of functions, by location or of all, in pages; nobody names a function."""
    product = Product(cloud, eventarc.HOST)
    cloud.application(SHOP.system).connect_events("placeOrder", 3)
    here = TRIGGERS.format("europe-west1")
    made = {"eventFilters": [{"attribute": "type", "value": "t"}], "destination": WORKFLOW}

    for location, short in (("europe-west1", "a"), ("eur3", "b")):
        path = f"{TRIGGERS.format(location)}?triggerId={short}"
        assert product.done("POST", path, made)["done"]

    first = product.get(f"{TRIGGERS.format('-')}?pageSize=2")
    rest = product.get(f"{TRIGGERS.format('-')}?pageToken={first['nextPageToken']}")
    every = [*first["triggers"], *rest["triggers"]]
    assert [one["name"].partition("/locations/")[2] for one in every] == [
        "eur3/triggers/b",
        "europe-west1/triggers/a",
        "europe-west1/triggers/placeorder-" + every[2]["name"].rpartition("-")[2],
    ]
    function = "projects/shop/locations/europe-west1/functions/placeOrder"
    assert [one["destination"] for one in product.get(here)["triggers"]] == [
        WORKFLOW,
        {"cloudFunction": function},
    ]
    assert product.refused("POST", f"{here}?triggerId=a", made) == "ALREADY_EXISTS"
    for wrong in ({**made, "destination": {"cloudFunction": function}}, {**made, "eventFilters": []}):
        assert product.refused("POST", f"{here}?triggerId=c", wrong) == "INVALID_ARGUMENT"
    assert product.refused("POST", here, made) == "INVALID_ARGUMENT"

    product.done("DELETE", f"{here}/a")
    assert len(product.get(here)["triggers"]) == 1
    assert product.refused("DELETE", f"{here}/a") == "NOT_FOUND"


def test_a_project_s_roles(cloud: Cloud) -> None:
    """A policy is replaced whole, if nobody else has replaced it since."""
    product = Product(cloud, project_policies.HOST)
    path = "/v3/projects/shop"
    read = product.done("POST", f"{path}:getIamPolicy", {})
    bindings = [{"role": "roles/viewer", "members": ["user:ann@example.com"]}]
    change = {"policy": {"etag": read["etag"], "bindings": bindings}}

    product.done("POST", f"{path}:setIamPolicy", change)

    assert product.done("POST", f"{path}:getIamPolicy", {})["bindings"] == bindings
    assert product.refused("POST", f"{path}:setIamPolicy", change) == "ABORTED"


def test_a_plan_of_terraform_reads_number_account_and_agent(cloud: Cloud) -> None:
    """A project has one number, which Google's agents are named by, and somebody pays for it."""
    number = str(project_number("shop"))
    url = f"http://{cloud.addresses['storage']}/storage/v1/projects/shop/serviceAccount"
    agent = httpx.get(url).json()["email_address"]

    assert Product(cloud, project_policies.HOST).get("/v1/projects/shop")["projectNumber"] == number
    billing = Product(cloud, project_policies.BILLING_HOST).get("/v1/projects/shop/billingInfo")
    assert billing["billingEnabled"] is True
    assert agent == f"service-{number}@gs-project-accounts.iam.gserviceaccount.com"


def test_a_service_account(cloud: Cloud) -> None:
    """It is disabled and enabled by name; of one that is enabled nothing is said."""
    product = Product(cloud, service_accounts.HOST)
    path = "/v1/projects/shop/serviceAccounts"
    made = product.done("POST", path, {"accountId": "run-account"})
    assert product.refused("POST", path, {"accountId": "run-account"}) == "ALREADY_EXISTS"
    assert product.refused("POST", path, {}) == "INVALID_ARGUMENT"

    product.done("POST", f"/v1/{made['name']}:disable", {})

    assert product.get(f"/v1/{made['name']}") == {**made, "disabled": True}
    product.done("POST", f"/v1/{made['name']}:enable", {})
    assert product.get(f"/v1/{made['name']}") == made
    product.done("DELETE", f"/v1/{made['name']}")
    assert product.refused("GET", f"/v1/{made['name']}") == "NOT_FOUND"


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    """What was acknowledged is kept with the rest of the cloud's data."""
    template = "/v1/projects/shop/remoteConfig"
    with running(tmp_path) as cloud:
        Product(cloud, secrets.HOST).done("POST", f"{SECRET}:addVersion", VALUE)
        Product(cloud, remote_config.HOST).done("PUT", template, {"parameters": {"a": {}}}, {"If-Match": "*"})

    with running(tmp_path) as cloud:
        assert len(Product(cloud, secrets.HOST).get(f"{SECRET}/versions")["versions"]) == 2
        assert Product(cloud, remote_config.HOST).get(template)["parameters"] == {"a": {}}


def test_what_the_products_do_not_understand(cloud: Cloud) -> None:
    """Another host, path, method, body or page answers in Google's error form."""
    product = Product(cloud, hosting.HOST)

    assert Product(cloud, "example.com").refused("GET", "/v1beta1/sites") == "NOT_FOUND"
    assert product.refused("GET", CONFIG) == "NOT_FOUND"
    assert product.refused("PUT", "/v1beta1/sites/shop/versions") == "NOT_FOUND"
    assert product.refused("POST", "/v1beta1/sites/shop/versions", [1]) == "INVALID_ARGUMENT"
    for query in ("pageSize=x", "pageSize=-1", "pageToken=x"):
        path = f"/v1beta1/sites/shop/versions?{query}"
        assert product.refused("GET", path) == "INVALID_ARGUMENT"


def test_a_fault_plan_reaches_the_products(cloud: Cloud) -> None:
    """Their calls go wrong by their names: before the effect, after it, or without an answer."""
    product = Product(cloud, secrets.HOST)
    call = f"{secrets.HOST}/projects.secrets.addVersion"
    plan = b"""{"calls": [
        {"call": "%s", "answer": "RESOURCE_EXHAUSTED", "retry_after_seconds": 7, "times": 1},
        {"call": "%s", "answer": "INTERNAL", "when": "after", "times": 1},
        {"call": "%s", "answer": "DROP", "skip": 2, "times": 1}]}"""
    name = call.encode()
    cloud.injector.install(fault_plan.parse_plan(plan % (name, name, name)))

    throttled = product.ask("POST", f"{SECRET}:addVersion", VALUE)
    assert throttled.status_code == 429
    (detail,) = throttled.json()["error"]["details"]
    assert detail["retryDelay"] == "7s"
    assert product.refused("POST", f"{SECRET}:addVersion", VALUE) == "INTERNAL"
    with pytest.raises(httpx.RemoteProtocolError):
        product.ask("POST", f"{SECRET}:addVersion", VALUE)

    assert len(product.get(f"{SECRET}/versions")["versions"]) == 2
