"""`python -m benchmarks.silence`: what came while nobody was told, heard out, beside bare pulls.

A hundred thousand events of a repair wait in a subscription of the embedded Pub/Sub, and a tenth as
many of the application's. First all of as many again are pulled and acknowledged without a look;
then each is looked at, ours are acknowledged, and the application's are let go. The server runs in
this process, so that both sides of each call are in both figures.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from google.cloud.firestore_v1 import types

from responders.silences.listening import Listening
from shared import quarantine
from shared.documents import encode
from shared.feeds import Feeds
from shared.gcp.channels import Clients
from shared.gcp.feeds import PubSubFeeds
from shared.inventory import Source
from shared.ports import Put
from shared.quarantine import Entry, Landed
from shared.silence import Listener, Silence
from shared.triggers import Hearer
from shared.upheld import Status
from shared.versions import Scope
from tests.local.pubsub_world import SUBSCRIPTION, TOPIC, World, serving
from tests.world import CHECKED, FakePorts

EVENTS: Final = 100_000
THEIRS_OF: Final = 10
BATCH: Final = 400
AT_ONCE: Final = 500
AT: Final = datetime(2026, 11, 27, 12, tzinfo=UTC)
BEFORE: Final = AT - timedelta(hours=1)
ROLLBACK: Final = "INC-1"


def run(events: int = EVENTS) -> bool:
    """Whether all of ours was heard, and nothing else; prints what was measured."""
    with serving(scale=1.0) as world:
        world.create(ack_deadline_seconds=600)
        clients = Clients({"pubsub": world.address}, deployed=False)
        try:
            feeds = PubSubFeeds(clients.subscriber)
            _published(world, events)
            bare = _bare(feeds)
            _published(world, events)
            heard, taken = _heard(feeds, events)
            left = len(feeds.pull(SUBSCRIPTION))
        finally:
            clients.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(  # noqa: T201 - what was measured
        f"{events} events of ours and {events // THEIRS_OF} others: pulled and acknowledged in"
        f" {bare:.1f} s, heard out in {taken:.1f} s of the processor; {peak:.0f} MB at most, the"
        " cloud's included"
    )
    return heard == events and left > 0


def _document(number: int, *, ours: bool) -> tuple[str, datetime]:
    at = AT + timedelta(microseconds=number)
    return f"orders/{'ours' if ours else 'own'}-{number:06}", at


def _published(world: World, events: int) -> None:
    ours = (_data(*_document(number, ours=True)) for number in range(events))
    own = (_data(*_document(number, ours=False)) for number in range(events // THEIRS_OF))
    messages = ({"data": one} for some in (ours, own) for one in some)
    while batch := [*islice(messages, AT_ONCE)]:
        world.publisher.publish(topic=TOPIC, messages=batch)


def _data(path: str, at: datetime) -> bytes:
    """A DocumentEventData with its `value` alone."""
    name = f"projects/acme/databases/(default)/documents/{path}"
    content = bytes(types.Document.serialize(types.Document(name=name, update_time=at)))
    return bytes([1 << 3 | 2, len(content)]) + content


def _bare(feeds: Feeds) -> float:
    began = time.process_time()
    while messages := feeds.pull(SUBSCRIPTION):
        feeds.acknowledge(SUBSCRIPTION, [one.handle for one in messages])
    return time.process_time() - began


def _heard(feeds: Feeds, events: int) -> tuple[int, float]:
    """How many of ours were heard, and in which time of the processor."""
    ports = FakePorts(CHECKED)
    ports.feeds = feeds  # type: ignore[assignment]  # as the wiring's
    ports.store.commit([Put(path, fields) for path, fields in _journal(events)])
    event, scopes = "google.cloud.firestore.document.v1.written", (Scope("orders"),)
    listeners = (Listener(Hearer("it", event, "orders/{order}", SUBSCRIPTION, scopes)),)
    silence = Silence(
        *("shop", "c", "alice", "", AT, AT, ROLLBACK, Status.FALLING),
        falls_at=AT,
        listeners=listeners,
    )
    listening, began, heard = Listening(ports, lambda entry: entry), time.process_time(), 0
    while counts := listening.hear(silence, listeners)[0].total():
        heard += counts
    listening.let_go()
    return heard, time.process_time() - began


def _journal(events: int) -> Iterator[tuple[str, dict[str, object]]]:
    for first in range(0, events, BATCH):
        landed = _landed(range(first, min(first + BATCH, events)))
        entry = Entry(f"{first:06}", "s", "(default)", Source("b", "o", 1), tuple(landed))
        yield f"{quarantine.journal(ROLLBACK)}/{entry.name}", encode(entry)


def _landed(numbers: Sequence[int]) -> Iterable[Landed]:
    return (Landed(*_document(number, ours=True), was=BEFORE) for number in numbers)


if __name__ == "__main__":
    raise SystemExit(0 if run() else 1)
