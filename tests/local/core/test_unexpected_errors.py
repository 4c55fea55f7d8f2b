"""What cannot be read is refused, and an error of the cloud's own is answered, never silence."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any, NoReturn

import httpx
import pytest

from local.cloud import Cloud
from local.core.rest import RestMethod, RestServer
from local.faults.hooks import FaultHooks
from local.services.identity import EmbeddedIdentity
from tests.local.support.rest import SHOP, Product, running
from tests.local.support.storage import StorageWorld

PROJECT = f"/v1/projects/{SHOP.project}"
TRIGGERS = f"{PROJECT}/locations/europe-west1/triggers?triggerId=broken"
TYPE = {"attribute": "type", "value": "google.cloud.firestore.document.v1.written"}
IDENTITY = "identitytoolkit.googleapis.com"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running() as cloud:
        yield cloud


@pytest.mark.parametrize(
    ("host", "path", "body"),
    [
        ("cloudresourcemanager.googleapis.com", f"{PROJECT}:getIamPolicy", {"options": "x"}),
        ("eventarc.googleapis.com", TRIGGERS, {"destination": None, "eventFilters": [TYPE]}),
        ("eventarc.googleapis.com", TRIGGERS, {"destination": 5, "eventFilters": [TYPE]}),
        ("eventarc.googleapis.com", TRIGGERS, {"destination": {"gke": {}}, "eventFilters": ["x"]}),
        ("eventarc.googleapis.com", TRIGGERS, {"destination": {"gke": {}}, "eventFilters": [{}]}),
        (IDENTITY, f"{PROJECT}/accounts", {}),
        (IDENTITY, f"{PROJECT}/accounts", {"localId": 5}),
        (IDENTITY, f"{PROJECT}/accounts:update", {}),
        ("firebaserules.googleapis.com", f"{PROJECT}/rulesets", {"source": {"files": 5}}),
        ("secretmanager.googleapis.com", f"{PROJECT}/secrets/PAYMENT_KEY:addVersion", {"payload": 5}),
    ],
)
def test_a_malformed_body(cloud: Cloud, host: str, path: str, body: Any) -> None:
    """A value of another type than Google's, or none where it needs one."""
    assert Product(cloud, host).refused("POST", path, body) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("sign_in", ["x", 5, [{}], {"email": "x"}])
def test_a_malformed_configuration_of_sign_in(cloud: Cloud, sign_in: Any) -> None:
    """It is refused, and the application signs people in as before."""
    path = f"/admin/v2/projects/{SHOP.project}/config"
    product = Product(cloud, IDENTITY)
    before = product.get(path)

    assert product.refused("PATCH", path, {"signIn": sign_in}) == "INVALID_ARGUMENT"
    assert product.get(path) == before


def test_pages_of_people(cloud: Cloud) -> None:
    """Twenty, unless a request says how many, which is a number up to a thousand."""
    people = Product(cloud, IDENTITY)
    for number in range(21):
        people.done("POST", f"{PROJECT}/accounts", {"localId": f"person-{number:02}"})

    assert len(people.get(f"{PROJECT}/accounts:batchGet")["users"]) == 20
    for size in ("x", "-1", "0", "1001"):
        path = f"{PROJECT}/accounts:batchGet?maxResults={size}"
        assert people.refused("GET", path) == "INVALID_ARGUMENT"


def fail(*_: object) -> NoReturn:
    raise RuntimeError("unexpected")


def test_an_unexpected_error_of_a_product(capsys: pytest.CaptureFixture[str]) -> None:
    """Its client gets Google's form, standard error the trace."""
    product = (RestMethod("things.get", "GET", "/v1/things", fail),)
    with closing(RestServer({"things.googleapis.com": product}, FaultHooks())) as server:
        answer = httpx.get(
            f"http://{server.address}/v1/things", headers={"Host": "things.googleapis.com"}, trust_env=False
        )

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (500, 500, "INTERNAL")
    assert "RuntimeError: unexpected" in capsys.readouterr().err


def test_an_unexpected_error_of_cloud_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """As its clients read errors."""
    with closing(StorageWorld()) as world:
        monkeypatch.setattr(world.buckets, "of_project", fail)
        answer = httpx.get(f"{world.url}/storage/v1/b?project=shop", trust_env=False)

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, 500)


def test_an_unexpected_error_of_the_front_door(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where people sign in."""
    monkeypatch.setattr(EmbeddedIdentity, "respond", fail)
    answer = httpx.post(
        f"http://{cloud.addresses['control']}/v1/accounts:signInWithPassword",
        headers={"Host": IDENTITY},
        trust_env=False,
    )

    assert (answer.status_code, answer.json()["error"]["status"]) == (500, "INTERNAL")
