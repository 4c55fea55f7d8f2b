"""What happens to documents comes by Eventarc's triggers, as the embedded cloud plays them."""

import base64
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from google.api_core.exceptions import GoogleAPIError, NotFound

from local.application.request_counts import RequestTotals
from local.services.eventarc.filters import compile_filters, matches_filters
from tests.local.support.eventarc import (
    PATIENCE_SECONDS,
    TYPE,
    EventsWorld,
    Shop,
    event_data,
    shop_elsewhere,
    shop_within,
)
from tests.local.support.pubsub import Endpoint
from tests.local.support.rest import SHOP

LOCATION = "projects/shop/locations/europe-west1"
ROOT = "projects/shop/databases/(default)/documents"

AUDITED = {
    "destination": {"cloudRun": {"service": "mailer", "region": "europe-west1"}},
    "eventFilters": [{"attribute": "type", "value": "google.cloud.audit.log.v1.written"}],
    "labels": {"team": "mail"},
}


@pytest.fixture
def shop() -> Iterator[Shop]:
    with shop_within() as world:
        world.cloud.surroundings.accounts.provision("shop", "mail@shop.iam.gserviceaccount.com")
        yield world


def types_and_paths(received: list[object]) -> list[tuple[str, str]]:
    """What each event says has happened to which document."""
    said = [one.message.attributes for one in received]  # type: ignore[attr-defined]
    return [(one["ce-type"].removeprefix(TYPE), one["ce-document"]) for one in said]


def test_a_trigger_of_documents_has_a_topic_and_a_push_subscription(shop: Shop) -> None:
    """Both in the project, configured as Eventarc does; they are gone with the trigger."""
    made = shop.trigger(serviceAccount="mail@shop.iam.gserviceaccount.com")

    feed = made["transport"]["pubsub"]
    topic, subscription = feed["topic"], feed["subscription"]
    number = subscription.rpartition("-")[2]
    assert topic == f"projects/shop/topics/eventarc-europe-west1-mail-{number}"
    assert subscription == f"projects/shop/subscriptions/eventarc-europe-west1-mail-sub-{number}"
    assert shop.product.get(f"/v1/{LOCATION}/triggers")["triggers"] == [made]
    feeding = shop.subscription(made)
    assert feeding.topic == topic
    assert feeding.ack_deadline_seconds == 10
    assert feeding.message_retention_duration.total_seconds() == 86400
    assert feeding.retry_policy.minimum_backoff.total_seconds() == 10
    assert feeding.retry_policy.maximum_backoff.total_seconds() == 600
    endpoint = feeding.push_config.push_endpoint
    assert endpoint.startswith("https://mailer-")
    assert endpoint.endswith(".europe-west1.run.app?__GCP_CloudEventsMode=CE_PUBSUB_BINDING")
    assert feeding.push_config.oidc_token.service_account_email.startswith("mail@shop.")

    shop.product.done("DELETE", f"/v1/{LOCATION}/triggers/mail")
    with pytest.raises(NotFound):
        shop.subscriber.get_subscription(subscription=subscription)
    with pytest.raises(NotFound):
        shop.publisher.get_topic(topic=topic)
    assert shop.product.refused("GET", f"/v1/{LOCATION}/triggers/mail") == "NOT_FOUND"


@pytest.mark.parametrize(
    ("destination", "endpoint"),
    [
        (
            {"workflow": f"{LOCATION}/workflows/bill"},
            f"https://workflowexecutions.googleapis.com/v1/{LOCATION}/workflows/bill"
            ":triggerPubsubExecution?__GCP_CloudEventsMode=CE_PUBSUB_BINDING",
        ),
        (
            {"httpEndpoint": {"uri": "http://10.0.0.7/hook?key=x"}},
            "http://10.0.0.7/hook?key=x&__GCP_CloudEventsMode=CE_PUBSUB_BINDING",
        ),
        ({"gke": {"namespace": "shop", "service": "stock"}}, ""),
    ],
)
def test_where_events_are_pushed_to(shop: Shop, destination: dict[str, object], endpoint: str) -> None:
    """What pulls them by itself, as GKE does, has no endpoint."""
    made = shop.trigger(destination=destination)

    assert shop.subscription(made).push_config.push_endpoint == endpoint


