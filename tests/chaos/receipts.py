"""A service that hears of every order by a trigger of Eventarc, and what it is told."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from local import eventarc
from shared import silence as silences
from shared.documents import decode
from shared.feeds import NO_PUSH
from shared.silence import Silence
from shared.upheld import Status
from tests.chaos.plant import Plant
from tests.local.eventarc_world import event_data
from tests.local.pubsub_world import Endpoint
from tests.local.rest_world import Product

EPOCH = datetime.fromtimestamp(0, UTC)
MICROSECOND = timedelta(microseconds=1)
SHOWN = 5
Write = tuple[str, int]
"""The path of a document, and when it was written, in microseconds: as nothing rounds them."""


class Receipts:
    """Who is told of orders that are written, from the moment at which it opens."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._endpoint = Endpoint(lambda _: 204)
        self._told: set[Write] = set()
        self._subscription = ""
        self._push = NO_PUSH
        self._since = 0

    @contextmanager
    def open(self) -> Iterator[None]:
        """It hears of orders while the block runs, and afterwards of nothing."""
        plant = self._plant
        with self._endpoint.listening():
            product = Product(plant.stage, eventarc.HOST)
            parent = f"/v1/projects/{plant.policy.project}/locations/europe-west1/triggers"
            filters = {
                "type": ("google.cloud.firestore.document.v1.written", ""),
                "database": (plant.policy.integrity.database, ""),
                "document": ("orders/{order}", "match-path-pattern"),
            }
            said = [
                {"attribute": name, "value": value, **({"operator": by} if by else {})}
                for name, (value, by) in filters.items()
            ]
            to = {"httpEndpoint": {"uri": self._endpoint.url}}
            body = {"eventFilters": said, "destination": to}
            product.done("POST", f"{parent}?triggerId=receipts", body)
            made = product.get(f"{parent}/receipts")
            self._subscription = made["transport"]["pubsub"]["subscription"]
            self._push = self._pushes()
            self._since = micros(plant.stage.now())
            yield

    def silence(self) -> Silence | None:
        """The newest one; None: there was none."""
        fields = self._plant.stage.wiring.store.get(silences.path(self._plant.policy.system)).fields
        return decode(Silence, fields) if fields else None

    def stands(self, rollback: str) -> bool:
        """Whether nobody is told anything any more, for that rollback."""
        found = self.silence()
        return found is not None and found.rollback == rollback and found.status is Status.STANDING

    def is_told_again(self, rollback: str) -> bool:
        """Whether its silence has given back what it took, verbatim."""
        found = self.silence()
        falls = found is not None and found.rollback == rollback and found.falls_at is not None
        return falls and self._pushes() == self._push

    def faults(self, there: Collection[Write], written: Collection[Write]) -> Iterator[str]:
        """What it should not have been told, and what it was not.

        `there`: every order as it is now; `written`: what rollbacks have.
        """
        own = {one for one in there if one[1] > self._since} - set(written)
        self._plant.stage.wait_for("what it is owed", lambda: own <= self._heard())
        yield from faults(self._told, own, written)

    @property
    def count(self) -> int:
        """How many writes it was told of."""
        return len(self._told)

    def _pushes(self) -> bytes:
        return self._plant.stage.wiring.feeds.feed(self._subscription).push

    def _heard(self) -> set[Write]:
        while not self._endpoint.is_quiet():
            event: Any = event_data(base64.b64decode(self._endpoint.next().body["message"]["data"]))
            if event.HasField("value"):
                path = event.value.name.partition("/documents/")[2]
                self._told.add((path, micros(event.value.update_time.ToDatetime(UTC))))
        return self._told


def faults(
    told: Collection[Write], own: Collection[Write], written: Collection[Write]
) -> Iterator[str]:
    """What is wrong with being told of that; `own` is the shop's, `written` the rollbacks'."""
    ours = set(told) & set(written)
    if ours:
        yield f"told of what a rollback has written: {len(ours)}, {sorted(ours)[:SHOWN]}"
    if not own:
        yield "the shop has written nothing that it was to be told of"


def micros(at: datetime) -> int:
    """A moment in whole microseconds."""
    return (at - EPOCH) // MICROSECOND
