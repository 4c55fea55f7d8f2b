"""The whole embedded cloud in one process: everything listens, and one clock moves it all."""

import json
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.cloud import firestore, functions_v2, run_v2
from google.cloud.functions_v2.services.function_service.transports.grpc import FunctionServiceGrpcTransport
from google.cloud.run_v2.services.services.transports.grpc import ServicesGrpcTransport
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports.grpc import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport
from msgspec.structs import replace

from local.cloud import ADDRESS_NAMES, Cloud
from local.installation.provisioning import TOPICS
from tests.local.support.pubsub import Endpoint
from tests.local.support.run import MINUTE, ORIGIN, PARENT, policy, shift, signal
from tests.local.support.subscription import Mailbox
from tests.support.runtime.embedded_cloud import embedded_cloud

SIGNALS = {"function_failure_rate": signal(0.5, 2 * MINUTE)}


living_cloud = partial(embedded_cloud, at=ORIGIN, alerter=True, ticks=True)
"""A cloud whose alerts and ticks come when its clock is moved."""


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with living_cloud(policy(SIGNALS)) as cloud:
        yield cloud


@pytest.fixture
def control(cloud: Cloud) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{cloud.addresses['control']}") as client:
        yield client


def test_every_address_answers_its_own_client(cloud: Cloud) -> None:
    """Google's clients find functions, services and documents behind their addresses."""
    assert set(cloud.addresses) == set(ADDRESS_NAMES)
    assert all(address.startswith("127.0.0.1:") for address in cloud.addresses.values())
    with (
        grpc.insecure_channel(cloud.addresses["run"]) as run,
        grpc.insecure_channel(cloud.addresses["functions"]) as functions,
    ):
        services = run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=run))
        catalogue = functions_v2.FunctionServiceClient(
            transport=FunctionServiceGrpcTransport(channel=functions)
        )
        assert len(list(services.list_services(parent=PARENT))) == 4
        assert len(list(catalogue.list_functions(parent=PARENT))) == 4


def test_alert_goes_out_once_opened_and_once_closed(cloud: Cloud) -> None:
    """A bad release is alerted on the topic, and a rollback through Cloud Run ends the alert."""
    alerts = Mailbox(cloud, "rollback-alerts")
    application = cloud.application("bookshop")
    old = application.service("placeorder").revisions[0].name
    application.deploy(["placeOrder"], release="r2", failure_rate=1.0)
    pass_minutes(cloud, 5)

    with grpc.insecure_channel(cloud.addresses["run"]) as channel:
        shift(channel, old)
    pass_minutes(cloud, 5)

    told = [json.loads(body)["incident"] for body in alerts.empty()]
    assert [one["state"] for one in told] == ["open", "closed"]
    assert len({one["incident_id"] for one in told}) == 1
    alerts.close()


def pass_minutes(cloud: Cloud, minutes: int) -> None:
    for _ in range(minutes):
        cloud.clock.advance(MINUTE)
        cloud.settle()


def test_clock_ticks_once_a_minute_and_never_catches_up(cloud: Cloud) -> None:
    """Each minute passed by itself is a tick; an hour at once is one."""
    ticks = Mailbox(cloud, "rollback-clock")
    pass_minutes(cloud, 3)
    assert ticks.empty() == [b"{}"] * 3

    cloud.clock.advance(60 * MINUTE)
    cloud.settle()
    assert ticks.empty() == [b"{}"]
    ticks.close()


def test_control_plane_moves_the_clock(cloud: Cloud, control: httpx.Client) -> None:
    """The answer is the new time, and alerts and ticks have followed when it comes."""
    ticks = Mailbox(cloud, "rollback-clock")
    assert control.get("/_cloud/clock").json() == {
        "now": ORIGIN.isoformat(),
        "origin": ORIGIN.isoformat(),
        "scale": 0.0,
        "pace": 0.0,
    }

    moved = control.post("/_cloud/clock", json={"advance": 90.5}).json()

    assert moved["now"] == "2026-03-01T12:01:30.500000+00:00"
    assert ticks.empty() == [b"{}"]
    control.post("/_cloud/tick")
    assert ticks.empty() == [b"{}"]
    ticks.close()


def test_control_plane_lets_an_address_play_a_host(cloud: Cloud, control: httpx.Client) -> None:
    """What is pushed to a service of Cloud Run reaches the process that plays it here."""
    endpoint = Endpoint(lambda _: 200)
    project = cloud.home
    with endpoint.listening(), grpc.insecure_channel(cloud.addresses["pubsub"]) as channel:
        player = {"host": "worker-1.us-east1.run.app", "address": endpoint.url.split("/")[2]}
        assert control.post("/_cloud/played", json=player).json() == {}
        subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        subscriber.create_subscription(
            {
                "name": f"projects/{project}/subscriptions/work-push",
                "topic": f"projects/{project}/topics/rollback-work",
                "push_config": {"push_endpoint": "https://worker-1.us-east1.run.app/work"},
            }
        )
        cloud.publish(f"projects/{project}/topics/rollback-work", b"an order")

        pushed = endpoint.next()

    assert (pushed.text, pushed.headers["Host"]) == ("an order", "worker-1.us-east1.run.app")