def test_each_change_of_a_document_is_one_event(shop: Shop) -> None:
    """Created, updated, deleted: with what was before and what is after, and what differs."""
    subscription = shop.pause(shop.trigger())
    order = shop.database.document("orders/7")
    order.set({"state": "new", "who": {"name": "ann", "e-mail": "a@b.example"}})
    updated = order.update({"state": "paid", "who.`e-mail`": "b@b.example"}).update_time
    order.delete()

    made, changed, gone = shop.pull(subscription)

    said = dict(changed.message.attributes)
    assert said.pop("ce-id")
    assert len({one.message.attributes["ce-id"] for one in (made, changed, gone)}) == 3
    assert datetime.fromisoformat(said.pop("ce-time")) == updated
    assert said.pop("ce-dataschema").endswith("/google/events/cloud/firestore/v1/data.proto")
    assert said == {
        "ce-database": "(default)",
        "ce-datacontenttype": "application/protobuf",
        "ce-document": "orders/7",
        "ce-location": "europe-west1",
        "ce-namespace": "(default)",
        "ce-project": "shop",
        "ce-source": "//firestore.googleapis.com/projects/shop/databases/(default)",
        "ce-specversion": "1.0",
        "ce-subject": "documents/orders/7",
        "ce-type": "google.cloud.firestore.document.v1.written",
        "content-type": "application/protobuf",
    }
    before, between, after = (event_data(one.message.data) for one in (made, changed, gone))
    assert not before.HasField("old_value")
    assert not before.HasField("update_mask")
    assert before.value == between.old_value
    assert between.value == after.old_value
    assert between.value.name == f"{ROOT}/orders/7"
    assert between.value.update_time.ToDatetime(UTC) == updated
    assert between.value.fields["state"].string_value == "paid"
    assert between.update_mask.field_paths == ["state", "who.`e-mail`"]
    assert not after.HasField("value")
    assert not after.HasField("update_mask")


def test_a_write_that_changes_nothing_is_no_event(shop: Shop) -> None:
    """Neither the same data again, nor the deletion of what is not there.

    "An update to a Firestore document where data is unchanged (a no-op write) does not generate an
    update or write event": https://cloud.google.com/firestore/docs/extend-with-functions-2nd-gen
    (read 2026-11-27).
    """
    subscription = shop.pause(shop.trigger())
    shop.write("orders/7", "orders/7")
    shop.database.document("orders/8").delete()
    batch = shop.database.batch()
    batch.set(shop.database.document("orders/9"), {"state": "new"})
    batch.delete(shop.database.document("orders/9"))
    batch.commit()

    assert types_and_paths(shop.pull(subscription)) == [("written", "orders/7")]


def test_a_trigger_hears_of_its_type_database_and_documents_alone(shop: Shop) -> None:
    """Each has a topic of its own; two that hear of the same get an event each."""
    wanted = {
        "created": [("created", "orders/7")],
        "updated": [("updated", "orders/7")],
        "deleted": [("deleted", "orders/7")],
        "written": [("written", "orders/7")] * 3,
        "updated.withAuthContext": [("updated.withAuthContext", "orders/7")],
    }
    paused = {
        event: shop.pause(shop.trigger(event=event, name=f"t{number}")) for number, event in enumerate(wanted)
    }
    elsewhere = shop.pause(shop.trigger(database="orders", name="elsewhere"))
    for database in (shop.database, shop.database_of("copy")):
        for path in ("orders/7", "stock/7", "orders/7/lines/1"):
            database.document(path).set({"state": "new"})
            database.document(path).set({"state": "paid"})
            database.document(path).delete()

    received = {event: shop.pull(one) for event, one in paused.items()}

    assert {event: types_and_paths(found) for event, found in received.items()} == wanted
    assert shop.pull(elsewhere) == []
    for event, found in received.items():
        told = [one.message.attributes.get("ce-authtype") for one in found]
        assert told == (["unknown"] if "Auth" in event else [None] * len(found))


