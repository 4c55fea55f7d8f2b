"""Functions that somebody creates, by REST as Terraform asks for them; nothing runs in them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.application.names import project_number
from local.cloud import Cloud
from local.faults.hooks import Fate
from local.services.storage.conditions import Preconditions
from tests.local.support.rest import Product, product_at, running

LOCATION = "projects/shop-operations/locations/europe-west1"
NAME = f"{LOCATION}/functions/rollback_on_work"
SERVICE = f"{LOCATION}/services/rollback-on-work"
ACCOUNT = "work@shop-operations.iam.gserviceaccount.com"
SOURCE = {"storageSource": {"bucket": "sources", "object": "release.zip"}}
ASKED = {
    "description": "Executes rollbacks.",
    "labels": {"team": "sre"},
    "buildConfig": {"runtime": "python311", "entryPoint": "on_work", "source": SOURCE},
    "serviceConfig": {
        "serviceAccountEmail": ACCOUNT,
        "availableMemory": "512Mi",
        "availableCpu": "1",
        "timeoutSeconds": 540,
        "ingressSettings": "ALLOW_INTERNAL_ONLY",
        "allTrafficOnLatestRevision": True,
        "environmentVariables": {"ROLLBACK_DATABASE": "rollback"},
    },
}
PUSH = {
    "role": "roles/run.invoker",
    "members": [f"serviceAccount:service-{project_number('shop')}@gcp-sa-pubsub.iam.gserviceaccount.com"],
}


@pytest.fixture
def cloud(cloud: Cloud) -> Cloud:
    """With the source that functions are made from."""
    put_source(cloud)
    return cloud


def put_source(cloud: Cloud) -> None:
    cloud.surroundings.accounts.provision("shop-operations", ACCOUNT)
    cloud.buckets.create("sources", project="shop-operations")
    cloud.buckets.put("sources", "release.zip", b"zip", "application/zip", {}, Preconditions())


FUNCTIONS, RUN = "cloudfunctions.googleapis.com", "run.googleapis.com"
functions, run = product_at(FUNCTIONS), product_at(RUN)


def create(functions: Product, asked: Any = ASKED) -> Any:
    return functions.done("POST", f"/v2/{LOCATION}/functions?functionId=rollback_on_work", asked)


def test_a_function_reads_back_as_google_gives_it(cloud: Cloud, functions: Product) -> None:
    """What was asked for, what Google chooses for the rest, and where it stands."""
    operation = create(functions)
    made = functions.get(f"/v2/{NAME}")

    assert operation["done"] is True
    assert {**operation["response"], "@type": None} == {**made, "@type": None}
    assert functions.get(f"/v2/{operation['name']}") == operation
    assert (made["state"], made["environment"], made["labels"]) == ("ACTIVE", "GEN_2", {"team": "sre"})
    config = made["serviceConfig"]
    assert {**config, **ASKED["serviceConfig"]} == config  # type: ignore[dict-item]
    assert (config["service"], config["maxInstanceCount"]) == (SERVICE, 100)
    assert config["uri"].startswith("https://rollback-on-work-")
    generation = cloud.buckets.find("sources", "release.zip").generation
    source = made["buildConfig"]["sourceProvenance"]["resolvedStorageSource"]
    assert source == {**SOURCE["storageSource"], "generation": str(generation)}
    assert [one["name"] for one in functions.get(f"/v2/{LOCATION}/functions")["functions"]] == [NAME]


def test_its_run_service(functions: Product, run: Product) -> None:
    """It has the function's name, its configuration and its own policy."""
    create(functions)

    service = run.get(f"/v2/{SERVICE}")

    assert service["template"]["serviceAccount"] == ACCOUNT
    [container] = service["template"]["containers"]
    assert container["env"] == [{"name": "ROLLBACK_DATABASE", "value": "rollback"}]
    assert container["resources"]["limits"] == {"memory": "512Mi", "cpu": "1"}
    assert service["ingress"] == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    assert service["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
    assert run.get(f"/v2/{LOCATION}/services")["services"] == [service]
    for name in ("rollback-on-work", "-"):
        [revision] = run.get(f"/v2/{LOCATION}/services/{name}/revisions")["revisions"]
        assert revision["name"] == service["latestReadyRevision"]
        assert run.get(f"/v2/{revision['name']}")["containers"] == service["template"]["containers"]
    assert run.get(f"/v2/{SERVICE}:getIamPolicy") == {"etag": "ACAB"}


def test_a_function_that_is_replaced_has_no_grants(cloud: Cloud, functions: Product, run: Product) -> None:
    """The policy goes with the Run service."""
    create(functions)
    run.done("POST", f"/v2/{SERVICE}:setIamPolicy", {"policy": {"bindings": [PUSH]}})
    assert run.get(f"/v2/{SERVICE}:getIamPolicy")["bindings"] == [PUSH]

    functions.done("DELETE", f"/v2/{NAME}")
    assert functions.refused("GET", f"/v2/{NAME}") == "NOT_FOUND"
    assert run.refused("GET", f"/v2/{SERVICE}:getIamPolicy") == "NOT_FOUND"
    cloud.clock.advance(timedelta(seconds=1))
    create(functions)

    assert run.get(f"/v2/{SERVICE}:getIamPolicy") == {"etag": "ACAB"}


def test_a_function_is_updated(cloud: Cloud, functions: Product, run: Product) -> None:
    """The masked fields change in a new revision, the others stay."""
    create(functions)
    before = functions.get(f"/v2/{NAME}")
    cloud.clock.advance(timedelta(minutes=1))
    changed = {"serviceConfig": {**ASKED["serviceConfig"], "maxInstanceCount": 3}, "labels": {}}  # type: ignore[dict-item]

    functions.done("PATCH", f"/v2/{NAME}?updateMask=serviceConfig", changed)

    after = functions.get(f"/v2/{NAME}")
    assert after["serviceConfig"]["maxInstanceCount"] == 3
    assert after["labels"] == before["labels"]
    assert after["updateTime"] > before["updateTime"]
    assert run.get(f"/v2/{SERVICE}")["generation"] == "2"
    assert functions.refused("PATCH", f"/v2/{NAME}?updateMask=speed", {}) == "INVALID_ARGUMENT"
    functions.done("PATCH", f"/v2/{NAME}?updateMask=serviceConfig.timeoutSeconds", {})
    config = functions.get(f"/v2/{NAME}")["serviceConfig"]
    assert (config["timeoutSeconds"], config["maxInstanceCount"]) == (60, 3)


def test_a_deployment_that_a_fault_delays_and_fails(cloud: Cloud, functions: Product) -> None:
    """It takes that long, another one is refused meanwhile, and then it says why it failed."""
    fate = Fate(delay=timedelta(minutes=2), failure="Build failed: quota")
    cloud.faults.add_oracle(lambda thing: fate if thing == f"operation {NAME}" else None)

    operation = create(functions)

    assert "done" not in operation
    assert functions.get(f"/v2/{NAME}")["state"] == "DEPLOYING"
    assert functions.refused("PATCH", f"/v2/{NAME}?updateMask=labels", {}) == "ABORTED"
    cloud.clock.advance(timedelta(minutes=2))
    ended = functions.get(f"/v2/{operation['name']}")
    assert ended["error"] == {"code": 9, "message": "Build failed: quota"}
    assert functions.get(f"/v2/{NAME}")["state"] == "FAILED"


@pytest.mark.parametrize(
    "config",
    [
        {"timeoutSeconds": 3601},
        {"timeoutSeconds": -1},
        {"maxInstanceCount": -1},
        {"minInstanceCount": 3, "maxInstanceCount": 2},
        {"environmentVariables": {"K_SERVICE": "x"}},
        {"secretEnvironmentVariables": [{"key": "PORT", "secret": "a", "version": "1"}]},
    ],
)
def test_a_configuration_that_cannot_be(functions: Product, config: dict[str, Any]) -> None:
    """Nothing is created, and nothing is changed."""
    create(functions)
    before = functions.get(f"/v2/{NAME}")
    asked = {"buildConfig": ASKED["buildConfig"], "serviceConfig": config}
    path = f"/v2/{LOCATION}/functions"

    assert functions.refused("POST", f"{path}?functionId=another", asked) == "INVALID_ARGUMENT"
    change = f"/v2/{NAME}?updateMask=serviceConfig"
    assert functions.refused("PATCH", change, {"serviceConfig": config}) == "INVALID_ARGUMENT"

    assert functions.get(path)["functions"] == [before]


@pytest.mark.parametrize(
    "changed",
    [
        {"serviceConfig": {"serviceAccountEmail": "nobody@shop-operations.iam.gserviceaccount.com"}},
        {"buildConfig": {"serviceAccount": "projects/shop-operations/serviceAccounts/nobody@example.com"}},
        {"eventTrigger": {"serviceAccountEmail": "nobody@shop-operations.iam.gserviceaccount.com"}},
    ],
)
def test_an_account_that_is_not_there(functions: Product, changed: dict[str, Any]) -> None:
    """No function runs, is built or is started as one."""
    build: Any = ASKED["buildConfig"]
    asked = {**changed, "buildConfig": {**build, **changed.get("buildConfig", {})}}
    path = f"/v2/{LOCATION}/functions?functionId=another"

    assert functions.refused("POST", path, asked) == "NOT_FOUND"


def test_a_secret_that_is_not_there(functions: Product) -> None:
    """The deployment fails, as its Run service cannot start."""
    secret = {"key": "KEY", "projectId": str(project_number("shop")), "version": "latest"}

    def asked(name: str) -> Any:
        uses = {"secretEnvironmentVariables": [{**secret, "secret": name}]}
        return {"buildConfig": ASKED["buildConfig"], "serviceConfig": uses}

    lost = create(functions, asked("NONE"))
    functions.done("DELETE", f"/v2/{NAME}")

    assert "NONE was not found" in lost["error"]["message"]
    assert "error" not in create(functions, asked("PAYMENT_KEY"))


def test_its_run_service_changes_with_it_alone(functions: Product, run: Product) -> None:
    """Cloud Run's own call is not served for it; of no service it finds none."""
    create(functions)

    assert run.refused("PATCH", f"/v2/{SERVICE}", {"labels": {"a": "b"}}) == "UNIMPLEMENTED"
    assert run.refused("PATCH", f"/v2/{SERVICE}-none", {"labels": {"a": "b"}}) == "NOT_FOUND"
    missing = f"/v2/{SERVICE}-none?allowMissing=true"
    assert run.refused("PATCH", missing, {"labels": {"a": "b"}}) == "UNIMPLEMENTED"


def test_a_function_that_cannot_be(functions: Product) -> None:
    """A second one of a name, one without a source, and one whose source is not there."""
    elsewhere = {"storageSource": {"bucket": "sources", "object": "none.zip"}}
    lost = create(functions, {"buildConfig": {"source": elsewhere}})
    assert "none.zip" in lost["error"]["message"]

    path = f"/v2/{LOCATION}/functions?functionId="
    assert functions.refused("POST", f"{path}rollback_on_work", ASKED) == "ALREADY_EXISTS"
    assert functions.refused("POST", f"{path}another", {}) == "INVALID_ARGUMENT"
    for name in ("1", "a.b", "one-", "f" * 64):
        assert functions.refused("POST", f"{path}{name}", ASKED) == "INVALID_ARGUMENT"
    for wrong in ({"buildConfig": {"runtime": "cobol85"}}, {"serviceConfig": {"availableMemory": "lots"}}):
        asked = {part: {**it, **wrong.get(part, {})} for part, it in ASKED.items() if isinstance(it, dict)}
        assert functions.refused("POST", f"{path}another", asked) == "INVALID_ARGUMENT"
    registry = {"buildConfig": {"source": SOURCE, "dockerRegistry": "CONTAINER_REGISTRY"}}
    assert functions.refused("POST", f"{path}another", registry) == "INVALID_ARGUMENT"
    older = {**ASKED, "environment": "GEN_1"}
    assert functions.refused("POST", f"{path}another", older) == "UNIMPLEMENTED"
    repository = {"buildConfig": {"source": SOURCE, "dockerRepository": "images"}}
    assert functions.refused("POST", f"{path}another", repository) == "INVALID_ARGUMENT"
    assert functions.refused("GET", f"/v2/{LOCATION}/functions/another") == "NOT_FOUND"


def test_events_of_a_function(cloud: Cloud, functions: Product) -> None:
    """Its trigger has a name, and the rest as it was asked for."""
    trigger = {
        "eventType": "google.cloud.pubsub.topic.v1.messagePublished",
        "pubsubTopic": "projects/p/topics/t",
    }
    create(functions, {**ASKED, "eventTrigger": trigger})

    shown = functions.get(f"/v2/{NAME}")["eventTrigger"]

    assert {**shown, **trigger} == shown
    assert shown["trigger"].startswith(f"{LOCATION}/triggers/rollback-on-work-")
    assert shown["triggerRegion"] == "europe-west1"


def test_a_restart_keeps_functions_and_policies(tmp_path: Path) -> None:
    """Their operations are forgotten."""
    with running(tmp_path) as cloud:
        put_source(cloud)
        functions, run = Product(cloud, FUNCTIONS), Product(cloud, RUN)
        create(functions)
        run.done("POST", f"/v2/{SERVICE}:setIamPolicy", {"policy": {"bindings": [PUSH]}})
        before = functions.get(f"/v2/{NAME}")

    with running(tmp_path) as cloud:
        functions, run = Product(cloud, FUNCTIONS), Product(cloud, RUN)
        assert functions.get(f"/v2/{NAME}") == before
        assert run.get(f"/v2/{SERVICE}:getIamPolicy")["bindings"] == [PUSH]


def test_a_function_under_protection_by_rest(cloud: Cloud, functions: Product) -> None:
    """A whole configuration in the mask means the parts that are set; a build takes its time."""
    name = "projects/shop/locations/europe-west1/functions/placeOrder"
    changed = {"serviceConfig": {"environmentVariables": {"MODE": "slow"}, "maxInstanceCount": 7}}

    operation = functions.done("PATCH", f"/v2/{name}?updateMask=serviceConfig", changed)
    assert "done" not in operation
    cloud.clock.advance(timedelta(seconds=90))

    config = functions.get(f"/v2/{name}")["serviceConfig"]
    assert (config["environmentVariables"]["MODE"], config["maxInstanceCount"]) == ("slow", 7)


def test_the_invokers_of_a_service_under_protection(run: Product) -> None:
    """They alone are kept of its policy."""
    path = "/v2/projects/shop/locations/europe-west1/services/placeorder"
    other = {"role": "roles/run.developer", "members": PUSH["members"]}

    run.done("POST", f"{path}:setIamPolicy", {"policy": {"bindings": [PUSH]}})

    assert run.get(f"{path}:getIamPolicy")["bindings"] == [PUSH]
    refused = run.refused("POST", f"{path}:setIamPolicy", {"policy": {"bindings": [other]}})
    assert refused == "UNIMPLEMENTED"
