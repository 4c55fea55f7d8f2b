"""A repair of which triggers hear nothing, over the wire: Eventarc, Pub/Sub and Firestore embedded.

The application goes on writing by Google's own client meanwhile, and counts what it is told.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import grpc
from google.cloud import firestore
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from local import eventarc
from shared import silence as silences
from shared.documents import decode
from shared.rollback import Rollback
from shared.rollback import Status as RollbackStatus
from shared.silence import Silence
from shared.upheld import Status
from tests import person
from tests.e2e.conftest import NOON, WorldMaker
from tests.e2e.world import EXAMPLE, World, database, pass_time, until
from tests.local.eventarc_world import event_data
from tests.local.pubsub_world import Endpoint
from tests.local.rest_world import Product

MINUTE = timedelta(minutes=1)
COLLECTIONS = ("customers", "orders")
SUPPRESSED = EXAMPLE
for _name in COLLECTIONS:
    SUPPRESSED = SUPPRESSED.replace(f"\n  {_name}:\n", f"\n  {_name}:\n    on_repair: suppress\n")
SUPPRESSED = f"{SUPPRESSED}\nintegrity: {{ quiet: 2m }}\n"
Change = tuple[str, datetime]
"""The path of a document, and when it was written."""
SPOILT = 30


class Hearing:
    """A trigger on the documents of a collection, and what came by it."""

    def __init__(self, world: World, collection: str, subscriber: SubscriberClient) -> None:
        self.told: Counter[Change] = Counter()
        self.endpoint = Endpoint(lambda _: 204)
        self._subscriber = subscriber
        parent = f"/v1/projects/{world.policy.project}/locations/europe-west1/triggers"
        product = Product(world.cloud, eventarc.HOST)
        filters = [
            {"attribute": "type", "value": "google.cloud.firestore.document.v1.written"},
            {"attribute": "database", "value": "(default)"},
            {
                "attribute": "document",
                "value": f"{collection}/{{id}}",
                "operator": "match-path-pattern",
            },
        ]
        to = {"cloudRun": {"service": f"hears-{collection}", "region": "europe-west1"}}
        body = {"eventFilters": filters, "destination": to}
        product.done("POST", f"{parent}?triggerId=on-{collection}", body)
        made = product.get(f"{parent}/on-{collection}")
        self.subscription: str = made["transport"]["pubsub"]["subscription"]
        self.before = self.configuration()
        host = urlsplit(self.before.push_config.push_endpoint).hostname or ""
        world.cloud.played[host] = urlsplit(self.endpoint.url).netloc

    def configuration(self) -> Any:
        """All of its subscription."""
        return self._subscriber.get_subscription(subscription=self.subscription)

    def hear(self) -> None:
        """Count what has come since."""
        while not self.endpoint.is_quiet():
            event = event_data(base64.b64decode(self.endpoint.next().body["message"]["data"]))
            path = event.value.name.partition("/documents/")[2]
            self.told[path, event.value.update_time.ToDatetime(NOON.tzinfo)] += 1


@contextmanager
def hearing(world: World) -> Iterator[dict[str, Hearing]]:
    """One for each collection, while the body runs."""
    with grpc.insecure_channel(world.cloud.addresses["pubsub"]) as channel:
        subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        made = {name: Hearing(world, name, subscriber) for name in COLLECTIONS}
        with made["customers"].endpoint.listening(), made["orders"].endpoint.listening():
            yield made


def written(client: firestore.Client, path: str, fields: dict[str, Any]) -> Change:
    """One write of the application's."""
    return path, client.document(path).set(fields).update_time


@contextmanager
def at_work(client: firestore.Client) -> Iterator[Future[list[Change]]]:
    """All that the application writes while the body runs: each order new, then paid."""
    ended = Event()
    with ThreadPoolExecutor() as application:
        try:
            yield application.submit(_orders, client, ended)
        finally:
            ended.set()


def _orders(client: firestore.Client, ended: Event) -> list[Change]:
    done: list[Change] = []
    number = 0
    while not ended.wait(0.05):
        number += 1
        order = {"customer": "0", "status": "open", "amount": number}
        done.append(written(client, f"orders/own-{number}", order))
        done.append(written(client, f"orders/own-{number}", {**order, "status": "paid"}))
    return done


def in_status(world: World, status: RollbackStatus) -> Rollback | None:
    """The only rollback, once it has come that far."""
    found = world.rollback()
    return found if found is not None and found.status is status else None


def silence_of(world: World, *statuses: Status) -> Silence | None:
    """The silence, once it has come that far."""
    fields = world.wiring.store.get(silences.path("bookshop")).fields
    found = decode(Silence, fields) if fields else None
    return found if found is not None and found.status in statuses else None


def test_exactly_what_the_application_writes_is_told(new_world: WorldMaker) -> None:
    """At least once each, before, during and after the repair; nothing that the repair writes."""
    world = new_world(NOON, SUPPRESSED)
    customers = {f"customers/{n}": {"email": f"{n}@example.com"} for n in range(SPOILT)}
    with database(world, "(default)") as client, hearing(world) as heard:
        own = [written(client, path, fields) for path, fields in customers.items()]
        pass_time(world, 5 * MINUTE)
        own += [written(client, path, {"name": "Ada"}) for path in customers]
        pass_time(world, 15 * MINUTE)
        said = {"system": "bookshop", "scenario": "database", "restore_point": "15m"}
        world.command(command="rollback", **said)
        parked = until("the question", lambda: in_status(world, RollbackStatus.PARKED))
        assert parked.question is not None
        assert "(trigger on-customers) is told nothing" in str(parked.question.plan.reported)
        person.sign_in(world.cloud)
        with at_work(client) as orders:
            agreed = person.say("approve", parked.incident, "--reason", "a test")
            assert agreed.exit_code == 0, agreed.output
            until("its fall", lambda: silence_of(world, Status.FALLING, Status.DOWN))
            until(
                "the pushes",
                lambda: all(one.configuration() == one.before for one in heard.values()),
            )
        own += orders.result()
        there = {path: client.document(path).get().to_dict() for path in customers}
        pass_time(world, 6 * MINUTE)
        down = until("its end", lambda: silence_of(world, Status.DOWN))
        missing = {*own}

        def all_told() -> bool:
            for one in heard.values():
                one.hear()
            return missing <= {change for one in heard.values() for change in one.told}

        until("what is the application's own", all_told)

    assert there == customers
    told = {change for one in heard.values() for change in one.told}
    assert told == missing
    [of_customers] = [one for one in down.listeners if "on-customers" in one.hearer.name]
    assert (of_customers.kept_from, of_customers.expected) == (SPOILT, SPOILT)
    assert down.left == ()
    assert down.taken_at is not None
    assert down.falls_at is not None
    assert any(down.taken_at < at < down.falls_at for _, at in missing)
