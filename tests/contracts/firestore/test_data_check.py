"""Damage found over the real adapters, on an embedded cloud whose clock is moved by hand."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from local.cloud import Cloud
from responders.jobs.data_check import advance_data_checks
from shared.adapters.clock import EmbeddedClock
from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.data.integrity import damage
from shared.domain.data.integrity.damage import IntegrityRecord
from shared.domain.data.integrity.scan import ScanRun
from shared.domain.policy.data_rules import Collection, IntegrityRules
from shared.domain.signals.alert import Alert
from shared.wiring.adapters import Wiring
from tests.contracts.support.application_writes import commit
from tests.support.fakes.runtime.clock import START
from tests.support.runtime.embedded_cloud import embedded_cloud, wired
from tests.support.runtime.world import CHECKED

MINUTE = timedelta(minutes=1)
POLICY = replace(
    CHECKED,
    integrity=IntegrityRules(every=60 * MINUTE),
    collections={
        **CHECKED.collections,
        "covers": Collection(media={"file": "bookshop-media"}, largest_drop=0.2),
    },
    signals={**CHECKED.signals, "data_loss": CHECKED.signals["database_corruption"]},
)
DATABASE = f"projects/{POLICY.project}/databases/(default)"


class Shop:
    """A bookshop's data, and the responders that look through it."""

    def __init__(self, cloud: Cloud, wiring: Wiring) -> None:
        self.cloud = cloud
        self._wiring = wiring

    def write(self, documents: Mapping[str, Mapping[str, Any] | None]) -> None:
        commit(self._wiring.clients.firestore, DATABASE, documents)

    def put(self, name: str, content: bytes) -> None:
        bucket = self._wiring.clients.storage.bucket("bookshop-media")
        bucket.blob(name).upload_from_string(content)

    def look(self) -> IntegrityRecord:
        """The record after the run of the next hour."""
        self.cloud.clock.advance(60 * MINUTE)
        clock = self._wiring.clock
        assert isinstance(clock, EmbeddedClock)
        clock.follow()  # now, and not in the midst of what is asked
        self.cloud.settle()
        for _ in range(10):  # what gives no answer in time is asked again, as each minute does
            advance_data_checks(self._wiring, self._wiring.policies)
            found = self._wiring.store.get(damage.damage_path(POLICY.system))
            record = decode(IntegrityRecord, found.fields or {})
            if record.run is None and record.last is not None and self._is_new(record.last):
                break
        return record

    def _is_new(self, run: ScanRun) -> bool:
        return self.cloud.clock.now() - run.began_at < 30 * MINUTE

    def alerts(self) -> list[Alert]:
        return [decode(Alert, one.fields) for one in self._wiring.store.query(Query("alerts"))]


@pytest.fixture
def shop() -> Iterator[Shop]:
    begun_at = START - timedelta(hours=2)
    with embedded_cloud(POLICY, at=begun_at, point_in_time_recovery=True) as cloud:
        cloud.buckets.create("bookshop-media")
        with wired(cloud, POLICY) as wiring:
            yield Shop(cloud, wiring)


def test_damage_over_the_wire(shop: Shop) -> None:
    """A missing customer, a drop of 30 % and a file that is gone: each found, to the minute."""
    shop.put("1.png", b"x")
    shop.write({"customers/ada": {"email": "a@b"}, "orders/1": {"customer": "ada"}})
    shop.write({f"covers/{number}": {} for number in range(100)} | {"covers/1": {"file": "1.png"}})
    assert shop.look().findings == ()

    shop.cloud.clock.advance(13 * MINUTE + timedelta(seconds=7))
    first = shop.cloud.clock.now()
    shop.write({"orders/2": {"customer": "nobody"}})
    shop.cloud.clock.advance(9 * MINUTE)
    gone = shop.cloud.clock.now()
    shop.write({f"covers/{number}": None for number in range(30, 60)})
    shop.write({"covers/2": {"file": "2.png"}})

    loss, corruption = sorted(shop.look().findings, key=lambda one: one.signal)
    assert corruption.reason == "orders: 1 of 2 documents fail (reference)"
    assert timedelta(0) <= corruption.onset_at - first < MINUTE
    assert loss.reason == ("covers: 70 of 100 documents are left; covers: 1 of 70 documents fail (media)")
    assert timedelta(0) <= loss.onset_at - gone < MINUTE
    assert {one.signal for one in shop.alerts()} == {damage.CORRUPTION_SIGNAL, damage.LOSS_SIGNAL}

    shop.put("2.png", b"x")
    shop.write({"customers/nobody": {"email": "n@b"}})
    shop.write({f"covers/{number}": {} for number in range(30, 60)})
    assert shop.look().findings == ()


def test_a_file_that_is_gone_over_the_wire(shop: Shop) -> None:
    """Nothing tells since when, which is said."""
    shop.write({"covers/1": {"file": "1.png"}})

    [found] = shop.look().findings

    assert (found.signal, found.onset_at) == (damage.LOSS_SIGNAL, found.since)
    assert found.onset.startswith("not known")
