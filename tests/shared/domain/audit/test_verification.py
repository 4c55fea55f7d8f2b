"""What a stored trail proves, and what only the anchored heads do."""

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from local.cloud import Cloud
from local.core.clock import CloudClock
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.firestore.store import FirestoreStore
from shared.core.errors import Unavailable
from shared.core.store import SERVER_TIME, Put, Store, Update
from shared.domain.audit.anchor import Anchor, encode_anchor
from shared.domain.audit.verification import ChainFinding, ChainVerdict
from shared.domain.retention import RECORD_RETENTION
from shared.state.audit_reader import AuditReader
from tests.support.fakes.firestore.store import MemoryStore
from tests.support.fakes.runtime.clock import START, FakeClock
from tests.support.fakes.runtime.hooks import no_hook
from tests.support.fakes.storage.objects import MemoryObjects
from tests.support.faults.tampering import FOUND_BY_ANCHORS_ALONE, FOUND_BY_THE_CHAIN, Tamperer
from tests.support.notices.audit_history import ANCHORED, DOCUMENTS, FIRST, LIVED, NOW, SECOND
from tests.support.runtime.world import World

KINDS = {**FOUND_BY_THE_CHAIN, **FOUND_BY_ANCHORS_ALONE}
SEEDS = range(12)
SYSTEM = "systems/unclaimed"


INCIDENT = FIRST.partition("/")[2]


class InMemory:
    """The fake store, with everything that was lived through."""

    def __init__(self, documents: dict[str, dict[str, Any]] = DOCUMENTS) -> None:
        self.memory = MemoryStore(FakeClock())
        self.store: Store = self.memory
        self.memory.commit([Put(path, fields) for path, fields in documents.items()])

    def remove(self, path: str) -> None:
        self.memory.remove(path)


class OverTheWire:
    """The same in an embedded Firestore."""

    def __init__(self, clients: Clients) -> None:
        self._client = clients.firestore
        self._database = f"projects/demo/databases/d{uuid.uuid4().hex}"
        self.store: Store = FirestoreStore(clients.firestore, self._database, FakeClock(), Random(1))
        self.store.commit([Put(path, fields) for path, fields in DOCUMENTS.items()])

    def remove(self, path: str) -> None:
        self._client.delete_document(name=f"{self._database}/documents/{path}")


def anchors() -> MemoryObjects:
    kept = MemoryObjects()
    kept.kept = dict(ANCHORED)
    return kept


def verify_with_anchors(store: Store, chain: str, now: datetime = NOW) -> ChainFinding:
    """What is found of a chain beside the anchors that were written of it."""
    return verified(store, chain, anchored=anchors(), now=now)


def verified(
    store: Store, chain: str, *, anchored: MemoryObjects | None, now: datetime = NOW
) -> ChainFinding:
    kind, _, name = chain.partition("/")
    trail = AuditReader(store, anchored)
    verify = trail.verify_rollback if kind == "rollbacks" else trail.verify_system
    found = verify(name, now)
    assert found is not None
    return found


def test_the_campaign_has_something_to_tamper_with() -> None:
    """Two trails of many entries, a chain of several seals, and an anchor of each last entry."""
    for chain in (FIRST, SECOND, SYSTEM, f"systems/{LIVED.policy.system}"):
        finding = verify_with_anchors(InMemory().store, chain)
        assert (finding.verdict, finding.faults, finding.notes) == (ChainVerdict.INTACT, (), ())
        assert finding.anchored == finding.entries >= (10 if chain == FIRST else 2)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", FOUND_BY_THE_CHAIN)