@pytest.mark.parametrize(
    ("pattern", "operator", "path", "fits"),
    [
        ("orders/7", "", "orders/7", True),
        ("orders/{order}", "", "orders/7", False),
        ("orders/{order}", "match-path-pattern", "orders/7", True),
        ("/orders/{order}/", "match-path-pattern", "orders/7", True),
        ("orders/{order=*}", "match-path-pattern", "orders/7", True),
        ("orders/*", "match-path-pattern", "orders/7/lines/1", False),
        ("orders/7*", "match-path-pattern", "orders/7a", True),
        ("orders/7*", "match-path-pattern", "orders/8", False),
        ("orders/{order}/lines/{line}", "match-path-pattern", "orders/7/lines/1", True),
        ("orders/**", "match-path-pattern", "orders/7/lines/1", True),
        ("orders/{rest=**}", "match-path-pattern", "orders/7", True),
        ("orders/**", "match-path-pattern", "stock/7", False),
        ("**/lines/*", "match-path-pattern", "orders/7/lines/1", True),
        ("orders/**/1", "match-path-pattern", "orders/1", True),
        ("orders/**/1", "match-path-pattern", "orders/11", False),
        ("o.ders/7", "match-path-pattern", "orders/7", False),
    ],
)
def test_patterns_of_paths(pattern: str, operator: str, path: str, fits: bool) -> None:
    """A star stays within a segment, two go through any number of them."""
    filters = compile_filters([{"attribute": "document", "value": pattern, "operator": operator}])

    assert matches_filters(filters, {"document": path}) == fits


def test_events_are_pushed_to_who_plays_the_host(shop: Shop) -> None:
    """As any push, with the token of the trigger's account; nobody there is a failure."""
    made = shop.trigger(serviceAccount="mail@shop.iam.gserviceaccount.com")
    shop.write("orders/7")
    shop.settle()

    with Endpoint(lambda _: 204).listening() as mailer:
        shop.play(made, urlsplit(mailer.url).netloc)
        shop.advance(seconds=10)
        pushed = mailer.next()

    assert pushed.path == "/?__GCP_CloudEventsMode=CE_PUBSUB_BINDING"
    assert pushed.headers["Host"].startswith("mailer-")
    assert pushed.headers["Authorization"].startswith("Bearer ")
    assert pushed.body["subscription"] == made["transport"]["pubsub"]["subscription"]
    assert pushed.body["message"]["attributes"]["ce-document"] == "orders/7"
    content = base64.b64decode(pushed.body["message"]["data"])
    assert event_data(content).value.fields["state"].string_value == "new"
    assert mailer.is_quiet()


def test_an_endpoint_on_loopback_needs_nobody_to_play_it(shop: Shop) -> None:
    """A trigger of an HTTP endpoint brings it its events."""
    with Endpoint(lambda _: 204).listening() as endpoint:
        shop.trigger(destination={"httpEndpoint": {"uri": endpoint.url}})
        shop.write("orders/7")
        shop.settle()

        assert endpoint.next().body["message"]["attributes"]["ce-document"] == "orders/7"


def test_events_wait_while_nothing_is_pushed(shop: Shop) -> None:
    """They can be pulled and acknowledged; what was not acknowledged is pushed afterwards."""
    made = shop.trigger()
    subscription = made["transport"]["pubsub"]["subscription"]
    before = shop.subscription(made)
    with Endpoint(lambda _: 204).listening() as mailer:
        shop.play(made, urlsplit(mailer.url).netloc)
        shop.pause(made)
        shop.write("orders/0", "orders/1", "orders/2")
        shop.settle()
        assert mailer.is_quiet()
        first, *others = shop.pull(subscription)
        shop.subscriber.acknowledge(subscription=subscription, ack_ids=[first.ack_id])
        shop.subscriber.modify_ack_deadline(
            subscription=subscription, ack_ids=[one.ack_id for one in others], ack_deadline_seconds=0
        )

        push = before.push_config
        shop.subscriber.modify_push_config(subscription=subscription, push_config=push)
        shop.advance(seconds=10)

        assert shop.subscription(made) == before
        arrived = [mailer.next().body["message"]["attributes"]["ce-document"] for _ in others]
        assert sorted(arrived) == ["orders/1", "orders/2"]
        assert mailer.is_quiet()


