import json
from datetime import timedelta

import pytest

from shared.core import topics
from shared.core.codec import decode
from shared.core.store import Create, Document, Query
from shared.domain.audit.chain import AuditEntry, create_event
from shared.domain.audit.chain import find_chain_faults as chain_faults
from shared.domain.audit.system_chain import ChainHead, event_write, find_seal_faults
from shared.domain.system_record import ALL_SYSTEMS
from shared.state import work_queue
from tests.support.runtime.world import World


def tick(world: World) -> None:
    world.publish(topics.CLOCK, b"{}")
    [published] = [one for one in world.waiting() if one.topic == topics.CLOCK]
    world.ports.bus.messages.remove(published)
    assert world.deliver(published)


def test_one_tick_sweeps_twice_half_a_minute_apart() -> None:
    """What falls due between two minutes waits half a minute at most."""
    world = World()
    world.advance_clock(timedelta(seconds=7))
    start = world.now

    tick(world)

    ticks = [path for path in world.documents if path.startswith("ticks/20260302T")]
    assert len(ticks) == 2
    assert world.now - start < timedelta(seconds=30)


def test_the_second_schedulers_tick_sweeps_nothing_again() -> None:
    """Two jobs in two regions tick each minute; one sweep is enough, and nobody waits for it."""
    world = World()
    start, commits = world.now, list[int]()

    def tick_again() -> None:
        commits.append(world.store.commits)
        tick(world)
        commits.append(world.store.commits)
        assert world.now - start < timedelta(seconds=1)

    world.ports.clock.interrupt = tick_again
    tick(world)

    first, second = commits
    assert first == second


def test_an_instance_with_a_slow_clock_sweeps_the_half_minutes_of_the_store() -> None:
    """Else it would sweep half minutes that are over, and what is due would wait for its clock."""
    world = World()
    world.store.commit([Create("any/document", {"at": world.now})])  # since then, the store goes by this time
    world.ports.clock.jump(-timedelta(minutes=5))

    tick(world)

    ticks = sorted(path for path in world.documents if path.startswith("ticks/20260302T"))
    assert ticks == ["ticks/20260302T1200-0", "ticks/20260302T1200-1"]


def test_a_tick_that_comes_again_sweeps_the_half_minute_that_is_left() -> None:
    """The worker stands still while it waits: Pub/Sub delivers the same message once more."""
    world = World()
    world.publish(topics.CLOCK, b"{}")
    [published] = [one for one in world.waiting() if one.topic == topics.CLOCK]
    swept = list[str]()

    def deliver_again() -> None:
        assert world.deliver(published)
        swept.extend(path for path in world.documents if path.startswith("ticks/20260302T"))

    world.ports.clock.interrupt = deliver_again
    assert world.deliver(published)

    assert len(swept) == 2


def test_a_late_tick_leaves_no_half_minute_without_a_sweep() -> None:
    """One that is 40 s late sweeps half of the next minute; the next tick sweeps the other half."""
    world = World()
    world.advance_clock(timedelta(seconds=40))
    tick(world)
    tick(world)

    ticks = {path for path in world.documents if path.startswith("ticks/20260302T")}
    assert len(ticks) == 3


@pytest.mark.parametrize("kind", list(work_queue.COLLECTION_BY_KIND))
def test_no_system_starves_another(kind: str) -> None:
    """What is due in one is handed on, however much is stuck in others, known or not."""
    world = World()
    now = world.now
    store, collection = world.store, work_queue.COLLECTION_BY_KIND[kind]
    before = {one.data for one in world.ports.bus.messages}
    stuck = [(system, number) for system in ("gone", "busy") for number in range(6)]
    for system, number in [*stuck, ("bookshop", 0)]:
        late = now - timedelta(hours=1 if system != "bookshop" else 0)
        fields = {"system": system, "due_at": late}
        store.commit([Create(f"{collection}/{system}-{number}", fields)])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(work_queue, "MAX_ITEMS_PER_SWEEP", 5)
        since = work_queue.publish_due_items(store, world.ports.bus, kind, now, ["busy", "bookshop"])

    handed = [json.loads(one.data) for one in world.ports.bus.messages if one.data not in before]
    assert [one["id"] for one in handed] == [*(f"busy-{one}" for one in range(5)), "bookshop-0"]
    assert since == now - timedelta(hours=1)
    assert work_queue.oldest_due_at(store, kind, now, ["bookshop"]) == now