def test_without_an_installation_terraform_finds_nothing_of_its_own() -> None:
    """Neither topics nor buckets; alerts and ticks go nowhere, and the cloud goes on."""
    with living_cloud(policy(SIGNALS), installation=False) as cloud:
        cloud.application("bookshop").deploy(release="r2", failure_rate=1.0)
        pass_minutes(cloud, 5)  # neither an alert nor a tick has a topic
        assert [name for name in topics(cloud, cloud.home) if "/rollback-" in name] == []
        assert [bucket.name for bucket in cloud.buckets.of_project(cloud.home)] == []
        assert cloud.alerter("bookshop").incidents


def test_control_plane_deploys_and_tells_what_is_live(control: httpx.Client) -> None:
    """A group can be deployed by its name; the rest stays."""
    deployed = control.post(
        "/_cloud/deploy", json={"groups": ["orders"], "release": "r2", "failure_rate": 0.75}
    ).json()
    live = control.get("/_cloud/application").json()["bookshop"]

    assert set(deployed) == {"placeOrder", "payOrder"}
    revision = deployed["placeOrder"]["revision"]
    assert live["placeOrder"] == {
        "service": "placeorder",
        "revision": revision,
        "release": "r2",
        "failure_rate": 0.75,
        "traffic": {revision: 100},
        "serving": ["r2"],
    }
    assert live["findBook"]["release"] == "r1"


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "a clock that runs backwards": ("clock", {"advance": -1}),
    "a negative pace": ("clock", {"scale": -1}),
    "an unknown field": ("clock", {"faster": True}),
    "a deployment without a release": ("deploy", {}),
    "an unknown function": ("deploy", {"release": "r2", "functions": ["none"]}),
    "an unknown group": ("deploy", {"release": "r2", "groups": ["none"]}),
    "an unknown system": ("deploy", {"release": "r2", "system": "none"}),
    "a rate above one": ("deploy", {"release": "r2", "failure_rate": 1.5}),
}


@pytest.mark.parametrize(("path", "body"), WRONG.values(), ids=WRONG)
def test_control_request_that_cannot_be_is_refused(
    cloud: Cloud, control: httpx.Client, path: str, body: dict[str, Any]
) -> None:
    """It answers 400 with the reason, and nothing has changed."""
    answer = control.post(f"/_cloud/{path}", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]
    assert cloud.clock.now() == ORIGIN
    assert len(cloud.application("bookshop").service("placeorder").revisions) == 1


def test_front_door_answers_by_the_host_that_was_asked(cloud: Cloud, control: httpx.Client) -> None:
    """Function addresses, service addresses and declared hosts lead to the application."""
    cloud.application("bookshop").deploy(["placeOrder"], release="r2", failure_rate=1.0)

    def status(host: str, path: str, method: str = "GET") -> int:
        return control.request(method, path, headers={"Host": host}).status_code

    functions = "europe-west1-shop.cloudfunctions.net"
    assert status(functions, "/placeOrder") == 500
    assert status(functions, "/placeOrder", "POST") == 500
    assert status(functions, "/payOrder", "HEAD") == 200
    assert status("shop.example", "/") == 200
    assert status("shop.example", "/api/order") == 500
    assert status("elsewhere.example", "/") == 404
    assert status("shop.example", "/_cloud/clock") == 200  # the site's own page
    assert status("elsewhere.example", "/_cloud/clock") == 404
    assert status("127.0.0.1", "/_cloud/nothing") == 404


def test_addresses_are_told_by_the_control_plane(cloud: Cloud, control: httpx.Client) -> None:
    """Whoever knows one address finds the others."""
    assert control.get("/_cloud/addresses").json() == cloud.addresses


def test_everything_survives_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents, topics, releases, incidents and the time itself are found again."""
    with living_cloud(policy(SIGNALS), data=tmp_path) as first:
        first.application("bookshop").deploy(["placeOrder"], release="r2", failure_rate=1.0)
        pass_minutes(first, 5)
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", first.addresses["firestore"])
        with closing(firestore.Client(project="shop")) as store:
            store.document("rollbacks/one").set({"status": "RUNNING"})

    with living_cloud(policy(SIGNALS), data=tmp_path) as again:
        assert again.clock.now() == ORIGIN + 5 * MINUTE
        pass_minutes(again, 5)
        (incident,) = again.alerter("bookshop").incidents
        assert incident.ended_at is None
        assert again.application("bookshop").service("placeorder").latest_created.release == "r2"
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", again.addresses["firestore"])
        with closing(firestore.Client(project="shop")) as store:
            assert store.document("rollbacks/one").get().to_dict() == {"status": "RUNNING"}


def test_two_systems_live_side_by_side() -> None:
    """Each policy has its own application, topics and metrics; ticks go to one project."""
    other = replace(policy(SIGNALS), system="library", project="books")
    with living_cloud(policy(SIGNALS), other, operations_project="ops") as cloud:
        cloud.application("library").deploy(release="r2", failure_rate=1.0)
        pass_minutes(cloud, 5)

        assert topics(cloud, "ops") == {f"projects/ops/topics/{name}" for name in TOPICS}
        assert len(cloud.alerter("library").incidents) == 4
        assert not cloud.alerter("bookshop").incidents


def topics(cloud: Cloud, project: str) -> set[str]:
    with grpc.insecure_channel(cloud.addresses["pubsub"]) as channel:
        client = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        return {one.name for one in client.list_topics(project=f"projects/{project}")}


def test_nothing_listens_once_stopped() -> None:
    """After `stop` every port is free again, and starting on it works."""
    with living_cloud(policy()) as cloud:
        ports = {name: int(address.split(":")[1]) for name, address in cloud.addresses.items()}

    with living_cloud(policy(), ports=ports) as again:
        assert again.addresses == cloud.addresses