def test_documents_start_a_function(shop: Shop) -> None:
    """Its trigger is Functions' own; what it is brought is a request, and remembered."""
    trigger = shop.hear()
    function, application = shop.function(), shop.cloud.application(SHOP.system)
    application.remove_traffic("placeOrder")  # by everybody else
    started = shop.cloud.clock.now()

    shop.write("orders/7")
    shop.settle()

    assert trigger["eventFilters"] == [
        {"attribute": "type", "value": f"{TYPE}written"},
        {"attribute": "database", "value": "(default)"},
        {"attribute": "document", "value": "orders/{order}", "operator": "match-path-pattern"},
    ]
    found = shop.subscription(trigger)
    assert found.ack_deadline_seconds == 600
    assert urlsplit(found.push_config.push_endpoint).netloc == urlsplit(function.service_config.uri).netloc
    assert function.event_trigger.trigger == trigger["name"]
    assert function.event_trigger.event_type == f"{TYPE}written"
    by = [(one.attribute, one.value) for one in function.event_trigger.event_filters]
    assert by == [("database", "(default)"), ("document", "orders/{order}")]
    assert shop.arrived() == [("orders/7", 200)]
    asked = application.requests("placeOrder", started, started + timedelta(microseconds=1))
    assert asked == RequestTotals(1, 0)


def test_many_events_at_once_and_large_ones(shop: Shop) -> None:
    """A function that takes them all is brought each just once."""
    shop.hear()
    writes = shop.database.batch()
    for number in range(500):
        writes.set(shop.database.document(f"orders/{number:03}"), {"state": "new"})
    writes.commit()
    for letter in "ab":
        shop.database.document("orders/large").set({"text": letter * 1_000_000})
    shop.settle()

    every = [f"orders/{number:03}" for number in range(500)] + ["orders/large"] * 2
    assert sorted(shop.arrived()) == [(path, 200) for path in every]


def test_events_wait_for_a_function_that_fails(shop: Shop) -> None:
    """They come again, and are counted until one of its revisions takes them."""
    shop.hear()
    application = shop.cloud.application(SHOP.system)
    application.degrade("placeOrder", failure_rate=1.0)
    shop.write("orders/0", "orders/1")
    shop.settle()
    shop.advance(minutes=10)
    assert shop.waiting() == [2]
    failed = shop.arrived()
    assert {status for _, status in failed} == {500}

    application.degrade("placeOrder", failure_rate=0.0)
    shop.advance(minutes=10)

    assert shop.waiting() == [0]
    assert sorted(shop.arrived()[len(failed) :]) == [("orders/0", 200), ("orders/1", 200)]


def test_the_trigger_of_a_function_goes_with_it(shop: Shop) -> None:
    """Nothing is left of it in Pub/Sub, and nothing hears any more."""
    subscription = shop.hear()["transport"]["pubsub"]["subscription"]

    shop.cloud.application(SHOP.system).delete("placeOrder")

    assert "triggers" not in shop.product.get(f"/v1/{LOCATION}/triggers")
    with pytest.raises(NotFound):
        shop.subscriber.get_subscription(subscription=subscription)
    shop.write("orders/7")
    shop.settle()
    assert shop.arrived() == []


def test_a_function_hears_after_a_restart(tmp_path: Path) -> None:
    """What it was brought before is known, and more comes."""
    with shop_within(tmp_path) as shop:
        shop.hear()
        shop.write("orders/7")
        shop.settle()

    with shop_within(tmp_path) as shop:
        assert shop.arrived() == [("orders/7", 200)]
        shop.write("orders/8")
        shop.settle()
        assert shop.arrived() == [("orders/7", 200), ("orders/8", 200)]


