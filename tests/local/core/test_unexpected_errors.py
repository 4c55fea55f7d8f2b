"""What cannot be read is refused, and an error of the cloud's own is answered, never silence."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, NoReturn

import grpc
import httpx
import pytest
from google.cloud.firestore_v1.services.firestore.transports.grpc import FirestoreGrpcTransport
from google.cloud.firestore_v1.types import firestore
from google.pubsub_v1 import types as pubsub
from google.pubsub_v1.services.publisher.transports.grpc import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

from local.cloud import Cloud
from local.core.grpc_services import StatusError, serve
from local.core.rest import RestMethod, RestServer
from local.faults.hooks import FaultHooks
from local.services.identity import EmbeddedIdentity
from local.services.pubsub.delivery import deliveries
from tests.local.support.rest import SHOP, Product
from tests.local.support.storage import StorageWorld

PROJECT = f"/v1/projects/{SHOP.project}"
TRIGGERS = f"{PROJECT}/locations/europe-west1/triggers?triggerId=broken"
TYPE = {"attribute": "type", "value": "google.cloud.firestore.document.v1.written"}
IDENTITY = "identitytoolkit.googleapis.com"


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


class Failing:
    """A Firestore whose calls raise; of the streams after the first answer."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def GetDocument(self, _request: Any, _context: Any) -> NoReturn:
        raise self._error

    def BatchGetDocuments(self, _request: Any, _context: Any) -> Iterator[Any]:
        yield firestore.BatchGetDocumentsResponse.pb()()
        raise self._error

    def Listen(self, requests: Any, _context: Any) -> Iterator[Any]:
        for _ in requests:
            yield firestore.ListenResponse.pb()()
            raise self._error

    def Write(self, requests: Any, _context: Any) -> Iterator[Any]:
        for _ in requests:
            yield firestore.WriteResponse.pb()()
            raise self._error


CALLS: dict[str, Callable[[FirestoreGrpcTransport], Any]] = {
    "GetDocument": lambda client: client.get_document(firestore.GetDocumentRequest()),
    "BatchGetDocuments": lambda client: client.batch_get_documents(firestore.BatchGetDocumentsRequest()),
    "Listen": lambda client: client.listen(iter([firestore.ListenRequest()])),
    "Write": lambda client: client.write(iter([firestore.WriteRequest()])),
}


@contextmanager
def failing(error: Exception) -> Iterator[FirestoreGrpcTransport]:
    server, address = serve({FirestoreGrpcTransport: Failing(error)}, FaultHooks())
    with grpc.insecure_channel(address) as channel:
        yield FirestoreGrpcTransport(channel=channel)
    server.stop(grace=None).wait()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_unexpected_error_of_a_grpc_call(
    call: Callable[[FirestoreGrpcTransport], Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """Its client gets INTERNAL without the words of the error, standard error the trace once."""
    with failing(RuntimeError("unexpected")) as client, pytest.raises(grpc.RpcError) as refused:
        list(call(client))

    assert refused.value.code() is grpc.StatusCode.INTERNAL
    assert refused.value.details() == "Internal error encountered."
    assert capfd.readouterr().err.count("RuntimeError: unexpected") == 1


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_status_of_a_grpc_call(
    call: Callable[[FirestoreGrpcTransport], Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """It is the answer, and nothing is written to standard error."""
    with (
        failing(StatusError(grpc.StatusCode.ABORTED, "again")) as client,
        pytest.raises(grpc.RpcError) as refused,
    ):
        list(call(client))

    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.ABORTED, "again")
    assert "Traceback" not in capfd.readouterr().err


def test_an_error_while_a_streaming_pull_is_read(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream ends with INTERNAL, not as if the subscriber had ended it."""
    topic = "projects/shop/topics/errors"
    with grpc.insecure_channel(cloud.addresses["pubsub"]) as channel:
        publisher = PublisherGrpcTransport(channel=channel)
        subscriber = SubscriberGrpcTransport(channel=channel)
        publisher.create_topic(pubsub.Topic(name=topic))
        held = pubsub.Subscription(name="projects/shop/subscriptions/errors", topic=topic)
        subscriber.create_subscription(held)
        monkeypatch.setattr(deliveries, "acknowledge", fail)
        first = pubsub.StreamingPullRequest(subscription=held.name, stream_ack_deadline_seconds=10)
        with pytest.raises(grpc.RpcError) as refused:
            list(subscriber.streaming_pull(iter([first, pubsub.StreamingPullRequest(ack_ids=["one"])])))

    assert refused.value.code() is grpc.StatusCode.INTERNAL
