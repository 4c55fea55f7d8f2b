"""gRPC services by REST: paths, parameters, bodies and errors as Google's front end has them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore_admin_v1, functions_v2, run_v2
from google.cloud.firestore_admin_v1.services.firestore_admin.transports import FirestoreAdminGrpcTransport
from google.cloud.firestore_v1 import types as firestore_types
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.cloud.functions_v2.services.function_service.transports import FunctionServiceGrpcTransport
from google.cloud.monitoring_v3.services.metric_service.transports import MetricServiceGrpcTransport
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from google.iam.v1 import iam_policy_pb2
from google.longrunning import operations_pb2
from google.pubsub_v1 import types as pubsub_types
from google.pubsub_v1.services.publisher import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.schema_service import SchemaServiceClient
from google.pubsub_v1.services.schema_service.transports import SchemaServiceGrpcTransport
from google.pubsub_v1.services.subscriber import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from local.application.names import project_number
from local.cloud import UNGENERATED, Cloud
from local.control.proxy import build_client_environment, write_authority
from local.core.transcoder import build_routes, compile_template
from local.faults.hooks import CallMoment
from tests.local.support.rest import Product
from tests.local.support.run import PARENT

PROJECT = "projects/shop"
TOPIC = f"/v1/{PROJECT}/topics/orders"
DATABASE = f"/v1/{PROJECT}/databases/(default)"
DOCUMENTS = f"{DATABASE}/documents"
SERVICES = (
    (FirestoreGrpcTransport, FirestoreAdminGrpcTransport),
    (PublisherGrpcTransport, SubscriberGrpcTransport, SchemaServiceGrpcTransport),
    (ServicesGrpcTransport, RevisionsGrpcTransport),
    (FunctionServiceGrpcTransport,),
    (MetricServiceGrpcTransport,),
)
"""By their hosts."""
OPERATIONS = operations_pb2.DESCRIPTOR.services_by_name["Operations"]
POLICIES = iam_policy_pb2.DESCRIPTOR.services_by_name["IAMPolicy"]
STREAMS = {"Listen", "Write", "StreamingPull"}
"""Both sides stream: they have no REST form."""


@pytest.fixture
def pubsub(cloud: Cloud) -> Iterator[Product]:
    product = Product(cloud, "pubsub.googleapis.com")
    product.done("PUT", TOPIC, {"labels": {"a": "b"}})
    yield product
    product.ask("DELETE", TOPIC)


@pytest.mark.parametrize("data", ["YW!Jj", "YWJjZ", "YWI===", "YWJj=", "YW Jj"])
def test_bytes_that_are_no_base64(pubsub: Product, data: str) -> None:
    """They are refused, never repaired."""
    refused = pubsub.ask("POST", f"{TOPIC}:publish", {"messages": [{"data": data}]})

    assert refused.status_code == 400
    assert refused.json()["error"]["message"].startswith(
        "Invalid value at 'messages[0].data' (TYPE_BYTES), Base64 decoding failed"
    )


@pytest.mark.parametrize("data", ["-_8=", "-_8", "+/8=", "+/8", ""])
def test_bytes_in_both_alphabets(pubsub: Product, data: str) -> None:
    """With their padding or without."""
    subscription = f"/v1/{PROJECT}/subscriptions/bytes"
    pubsub.done("PUT", subscription, {"topic": f"{PROJECT}/topics/orders"})
    pubsub.done("POST", f"{TOPIC}:publish", {"messages": [{"data": data, "attributes": {"a": "b"}}]})

    [received] = pubsub.done("POST", f"{subscription}:pull", {"maxMessages": 1})["receivedMessages"]

    assert received["message"].get("data", "") == ("+/8=" if data else "")
    pubsub.done("DELETE", subscription)


@pytest.mark.parametrize("mask", ["message_retention_duration,labels", "messageRetentionDuration,labels"])
def test_a_mask_in_a_body(pubsub: Product, mask: str) -> None:
    """Its paths are in either form."""
    topic = {"name": f"{PROJECT}/topics/orders", "messageRetentionDuration": "700s"}

    changed = pubsub.done("PATCH", TOPIC, {"topic": topic, "updateMask": mask})

    assert changed == {**topic, "state": "ACTIVE"}


@pytest.fixture(scope="module")
def firestore(cloud: Cloud) -> Product:
    return Product(cloud, "firestore.googleapis.com")


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("/v1/{name=projects/*/topics/*}", "/v1/projects/p/topics/t", {"name": "projects/p/topics/t"}),
        ("/v1/{name=projects/*/topics/*}", "/v1/projects/p/topics/t/u", None),
        ("/v1/{name=projects/*/topics/*}", "/v1/projects//topics/t", None),
        (
            "/v1/{name=projects/*}:clone",
            "/v1/projects/example.com:p:clone",
            {"name": "projects/example.com:p"},
        ),
        ("/v1/{name=projects/*}:clone", "/v1/projects/p", None),
        ("/v1/{topic.name=projects/*}", "/v1/projects/p", {"topic__name": "projects/p"}),
        ("/v1/{resource=**}:getIamPolicy", "/v1/a/b/c:getIamPolicy", {"resource": "a/b/c"}),
        ("/v1/{parent=a/*}/{id}", "/v1/a/b/c", {"parent": "a/b", "id": "c"}),
        ("/v1/{name=a/**}/{id}", "/v1/a/c", {"name": "a", "id": "c"}),
        ("/v1/{name=a/**}/{id}", "/v1/a/b/b/c", {"name": "a/b/b", "id": "c"}),
        ("/v1/{name=documents/*/**}", "/v1/documents/a/b", {"name": "documents/a/b"}),
        ("/v1/{name=documents/*/**}", "/v1/documents/a/b/c", None),
        ("/v1/{name=documents/*/**}/{id}", "/v1/documents/a/b/c", {"name": "documents/a/b", "id": "c"}),
    ],
)
def test_a_template(template: str, path: str, expected: dict[str, str] | None) -> None:
    """`*` is one segment, `**` any number; documents come in pairs; a verb ends the path."""
    found = compile_template(template).fullmatch(path)

    assert (found.groupdict() if found else None) == expected


def test_each_call_has_a_rest_form(cloud: Cloud) -> None:
    """Of each gRPC call of the cloud there is a route, but of those whose clients stream."""
    routed = {
        route.call
        for transports in SERVICES
        for route in build_routes(
            dict.fromkeys((*transports, OPERATIONS, POLICIES)), UNGENERATED["monitoring"]
        )
    }
    missing = {call for call in cloud.calls if call.startswith("google.")} - routed

    assert {call.rpartition("/")[2] for call in missing} == STREAMS


def test_a_body_that_is_the_whole_request(pubsub: Product) -> None:
    """Its fields, those of the path, and a mask that names fields as JSON does."""
    changed = {"topic": {"labels": {"c": "d"}, "messageRetentionDuration": "3600s"}}

    answer = pubsub.done("PATCH", TOPIC, {**changed, "updateMask": "labels,messageRetentionDuration"})

    assert answer == {"name": f"{PROJECT}/topics/orders", "state": "ACTIVE", **changed["topic"]}


@pytest.mark.parametrize("mask", ["messageRetentionDuration", "message_retention_duration"])
def test_a_mask_among_the_parameters(pubsub: Product, mask: str) -> None:
    """It may name its fields as the proto does, and only those change."""
    changed = {"topic": {"labels": {"c": "d"}, "messageRetentionDuration": "3600s"}}

    answer = pubsub.done("PATCH", f"{TOPIC}?updateMask={mask}", changed)

    assert answer["labels"] == {"a": "b"}
    assert answer["messageRetentionDuration"] == "3600s"


def test_a_body_that_is_one_field(firestore: Product) -> None:
    """The rest of the request stands among the parameters, and an enum has its name."""
    body = {"type": "FIRESTORE_NATIVE", "locationId": "eur3", "deleteProtectionState": 1}

    operation = firestore.done("POST", f"/v1/{PROJECT}/databases?databaseId=ledger", body)

    assert operation["done"] is True
    made = operation["response"]
    assert made["@type"] == "type.googleapis.com/google.firestore.admin.v1.Database"
    assert (made["name"], made["locationId"]) == (f"{PROJECT}/databases/ledger", "eur3")
    assert (made["type"], made["concurrencyMode"]) == ("FIRESTORE_NATIVE", "PESSIMISTIC")


def test_parameters_that_are_nested_and_repeated(firestore: Product) -> None:
    """64-bit numbers are texts in both directions."""
    path = f"{DOCUMENTS}/books/one"
    fields = {"pages": {"integerValue": "9007199254740993"}, "sold": {"booleanValue": True}}
    firestore.done("PATCH", f"{path}?currentDocument.exists=false", {"fields": fields})

    shown = firestore.get(f"{path}?mask.fieldPaths=pages&mask.fieldPaths=title&$prettyPrint=false")

    assert shown["fields"] == {"pages": {"integerValue": "9007199254740993"}}
    assert firestore.refused("PATCH", f"{path}?currentDocument.exists=false", {}) == "ALREADY_EXISTS"
    listed = firestore.get(f"{DOCUMENTS}/books?pageSize=1&readTime={shown['updateTime']}")
    assert [one["name"] for one in listed["documents"]] == [shown["name"]]


def test_what_the_front_end_takes_for_itself(pubsub: Product) -> None:
    """System parameters are of every call; numbers for enums are given to who asks for them."""
    assert pubsub.get(f"{TOPIC}?alt=json&prettyPrint=false&fields=name&key=k")["state"] == "ACTIVE"
    assert pubsub.get(f"{TOPIC}?$alt=json;enum-encoding=int")["state"] == 1
    assert pubsub.refused("GET", f"{TOPIC}?alt=proto") == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("method", "path", "body", "why"),
    [
        ("PUT", TOPIC, {"labelz": {}}, 'Unknown name "labelz": Cannot find field.'),
        ("PUT", TOPIC, {"schemaSettings": {"a": 1}}, "Unknown name \"a\" at 'schemaSettings': Cannot find"),
        ("PUT", TOPIC, {"labels": 7}, "labels"),
        ("PUT", TOPIC, ["labels"], "Invalid JSON"),
        ("DELETE", TOPIC, {"force": True}, 'Unknown name "force"'),
        ("GET", f"{TOPIC}?force=true", None, 'Unknown name "force": Cannot bind query parameter.'),
        ("GET", f"/v1/{PROJECT}/topics?pageSize=few", None, "few"),
        ("GET", f"/v1/{PROJECT}/topics?pageSize.of=1", None, "Cannot bind query parameter"),
    ],
)
def test_a_request_that_cannot_be_read(pubsub: Product, method: str, path: str, body: Any, why: str) -> None:
    """Nothing that was sent is dropped: it is refused by its name."""
    assert pubsub.refused(method, path, body) == "INVALID_ARGUMENT"
    assert why in pubsub.ask(method, path, body).json()["error"]["message"]


def test_an_error_with_details(pubsub: Product) -> None:
    """Where a field is wrong is said once more for programs."""
    error = pubsub.ask("PUT", TOPIC, {"schemaSettings": {"a": 1}}).json()["error"]

    [detail] = error["details"]
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert detail["fieldViolations"][0]["field"] == "schemaSettings"


def test_refusals_of_the_service_itself(pubsub: Product) -> None:
    """They have the HTTP status that belongs to theirs; what is not served says so."""
    assert pubsub.refused("GET", f"{TOPIC}s") == "NOT_FOUND"
    assert pubsub.refused("PUT", TOPIC, {}) == "ALREADY_EXISTS"
    assert pubsub.refused("POST", f"/v1/{PROJECT}/schemas/s:rollback", {}) == "UNIMPLEMENTED"
    assert pubsub.refused("GET", "/v1/nothing") == "NOT_FOUND"


def test_a_stream_is_an_array(firestore: Product) -> None:
    """Its refusals stand in one, too."""
    firestore.done("POST", f"{DOCUMENTS}/shelves?documentId=a", {"fields": {}})
    firestore.done("POST", f"{DOCUMENTS}/shelves?documentId=b", {"fields": {}})
    query = {"structuredQuery": {"from": [{"collectionId": "shelves"}]}}

    found = firestore.done("POST", f"{DOCUMENTS}:runQuery", query)
    read = firestore.done("POST", f"{DOCUMENTS}:batchGet", {"documents": [found[1]["document"]["name"]]})
    refused = firestore.ask("POST", f"{DOCUMENTS}:runQuery", {"structuredQuery": {"limit": -1}})

    assert [one["document"]["name"].rpartition("/")[2] for one in found] == ["a", "b"]
    assert [one["found"]["name"] for one in read] == [found[1]["document"]["name"]]
    assert refused.status_code == 400
    [error] = refused.json()
    assert error["error"]["status"] == "INVALID_ARGUMENT"


def test_a_fault_meets_a_call_in_both_forms(cloud: Cloud, pubsub: Product) -> None:
    """Its name is that of the gRPC call."""
    called: list[str] = []

    def note(call: str, moment: CallMoment) -> None:
        called.append(f"{call} {moment}")

    cloud.faults.add(note)
    pubsub.get(TOPIC)
    cloud.faults.remove(note)

    assert called == [f"google.pubsub.v1.Publisher/GetTopic {moment}" for moment in CallMoment]


@pytest.mark.parametrize(
    ("host", "resource"),
    [
        ("pubsub.googleapis.com", f"/v1/{PROJECT}/topics/orders"),
        ("pubsub.googleapis.com", f"/v1/{PROJECT}/subscriptions/orders"),
        ("run.googleapis.com", f"/v2/{PARENT}/services/placeorder"),
    ],
)
def test_the_policy_of_a_resource(cloud: Cloud, pubsub: Product, host: str, resource: str) -> None:
    """It is read by GET, changed under its etag, and asked for permissions."""
    pubsub.ask("PUT", f"/v1/{PROJECT}/subscriptions/orders", {"topic": f"{PROJECT}/topics/orders"})
    product = Product(cloud, host)
    before = product.get(f"{resource}:getIamPolicy?options.requestedPolicyVersion=3")
    binding = {
        "role": "roles/run.invoker",
        "members": [f"serviceAccount:service-{project_number('shop')}@gcp-sa-pubsub.iam.gserviceaccount.com"],
    }

    policy = {"etag": before["etag"], "bindings": [binding]}
    after = product.done("POST", f"{resource}:setIamPolicy", {"policy": policy})

    assert after["bindings"] == [binding]
    assert product.get(f"{resource}:getIamPolicy") == after
    stale = {"policy": {"etag": "BwXhqDLGZ5s=", "bindings": []}}
    assert product.refused("POST", f"{resource}:setIamPolicy", stale) == "ABORTED"
    condition = {"expression": "true", "title": "always"}
    unversioned = {"policy": {"bindings": [{**binding, "condition": condition}]}}
    assert product.refused("POST", f"{resource}:setIamPolicy", unversioned) == "INVALID_ARGUMENT"
    asked = {"permissions": ["a.b.c"]}
    assert product.done("POST", f"{resource}:testIamPermissions", asked) == asked


@pytest.fixture
def proxied(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables by which the clients of this process reach the cloud."""
    authority = write_authority(tmp_path, cloud.identity.connection_details()["certificate"])
    variables = build_client_environment(cloud.addresses["proxy"], authority, cloud.home)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def rest(client: type[Any]) -> Any:
    return client(credentials=AnonymousCredentials(), transport="rest")