def test_a_command_over_all_systems_is_handed_on() -> None:
    """It is nobody's alone, and somebody does it."""
    world = World()
    now = world.now
    fields = {"system": ALL_SYSTEMS, "due_at": now}
    world.store.commit([Create("commands/everywhere", fields)])

    work_queue.publish_due_items(world.store, world.ports.bus, work_queue.COMMAND, now, [world.policy.system])

    assert [json.loads(one.data)["id"] for one in world.waiting()] == ["everywhere"]


def test_a_due_rollback_and_a_due_notice_are_handed_on() -> None:
    """Whatever was dropped on the way is found by its due_at."""
    world = World()
    world.alert()
    world.deliver_newest()
    world.ports.bus.messages.clear()

    tick(world)

    assert {one.topic for one in world.waiting()} == {topics.WORK, topics.NOTICES}


@pytest.mark.parametrize(("minutes", "severity"), [(1, "INFO"), (3, "WARNING")])
def test_the_age_of_the_oldest_due_work_is_told(
    minutes: int, severity: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log has a line for it at each sweep; past two minutes it is a warning."""
    world = World()
    world.alert()
    world.deliver_newest()
    world.advance_clock(timedelta(minutes=minutes))
    capsys.readouterr()

    tick(world)

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {line["kind"] for line in lines} == {"notice", "rollback"}
    assert {(line["event"], line["severity"]) for line in lines} == {("work.due", severity)}
    assert all(abs(line["due_seconds"] - 60 * minutes) <= 60 for line in lines)


def test_when_nothing_is_due_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A quiet day leaves no lines."""
    tick(World())

    assert capsys.readouterr().err == ""


def test_loose_events_are_sealed_into_their_systems_chain() -> None:
    """Events outside a rollback are chained each quarter of an hour."""
    world = World()
    for number in range(3):
        world.publish(topics.ALERTS, f"nonsense {number}".encode())
    world.settle()

    for _ in range(31):
        tick(world)

    store = world.store
    entries = [decode(AuditEntry, one.fields) for one in store.query(Query("systems/unclaimed/seals"))]
    head = decode(ChainHead, store.get("chains/unclaimed").fields)
    told = [
        one.facts["message"] for entry in entries for one in entry.events if one.name == "message.refused"
    ]
    assert len(told) == 3
    assert chain_faults("systems/unclaimed", entries, head.hash, head.sequence) == []
    loose = Query("systems/unclaimed/audit", where=(("sealed", "==", 0),))
    assert store.query(loose) == []


def test_a_chain_is_looked_at_once_in_a_quarter(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance that has seen it done asks for no head again, until the next quarter begins."""
    world = World()
    asked = heads_asked(world, monkeypatch)

    tick(world)
    first = len(asked)
    tick(world)
    again = len(asked)
    world.advance_clock(timedelta(minutes=15))
    tick(world)

    assert first == 3  # of the system, of all systems, and of nobody
    assert again == first
    assert len(asked) == 2 * first


def heads_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []
    honest = world.store.get

    def get(path: str) -> Document:
        if path.startswith("chains/"):
            asked.append(path)
        return honest(path)

    monkeypatch.setattr(world.store, "get", get)
    return asked


def test_an_event_changed_or_removed_after_it_was_sealed_is_found() -> None:
    """The seal holds the events: what was kept singly must agree with it."""
    world = World()
    at = world.now
    kept = create_event("command.pause", at, "somebody", reason="real")
    world.store.commit([event_write("all", "command:1", kept)])
    for _ in range(31):
        tick(world)
    entries = [decode(AuditEntry, one.fields) for one in world.store.query(Query("systems/all/seals"))]

    changed = create_event("command.pause", at, "somebody", reason="forged")

    assert find_seal_faults(entries, [(kept, 1)]) == []
    assert find_seal_faults(entries, [(changed, 1)]) != []
    assert find_seal_faults(entries, []) != []