@pytest.mark.parametrize(("chain", "other"), [(FIRST, SECOND), (SYSTEM, FIRST)])
def test_tampering_is_found_without_anchors(chain: str, other: str, kind: str, seed: int) -> None:
    """An edit, deletion, insertion, reordering, truncation or swap breaks the chain itself."""
    vault = InMemory()
    if kind == "swap" and chain == SYSTEM:
        other = f"systems/{LIVED.policy.system}"

    FOUND_BY_THE_CHAIN[kind](Tamperer(vault, seed), chain, other)

    assert verified(vault.store, chain, anchored=None).verdict is ChainVerdict.BROKEN
    assert verify_with_anchors(vault.store, chain).verdict is ChainVerdict.BROKEN


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", FOUND_BY_ANCHORS_ALONE)
@pytest.mark.parametrize("chain", [FIRST, SYSTEM])
def test_a_chain_made_to_fit_is_found_against_the_anchors_alone(chain: str, kind: str, seed: int) -> None:
    """Whoever writes all of it anew leaves a chain that is consistent, and it says what that is."""
    vault = InMemory()

    FOUND_BY_ANCHORS_ALONE[kind](Tamperer(vault, seed), chain, SECOND)

    alone = verified(vault.store, chain, anchored=None)
    assert alone.verdict is ChainVerdict.INTACT
    assert "written anew" in alone.notes[0]
    assert verify_with_anchors(vault.store, chain).verdict is ChainVerdict.BROKEN


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["edit_event", "delete_event", "move_event"])
def test_a_single_event_against_its_seal(kind: str, seed: int) -> None:
    """What is kept singly must be what was sealed of it."""
    vault = InMemory()

    getattr(Tamperer(vault, seed), kind)(SYSTEM)

    assert verified(vault.store, SYSTEM, anchored=None).verdict is ChainVerdict.BROKEN


@pytest.fixture(scope="module")
def wire() -> Iterator[Callable[[], OverTheWire]]:
    clock = CloudClock(START, scale=0)
    cloud = Cloud.start([LIVED.policy], seed=1, clock=clock, alerter=False, ticks=False)
    clients = Clients(cloud.addresses, deployed=False)
    yield lambda: OverTheWire(clients)
    clients.close()
    cloud.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_the_campaign_over_firestore(wire: Callable[[], OverTheWire], kind: str) -> None:
    """What holds in memory holds for the documents as Firestore keeps them."""
    vault = wire()
    assert verify_with_anchors(vault.store, FIRST).verdict is ChainVerdict.INTACT
    assert verify_with_anchors(vault.store, SYSTEM).verdict is ChainVerdict.INTACT

    KINDS[kind](Tamperer(vault, 7), FIRST, SECOND)

    alone = ChainVerdict.BROKEN if kind in FOUND_BY_THE_CHAIN else ChainVerdict.INTACT
    assert verified(vault.store, FIRST, anchored=None).verdict is alone
    assert verify_with_anchors(vault.store, FIRST).verdict is ChainVerdict.BROKEN


# Expired, or removed?

EXPIRED = NOW + RECORD_RETENTION


def parts(chain: str) -> list[str]:
    return [path for path in DOCUMENTS if path == chain or path.startswith(f"{chain}/audit/")]


@pytest.mark.parametrize("seed", SEEDS)
def test_an_expired_rollback_may_be_gone_in_part_and_in_any_order(seed: int) -> None:
    """What is left of it is consistent; the anchors tell that it was there."""
    vault, draw = InMemory(), Random(seed)
    gone = draw.sample(parts(FIRST), draw.randrange(1, len(parts(FIRST))))
    for path in gone:
        vault.remove(path)

    for anchored in (anchors(), None):
        finding = verified(vault.store, FIRST, anchored=anchored, now=EXPIRED)
        assert (finding.verdict, finding.faults) == (ChainVerdict.EXPIRED, ())
        early = verified(vault.store, FIRST, anchored=anchored, now=NOW)
        assert early.verdict is ChainVerdict.BROKEN


def test_an_expired_rollback_that_is_gone_whole() -> None:
    """The anchors alone know of it; before its time, that is a removal."""
    vault = InMemory()
    for path in parts(FIRST):
        vault.remove(path)

    assert verify_with_anchors(vault.store, FIRST, now=EXPIRED).verdict is ChainVerdict.EXPIRED
    early = verify_with_anchors(vault.store, FIRST)
    assert early.verdict is ChainVerdict.BROKEN
    assert "none of it is there" in early.faults[0]
    assert AuditReader(vault.store, None).verify_rollback(FIRST.partition("/")[2], NOW) is None