def test_what_was_committed_is_published_by_the_next_cloud(tmp_path: Path) -> None:
    """Pub/Sub ends between a commit and its event: the event comes after the restart, once."""
    with shop_within(tmp_path) as shop:
        subscription = shop.pause(shop.trigger())
        shop.cloud.pubsub.close()
        shop.database.document("orders/7").create({"state": "new"})

    with shop_within(tmp_path) as shop:
        (received,) = shop.pull(subscription)
        assert types_and_paths([received]) == [("written", "orders/7")]
        shop.subscriber.acknowledge(subscription=subscription, ack_ids=[received.ack_id])
        shop.write("orders/8")

    with shop_within(tmp_path) as shop:
        assert types_and_paths(shop.pull(subscription)) == [("written", "orders/8")]


def test_a_killed_cloud_has_lost_no_event(tmp_path: Path) -> None:
    """After kill -9 in the midst of writing there is an event of every document that there is."""
    many = threading.Event()

    def write(shop: EventsWorld) -> None:
        with suppress(GoogleAPIError):
            for number in itertools.count():
                shop.database.document(f"orders/{number}").create({}, retry=None, timeout=60)
                if number == 50:
                    many.set()

    with shop_elsewhere(tmp_path) as (shop, process), ThreadPoolExecutor() as writing:
        subscription = shop.pause(shop.trigger())
        written = writing.submit(write, shop)
        assert many.wait(PATIENCE_SECONDS)
        process.kill()
        written.result()

    with shop_elsewhere(tmp_path) as (shop, _):
        there = {one.id for one in shop.database.collection("orders").stream()}
        heard: list[tuple[str, str]] = []
        while received := shop.pull(subscription):
            heard += types_and_paths(received)

    assert len(there) > 50
    assert {path for _, path in heard} == {f"orders/{one}" for one in there}


@pytest.mark.parametrize("trigger", ["", "T%20T", "Mail", "9mail", "mail-", "m" * 64])
def test_a_trigger_with_a_name_that_cannot_be(shop: Shop, trigger: str) -> None:
    """Small letters, digits and hyphens, a letter first."""
    path = f"/v1/{LOCATION}/triggers?triggerId={trigger}"

    assert shop.product.refused("POST", path, AUDITED) == "INVALID_ARGUMENT"


def test_an_account_that_is_not_there(shop: Shop) -> None:
    """Nobody pushes as one."""
    path, email = f"/v1/{LOCATION}/triggers?triggerId=mail", "nobody@shop.iam.gserviceaccount.com"

    assert shop.product.refused("POST", path, {**AUDITED, "serviceAccount": email}) == "NOT_FOUND"


def test_validation_alone_changes_nothing(shop: Shop) -> None:
    """Neither a creation nor a deletion is carried out, and what is wrong is refused."""
    triggers, trigger = f"/v1/{LOCATION}/triggers", f"/v1/{LOCATION}/triggers/audited"
    shop.product.done("POST", f"{triggers}?triggerId=audited&validateOnly=true", AUDITED)
    assert shop.product.refused("GET", trigger) == "NOT_FOUND"
    shop.product.done("POST", f"{triggers}?triggerId=audited", AUDITED)

    shop.product.done("DELETE", f"{trigger}?validateOnly=true")

    assert shop.product.get(trigger)["labels"] == AUDITED["labels"]
    again = f"{triggers}?triggerId=audited&validateOnly=true"
    assert shop.product.refused("POST", again, AUDITED) == "ALREADY_EXISTS"


def test_a_trigger_at_another_etag_is_not_deleted(shop: Shop) -> None:
    """And one that is gone is deleted where that may be."""
    trigger = f"/v1/{LOCATION}/triggers/audited"
    shop.product.done("POST", f"/v1/{LOCATION}/triggers?triggerId=audited", AUDITED)
    etag = shop.product.get(trigger)["etag"]

    assert shop.product.refused("DELETE", f"{trigger}?etag=other") == "ABORTED"
    shop.product.done("DELETE", f"{trigger}?etag={etag}")

    assert shop.product.refused("DELETE", trigger) == "NOT_FOUND"
    shop.product.done("DELETE", f"{trigger}?allowMissing=true")
