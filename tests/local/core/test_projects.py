"""A project is the same one by its number and by its id, wherever a request names it."""

from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.cloud.firestore_v1.types import CommitRequest, GetDocumentRequest
from google.cloud.run_v2 import ServicesClient
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from local.application.names import project_number
from local.cloud import Cloud
from tests.local.support.rest import Product, running

NUMBER = project_number("shop")
BY_NUMBER, BY_ID = f"projects/{NUMBER}", "projects/shop"
PLACE = "locations/europe-west1"
STORAGE = "storage.googleapis.com"


def channel(cloud: Cloud, service: str) -> grpc.Channel:
    return grpc.insecure_channel(cloud.addresses[service])


def publisher(cloud: Cloud) -> PublisherClient:
    return PublisherClient(transport=PublisherGrpcTransport(channel=channel(cloud, "pubsub")))


@pytest.fixture(scope="module")
def subscriber(cloud: Cloud) -> SubscriberClient:
    return SubscriberClient(transport=SubscriberGrpcTransport(channel=channel(cloud, "pubsub")))


def storage(cloud: Cloud, method: str, path: str, body: Any = None) -> Any:
    answer = httpx.request(
        method, f"http://{cloud.addresses['storage']}/storage/v1/{path}", json=body, trust_env=False
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_lists_by_grpc(cloud: Cloud) -> None:
    """Each shows what it shows by the id."""
    run = ServicesClient(transport=ServicesGrpcTransport(channel=channel(cloud, "run")))
    topics, services = publisher(cloud).list_topics, run.list_services

    assert [*topics(project=BY_NUMBER)] == [*topics(project=BY_ID)] != []
    by_number = services(parent=f"{BY_NUMBER}/{PLACE}")
    assert [*by_number] == [*services(parent=f"{BY_ID}/{PLACE}")] != []


def test_a_name_inside_a_message(cloud: Cloud, subscriber: SubscriberClient) -> None:
    """The topic of a subscription, by gRPC and by REST."""
    topic, name = f"{BY_NUMBER}/topics/rollback-alerts", f"{BY_NUMBER}/subscriptions/by-number"
    made = subscriber.create_subscription(name=name, topic=topic)
    by_rest = Product(cloud, "pubsub.googleapis.com").done("PUT", f"/v1/{name}-too", {"topic": topic})

    assert made.name == f"{BY_ID}/subscriptions/by-number"
    assert made.topic == by_rest["topic"] == f"{BY_ID}/topics/rollback-alerts"


def test_text_of_a_client_stays(cloud: Cloud, subscriber: SubscriberClient) -> None:
    """A message's attributes are no names, whatever they look like."""
    topic, name = f"{BY_NUMBER}/topics/rollback-alerts", f"{BY_ID}/subscriptions/attributes"
    subscriber.create_subscription(name=name, topic=topic)
    publisher(cloud).publish(topic=topic, messages=[{"attributes": {"project": BY_NUMBER}}])

    [received] = subscriber.pull(subscription=name, max_messages=1).received_messages

    assert received.message.attributes == {"project": BY_NUMBER}


def test_descriptions_and_titles_stay(cloud: Cloud) -> None:
    """They are texts for people, in every product, by REST and by gRPC."""
    text = f"{BY_NUMBER}/checkout"
    monitoring = Product(cloud, "monitoring.googleapis.com")
    channel = {"type": "sms", "labels": {"number": "1"}, "displayName": text, "description": text}
    tile = {"title": text, "text": {"content": text}}
    dashboard = {"displayName": text, "gridLayout": {"widgets": [tile]}}
    function = {
        "description": text,
        "buildConfig": {
            "runtime": "python311",
            "source": {"storageSource": {"bucket": "none", "object": "none"}},
        },
    }
    template = {"version": {"description": text}}

    made = monitoring.done("POST", f"/v3/{BY_ID}/notificationChannels", channel)
    board = monitoring.done("POST", f"/v1/{BY_ID}/dashboards", dashboard)
    functions = Product(cloud, "cloudfunctions.googleapis.com")
    functions.done("POST", f"/v2/{BY_ID}/{PLACE}/functions?functionId=described", function)
    config = Product(cloud, "firebaseremoteconfig.googleapis.com").done(
        "PUT", f"/v1/{BY_ID}/remoteConfig", template, {"If-Match": "*"}
    )

    assert (made["displayName"], made["description"]) == (text, text)
    assert (board["displayName"], board["gridLayout"]["widgets"]) == (text, [tile])
    assert functions.get(f"/v2/{BY_ID}/{PLACE}/functions/described")["description"] == text
    assert config["version"]["description"] == text


def test_a_document(cloud: Cloud) -> None:
    """The project of its name is resolved, its content stays, and so does the rest of its path."""
    firestore = FirestoreGrpcTransport(channel=channel(cloud, "firestore"))
    there = f"databases/rollback/documents/projects/{NUMBER}"
    fields = {"text": {"string_value": f"{BY_NUMBER}/x"}, "to": {"reference_value": f"{BY_NUMBER}/{there}"}}
    write = {"update": {"name": f"{BY_NUMBER}/{there}", "fields": fields}}
    firestore.commit(CommitRequest(database=f"{BY_NUMBER}/databases/rollback", writes=[write]))

    found = firestore.get_document(GetDocumentRequest(name=f"{BY_ID}/{there}"))

    assert found.fields["text"].string_value == f"{BY_NUMBER}/x"
    assert found.fields["to"].reference_value == f"{BY_ID}/{there}"


def test_a_bucket(cloud: Cloud) -> None:
    """It is in the project that the number stands for, and so is the agent."""
    made = storage(cloud, "POST", f"b?project={NUMBER}", {"name": "by-number"})

    assert made["projectNumber"] == str(NUMBER)
    assert made in storage(cloud, "GET", "b?project=shop")["items"]
    assert storage(cloud, "GET", f"{BY_NUMBER}/serviceAccount") == storage(
        cloud, "GET", f"{BY_ID}/serviceAccount"
    )


def test_a_name_inside_a_body(cloud: Cloud) -> None:
    """The name of a job, the role of a grant."""
    name, target = f"{BY_NUMBER}/{PLACE}/jobs/hourly", {"uri": "https://shop.example"}
    job = {"name": name, "schedule": "* * * * *", "httpTarget": target}
    roles, role = Product(cloud, "iam.googleapis.com"), {"title": "Looks", "includedPermissions": []}
    roles.done("POST", f"/v1/{BY_ID}/roles", {"roleId": "looks", "role": role})
    binding = {"role": f"{BY_NUMBER}/roles/looks", "members": ["user:ann@example.com"]}

    made = Product(cloud, "cloudscheduler.googleapis.com").done("POST", f"/v1/{BY_ID}/{PLACE}/jobs", job)
    policy = Product(cloud, "cloudresourcemanager.googleapis.com").done(
        "POST", f"/v1/{BY_NUMBER}:setIamPolicy", {"policy": {"bindings": [binding]}}
    )
    granted = storage(cloud, "PUT", "b/shop-rollback-audit/iam", {"bindings": [binding]})

    assert made["name"] == f"{BY_ID}/{PLACE}/jobs/hourly"
    assert policy["bindings"][0]["role"] == granted["bindings"][0]["role"] == f"{BY_ID}/roles/looks"


def test_people_of_a_project(cloud: Cloud) -> None:
    """The front door knows a project by its number too."""
    host = "identitytoolkit.googleapis.com"
    answer = httpx.post(
        f"http://{cloud.addresses['control']}/v2/{BY_NUMBER}/identityPlatform:initializeAuth",
        headers={"Host": host},
        trust_env=False,
    )

    assert (answer.status_code, answer.json()) == (200, {})


def test_a_restart_keeps_numbers(tmp_path: Path) -> None:
    """Also of a project that one request alone has named."""
    number = project_number("elsewhere")
    with running(tmp_path) as cloud:
        publisher(cloud).create_topic(name="projects/elsewhere/topics/orders")

    with running(tmp_path) as cloud:
        found = publisher(cloud).get_topic(topic=f"projects/{number}/topics/orders")

        assert found.name == "projects/elsewhere/topics/orders"