def test_what_is_left_of_an_expired_rollback_and_was_edited() -> None:
    """To have expired excuses what is gone, not what is there."""
    vault = InMemory()
    Tamperer(vault, 1).edit(FIRST)
    vault.remove(FIRST)

    assert verified(vault.store, FIRST, anchored=None, now=EXPIRED).verdict is ChainVerdict.BROKEN


def test_an_expiry_that_was_moved_to_have_the_trail_removed() -> None:
    """The expiry in the database is not believed where the anchored one is later."""
    documents = {
        path: {**fields, "expires_at": START} if path in parts(FIRST) else fields
        for path, fields in DOCUMENTS.items()
    }
    vault = InMemory(documents)
    vault.remove(f"{FIRST}/audit/000003")

    assert verify_with_anchors(vault.store, FIRST).verdict is ChainVerdict.BROKEN


def test_an_entry_whose_expiry_alone_was_moved() -> None:
    """It would be removed by the database itself: it is found while it is still there."""
    path = f"{FIRST}/audit/000003"
    vault = InMemory({**DOCUMENTS, path: {**DOCUMENTS[path], "expires_at": NOW}})

    finding = verified(vault.store, FIRST, anchored=None)

    assert finding.faults == ("an entry expires before its rollback does",)


def test_a_held_rollback_never_expires() -> None:
    """Without an expiry nothing of it may be gone, however late."""
    documents = {
        path: {**fields, "expires_at": None} if path in parts(FIRST) else fields
        for path, fields in DOCUMENTS.items()
    }
    vault = InMemory(documents)
    late = NOW + 10 * RECORD_RETENTION
    assert verify_with_anchors(vault.store, FIRST, now=late).verdict is ChainVerdict.INTACT

    vault.remove(f"{FIRST}/audit/000003")

    assert verify_with_anchors(vault.store, FIRST, now=late).verdict is ChainVerdict.BROKEN


def test_seals_expire_one_by_one() -> None:
    """The seal behind a missing one tells when it was made: expired is not removed."""
    first = f"{SYSTEM}/seals/000001"
    sealed_at = datetime.fromisoformat(DOCUMENTS[first]["events"][0]["at"])
    vault = InMemory()
    vault.remove(first)
    for path, fields in DOCUMENTS.items():
        if path.startswith(f"{SYSTEM}/audit/") and fields["sealed"] == 1:
            vault.remove(path)

    expired = verified(vault.store, SYSTEM, anchored=None, now=sealed_at + RECORD_RETENTION)
    early = verified(
        vault.store, SYSTEM, anchored=None, now=sealed_at + RECORD_RETENTION - timedelta(seconds=1)
    )

    assert (expired.verdict, expired.faults) == (ChainVerdict.EXPIRED, ())
    assert early.faults == ("entry 1 is missing",)


# While it is written