def create_topic() -> str:
    made: pubsub_types.Topic = rest(PublisherClient).create_topic(name=f"{PROJECT}/topics/by-rest")
    return str(made.name)


def list_subscriptions() -> str:
    return str(len(list(rest(SubscriberClient).list_subscriptions(project=f"{PROJECT}-empty"))))


def create_schema() -> str:
    asked = {"type_": "PROTOCOL_BUFFER", "definition": 'syntax = "proto3"; message A { string a = 1; }'}
    made: pubsub_types.Schema = rest(SchemaServiceClient).create_schema(
        parent=PROJECT, schema=asked, schema_id="by-rest"
    )
    return str(made.name)


def run_query() -> str:
    query = firestore_types.StructuredQuery(from_=[{"collection_id": "none"}])
    request = {"parent": DOCUMENTS.removeprefix("/v1/"), "structured_query": query}
    [answer] = rest(FirestoreClient).run_query(request=request)
    return str(answer.document.name)


def list_databases() -> str:
    listed = rest(firestore_admin_v1.FirestoreAdminClient).list_databases(parent=PROJECT)
    return str({one.name.rpartition("/")[2] for one in listed.databases} >= {"(default)", "orders"})


def update_service() -> str:
    client = rest(run_v2.ServicesClient)
    service = client.get_service(name=f"{PARENT}/services/placeorder")
    operation = client.update_service(service=service, update_mask={"paths": ["traffic"]})
    return str(operation.operation.name.partition("/operations/")[0])


