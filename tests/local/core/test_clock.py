"""One clock moves the whole cloud: hours and weeks pass in a moment, and always alike."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import FailedPrecondition
from google.cloud import firestore, pubsub_v1
from google.cloud.firestore_admin_v1 import Field, FirestoreAdminClient
from google.cloud.firestore_admin_v1.services.firestore_admin.transports.grpc import (
    FirestoreAdminGrpcTransport,
)
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports.grpc import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

from local.cloud import Cloud
from local.core.clock import CloudClock
from tests.local.support.run import MINUTE, ORIGIN, policy, signal
from tests.local.support.subscription import Mailbox
from tests.support.runtime.embedded_cloud import embedded_cloud

DAY = timedelta(days=1)
TOPIC = "projects/shop/topics/rollback-work"
KEPT = "projects/shop/subscriptions/kept"
SIGNALS = {"function_failure_rate": signal(0.5, 2 * MINUTE)}


@contextmanager
def running(
    monkeypatch: pytest.MonkeyPatch, clock: CloudClock | None = None, *, alerter: bool = False
) -> Iterator[tuple[Cloud, firestore.Client]]:
    """A cloud whose clock stands still unless one is given, and a client of its documents."""
    clock = clock or CloudClock(ORIGIN, scale=0)
    with embedded_cloud(
        policy(SIGNALS), clock=clock, alerter=alerter, ticks=True, point_in_time_recovery=True
    ) as cloud:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", cloud.addresses["firestore"])
        with closing(firestore.Client(project="shop")) as client:
            yield cloud, client


def pass_time(cloud: Cloud, by: timedelta) -> None:
    cloud.clock.advance(by)
    cloud.settle()


class Kept:
    """A subscription with the default retention, from which nothing has been taken yet."""

    def __init__(self, cloud: Cloud) -> None:
        channel = grpc.insecure_channel(cloud.addresses["pubsub"])
        self._subscriber = pubsub_v1.SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        self._publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        self._subscriber.create_subscription({"name": KEPT, "topic": TOPIC})

    def publish(self, text: str) -> None:
        self._publisher.publish(topic=TOPIC, messages=[{"data": text.encode()}])

    def look(self) -> list[str]:
        """What is there, given back at once."""
        request = {"subscription": KEPT, "max_messages": 100, "return_immediately": True}
        with pytest.warns(DeprecationWarning, match="return_immediately"):
            received = self._subscriber.pull(request).received_messages
        if received:
            self._subscriber.modify_ack_deadline(
                subscription=KEPT, ack_ids=[one.ack_id for one in received], ack_deadline_seconds=0
            )
        return [one.message.data.decode() for one in received]

    def close(self) -> None:
        self._subscriber.close()


def test_message_is_kept_for_seven_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default retention of a subscription holds to the second, and no longer."""
    with running(monkeypatch) as (cloud, _):
        kept = Kept(cloud)
        kept.publish("first")
        pass_time(cloud, 3 * DAY)
        kept.publish("second")

        pass_time(cloud, 4 * DAY - timedelta(seconds=1))
        assert kept.look() == ["first", "second"]
        pass_time(cloud, timedelta(seconds=1))
        assert kept.look() == ["second"]
        pass_time(cloud, 3 * DAY)
        assert kept.look() == []
        kept.close()


def test_past_can_be_read_for_seven_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Point-in-time recovery reaches back to the minute for a week, and no further."""
    with running(monkeypatch) as (cloud, client):
        document = client.document("things/one")
        document.set({"version": 1})
        pass_time(cloud, MINUTE)
        document.set({"version": 2})

        pass_time(cloud, 7 * DAY - MINUTE)
        assert document.get(read_time=ORIGIN + MINUTE).get("version") == 1
        pass_time(cloud, MINUTE + timedelta(microseconds=1))
        with pytest.raises(FailedPrecondition):
            document.get(read_time=ORIGIN + MINUTE)
        assert document.get().get("version") == 2


def test_document_expires_in_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time to live of thirty days is over within the thirty-first."""
    with running(monkeypatch) as (cloud, client):
        expire(cloud, "sessions", "expires_at")
        client.document("sessions/one").set({"expires_at": ORIGIN + 30 * DAY})

        pass_time(cloud, 30 * DAY - MINUTE)
        assert client.document("sessions/one").get().exists
        pass_time(cloud, MINUTE + DAY)
        assert not client.document("sessions/one").get().exists


def expire(cloud: Cloud, group: str, field: str) -> None:
    name = f"projects/shop/databases/(default)/collectionGroups/{group}/fields/{field}"
    with grpc.insecure_channel(cloud.addresses["firestore"]) as channel:
        transport = FirestoreAdminGrpcTransport(channel=channel)
        FirestoreAdminClient(transport=transport).update_field(
            request={
                "field": Field(name=name, ttl_config=Field.TtlConfig()),
                "update_mask": {"paths": ["ttl_config"]},
            }
        )


def test_half_an_hour_is_thirty_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch of thirty minutes has every tick and no alert."""
    with running(monkeypatch, alerter=True) as (cloud, _):
        ticks = Mailbox(cloud, "rollback-clock")
        for _ in range(30):
            pass_time(cloud, MINUTE)

        assert len(ticks.empty()) == 30
        assert not cloud.alerter("bookshop").incidents
        ticks.close()


def test_same_steps_lead_to_the_same_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alerts, their ids, documents and messages are what they were the last time."""

    def world() -> dict[str, Any]:
        with running(monkeypatch, alerter=True) as (cloud, client):
            kept = Kept(cloud)
            cloud.records("bookshop").write(10)
            pass_time(cloud, 5 * MINUTE)
            application = cloud.application("bookshop")
            application.deploy(["placeOrder"], release="r2", failure_rate=0.9, corruption=0.2)
            for number in range(10):
                kept.publish(str(number))
                pass_time(cloud, MINUTE)
            documents = client.collection("records").stream()
            seen = {
                "incidents": cloud.alerter("bookshop").incidents,
                "documents": {one.id: (one.update_time, one.to_dict()) for one in documents},
                "damaged": cloud.records("bookshop").damaged_documents(),
                "messages": kept.look(),
                "now": cloud.clock.now(),
            }
            kept.close()
            return seen

    first = world()
    assert first["incidents"]
    assert first["damaged"]
    assert world() == first


def test_scaled_clock_moves_every_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """At ten days a second a week is over at once, for messages as for documents."""
    clock = CloudClock(ORIGIN, scale=10 * DAY.total_seconds())
    with running(monkeypatch, clock) as (cloud, client):
        kept = Kept(cloud)
        kept.publish("first")
        expire(cloud, "sessions", "expires_at")
        written: datetime = client.document("sessions/one").set({"expires_at": ORIGIN}).update_time
        clock.wait(written + 8 * DAY)
        cloud.settle()

        assert kept.look() == []
        assert not client.document("sessions/one").get().exists
        kept.close()
