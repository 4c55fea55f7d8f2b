"""A dry run of a repair: what it tells, and that it writes nothing."""

from datetime import datetime

import pytest

from responders.data.repair.document_outcomes import DOCUMENTS_PER_BATCH
from responders.rollback.decision.dry_run import SURVEY_TIME_LIMIT_SECONDS
from shared.core.codec import decode
from shared.core.errors import Unavailable
from shared.domain.commands.command import CommandRecord
from tests.support.data.corrupted_bookshop import GOOD, MINUTE, SPOILT, CorruptedShop
from tests.support.fakes.pubsub.bus import Published


def test_a_dry_run_tells_and_does_nothing() -> None:
    """Counts, samples and what differs; no incident, no copy, no write."""
    shop = CorruptedShop()
    incidents = len(shop.incidents())
    shop.order(dry_run=True, id="dry")
    shop.pass_time(MINUTE)

    found = shop.store.get("commands/dry")
    record = decode(CommandRecord, found.fields)
    assert record.result.startswith("ask: documents change only after approval")
    assert "2 documents back to" in record.result
    assert record.answer["fates"] == {"brought back": 2}
    assert len(shop.incidents()) == incidents
    assert shop.data == {**GOOD, **SPOILT}
    assert shop.ports.quarantine.objects == {}


def test_a_dry_run_of_many_documents_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes several workers, each of which has the time that a function has."""
    shop, many = (CorruptedShop(spoilt={}), [f"customers/{n:05}" for n in range(20 * DOCUMENTS_PER_BATCH)])
    shop.write({path: {"email": "e"} for path in many})
    shop.advance_clock(5 * MINUTE)
    shop.write({path: {"spoilt": 1} for path in many[::DOCUMENTS_PER_BATCH]})
    shop.advance_clock(10 * MINUTE)
    shop.ports.kept.seconds_each = 0.03
    lasted: list[float] = []
    deliver = shop.deliver

    def timed(message: Published, at: datetime | None = None) -> bool:
        began = shop.ports.clock.monotonic()
        try:
            return deliver(message, at)
        finally:
            lasted.append(shop.ports.clock.monotonic() - began)

    monkeypatch.setattr(shop, "deliver", timed)
    shop.order(dry_run=True, id="dry", restore_point="12m")
    shop.pass_time(10 * MINUTE)

    record = decode(CommandRecord, shop.store.get("commands/dry").fields)
    assert record.due_at is None
    assert record.answer["fates"] == {"brought back": 20}
    assert max(lasted) < SURVEY_TIME_LIMIT_SECONDS + 60 < 300 < sum(lasted)


def test_a_dry_run_whose_data_nobody_can_read() -> None:
    """It is asked for again in a while, by whom the clock tells, for an hour: then that is told."""
    shop = CorruptedShop()

    def silent(verb: str, side: str) -> None:
        if verb.startswith("documents."):
            raise Unavailable("no answer")

    shop.ports.kept.hook = silent
    shop.order(dry_run=True, id="dry")
    assert dry(shop).due_at is not None

    shop.pass_time(61 * MINUTE)

    assert (dry(shop).due_at, dry(shop).result) == (None, "not known: no answer")


def dry(shop: CorruptedShop) -> CommandRecord:
    """The record of the dry run."""
    return decode(CommandRecord, shop.store.get("commands/dry").fields)