def list_revisions() -> str:
    listed = rest(run_v2.RevisionsClient).list_revisions(parent=f"{PARENT}/services/placeorder")
    return str(len(list(listed)))


def get_function() -> str:
    client = rest(functions_v2.FunctionServiceClient)
    return str(client.get_function(name=f"{PARENT}/functions/placeOrder").state.name)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (create_topic, f"{PROJECT}/topics/by-rest"),
        (list_subscriptions, "0"),
        (create_schema, f"{PROJECT}/schemas/by-rest"),
        (run_query, ""),
        (list_databases, "True"),
        (update_service, PARENT),
        (list_revisions, "1"),
        (get_function, "ACTIVE"),
    ],
)
def test_googles_clients_by_rest(proxied: None, call: Callable[[], str], expected: str) -> None:
    """Each service by its own host, unchanged."""
    assert call() == expected


def test_an_error_that_googles_client_reads(proxied: None) -> None:
    """Of a plain call, and of one that streams."""
    with pytest.raises(exceptions.NotFound, match="projects/shop/topics/none"):
        rest(PublisherClient).get_topic(topic=f"{PROJECT}/topics/none")
    query = firestore_types.StructuredQuery(limit={"value": -1})
    request = {"parent": DOCUMENTS.removeprefix("/v1/"), "structured_query": query}
    with pytest.raises(exceptions.BadRequest, match="limit must not be negative"):
        list(rest(FirestoreClient).run_query(request=request))