@pytest.mark.parametrize("moment", range(6))
def test_a_trail_that_goes_on_while_it_is_read(moment: int) -> None:
    """What lands between two reads is taken in whole, and is no fault."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.settle()
    world.publish("rollback-alerts", b"nonsense")
    world.settle()
    rollback = world.rollback
    store, now = world.store, world.now
    reads = 0

    def go_on(verb: str, side: str) -> None:
        nonlocal reads
        reads += 1
        if reads == moment + 1:
            store.hook = no_hook
            world.pass_time(timedelta(minutes=16))

    trail = AuditReader(store, world.ports.anchors)
    store.hook = go_on
    goes_on = trail.verify_rollback(rollback.id, now)
    reads, store.hook = 0, go_on
    sealed = trail.verify_system("unclaimed", now)
    store.hook = no_hook

    for found in (goes_on, sealed):
        assert found is not None
        assert (found.verdict, found.faults) == (ChainVerdict.INTACT, ())


def test_a_trail_that_never_rests() -> None:
    """After ten readings it is said that nothing is known, instead of a fault."""
    vault = InMemory()
    store = vault.memory

    def touch(verb: str, side: str) -> None:
        if (verb, side) == ("store.query", "after"):
            store.hook = no_hook
            store.commit([Update(FIRST, {"touched": SERVER_TIME})])
            store.hook = touch

    store.hook = touch

    with pytest.raises(Unavailable):
        AuditReader(store, None).verify_rollback(INCIDENT, NOW)


# What else somebody may do


def test_a_second_head_for_the_same_entry() -> None:
    """Nothing anchored can be replaced; what is put beside it shows."""
    anchored = anchors()
    forged = Anchor(FIRST, 3, "f" * 64)
    anchored.kept[forged.name] = encode_anchor(forged)
    real = Anchor(FIRST, 3, DOCUMENTS[f"{FIRST}/audit/000003"]["hash"])
    anchored.kept[real.name] = encode_anchor(real)

    finding = verified(InMemory().store, FIRST, anchored=anchored)

    assert finding.faults == ("entry 3: two heads are anchored for it, one of them forged",)


NONSENSE: list[dict[str, Any]] = [
    {"sequence": "one"},
    {"events": [{"at": "never"}]},
    {"events": []},
    {"hash": None},
    {"remark": "what is not sealed proves nothing"},
]


@pytest.mark.parametrize("nonsense", NONSENSE, ids=str)
@pytest.mark.parametrize("path", [f"{FIRST}/audit/000003", f"{SYSTEM}/seals/000001"])
def test_an_entry_of_another_shape(path: str, nonsense: dict[str, Any]) -> None:
    """Whatever stands where an entry stood is a fault, at any time, and no crash."""
    vault = InMemory({**DOCUMENTS, path: {**DOCUMENTS[path], **nonsense}})
    chain = path.rsplit("/", 2)[0]

    for now in (NOW, EXPIRED):
        finding = verify_with_anchors(vault.store, chain, now=now)
        assert finding.verdict is ChainVerdict.BROKEN


@pytest.mark.parametrize("nonsense", [{"at": "never"}, {"at": 7}, {"sealed": ["x"]}], ids=str)
def test_a_single_event_of_another_shape(nonsense: dict[str, Any]) -> None:
    """A time that is none, or a seal that is none, is a fault as well."""
    path = next(path for path in DOCUMENTS if path.startswith(f"{SYSTEM}/audit/"))
    vault = InMemory({**DOCUMENTS, path: {**DOCUMENTS[path], **nonsense}})

    assert verify_with_anchors(vault.store, SYSTEM).verdict is ChainVerdict.BROKEN


@pytest.mark.parametrize("path", [FIRST, "chains/unclaimed"])
def test_a_head_of_another_shape(path: str) -> None:
    """Without its head a chain has no proof of its end."""
    vault = InMemory({**DOCUMENTS, path: {"sequence": "many"}})
    chain = FIRST if path == FIRST else SYSTEM

    assert verify_with_anchors(vault.store, chain).verdict is ChainVerdict.BROKEN


def test_everything_that_is_kept_or_anchored_is_listed() -> None:
    """A rollback of which the anchors alone are left is not forgotten."""
    vault = InMemory()
    for path in parts(FIRST):
        vault.remove(path)
    names = [FIRST.partition("/")[2], SECOND.partition("/")[2]]

    assert AuditReader(vault.store, anchors()).rollbacks() == names
    assert AuditReader(vault.store, None).rollbacks() == names[1:]
    assert AuditReader(vault.store, anchors()).responses(names[0]) == names[:1]


def test_nothing_is_known_of_a_name() -> None:
    """No document, no entry, no anchor: no finding."""
    trail = AuditReader(InMemory().store, anchors())

    assert trail.verify_rollback("INC-20200101-001", NOW) is None
    assert trail.verify_system("nobody", NOW) is None
