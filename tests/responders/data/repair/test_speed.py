"""A hundred thousand documents, into which a release writes damage while the application works."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.data.repair import quarantine
from shared.domain.data.repair.quarantine import JournalEntry
from shared.domain.policy.data_rules import Collection, IntegrityRules, OnRepair
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.data.corrupted_bookshop import HERE, MINUTE, SHOP, CorruptedShop
from tests.support.fakes.runtime.hooks import no_hook
from tests.support.faults.fault_injection import ProcessCrash

DOCUMENTS = 100_000
SECONDS = {"documents.get": 0.02, "quarantine.keep": 0.2, "rewrites.rewrite": 0.4, "store.commit": 0.1}
"""What a call takes."""
SECONDS_EACH = 1 / 3000
"""What a document of a stream takes to come: slower than one worker was seen to judge them."""
USERS = replace(
    SHOP,
    integrity=IntegrityRules(quiet=5 * MINUTE),
    collections={
        "users": Collection(
            critical_as="users", schema={"type": "object", "required": ["email"]}, on_repair=OnRepair.FIRE
        )
    },
    erasure=None,
)
Fields = dict[str, Any]


class Crowd(CorruptedShop):
    """Users of whom a release spoils one in a hundred, minute by minute; others change theirs."""

    def __init__(self) -> None:
        super().__init__(USERS, spoilt={})
        self.killed = False
        self.wanted: dict[str, Fields | None] = {
            f"users/{n:06}": {"email": f"{n}@example.com", "n": n} for n in range(DOCUMENTS)
        }
        self.write(self.wanted)
        self.pass_time(MINUTE)
        paths = list(self.wanted)
        for minute in range(5):
            spoilt = paths[minute * 7 :: DOCUMENTS // 200][:200]
            self.application({path: {"email": "new", "n": minute} for path in spoilt[:50]})
            self.ports.clock.advance(timedelta(seconds=30))
            self.write({path: {"n": -1} for path in spoilt})
            self.application({path: {"email": "x"} for path in paths[minute + 3 :: 501][:100]})
            self.ports.clock.advance(timedelta(seconds=30))
        self.ports.clock.advance(5 * MINUTE)
        self.ports.kept.seconds_each = SECONDS_EACH

    def application(self, documents: dict[str, Fields | None]) -> None:
        """What the application writes is wanted so."""
        self.wanted |= documents
        self.write(documents)

    def take_time(self, verb: str, side: str) -> None:
        if side == "after" and verb in SECONDS:
            self.ports.clock.sleep(SECONDS[verb])

    def meanwhile(self, verb: str, side: str) -> None:
        """The application goes on while documents are written back; a worker dies over it once."""
        self.take_time(verb, side)
        if side == "before":
            batch = len(self.ports.rewritten.written)
            self.application({f"users/{batch * 37 % DOCUMENTS:06}": {"email": "meanwhile"}})
        elif len(self.ports.rewritten.written) > 300 and not self.killed:
            self.killed = True
            raise ProcessCrash

    def settle(self, limit: int = 500) -> None:
        """As any world; who died comes again."""
        try:
            super().settle(limit)
        except ProcessCrash:
            self.start_instances()
            self.settle(limit)

    def everything(self) -> dict[str, Fields]:
        """The whole database, read by nobody of ours."""
        found = ((path, self.ports.kept.get_quietly(HERE, path)) for path in self.wanted)
        return {path: one.fields for path, one in found if one is not None}


@pytest.mark.slice
def test_everything_invalid_is_back_in_time_and_everything_valid_stays() -> None:
    """Compared document by document: what changed is what the journal names, and no more."""
    crowd = Crowd()
    for fake in (crowd.ports.kept, crowd.ports.quarantine, crowd.store):
        fake.hook = crowd.take_time
    crowd.order(restore_point="10m")
    parked = crowd.run_until_parked(20)
    assert parked.question is not None
    assert "within the target of 15 min" in parked.question.plan.reported[0]
    found, written = crowd.everything(), dict(crowd.wanted)
    crowd.ports.rewritten.hook = crowd.meanwhile
    crowd.approve("bob")
    crowd.pass_time(20 * MINUTE)
    crowd.ports.rewritten.hook = no_hook

    ended, there = crowd.newest, crowd.everything()
    assert crowd.killed
    assert ended.status in (RollbackStatus.WATCHING, RollbackStatus.SUCCEEDED), ended.outcome
    assert ended.started_at is not None
    assert ended.shifted_at is not None
    assert ended.shifted_at - ended.started_at < 15 * MINUTE
    assert there == crowd.wanted
    by_application = {path for path, one in crowd.wanted.items() if written[path] != one}
    changed = {path for path, one in there.items() if found[path] != one}
    path = quarantine.journal_path(ended.id)
    entries = [decode(JournalEntry, one.fields) for one in crowd.store.query(Query(path))]
    named = {one.path for entry in entries for one in entry.landed}
    assert changed - by_application <= named <= changed
    assert len(named) >= 900
    assert crowd.find_violated_invariants() == []
