"""Messages that are refused with reasons of any size, and the sweeps after them."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from responders.triggers.clock import STAGE_FAILED_EVENT, ClockTrigger
from shared.core import topics
from shared.core.chunks import MAX_DOCUMENT_BYTES, count_stored_bytes
from shared.core.codec import decode, encode
from shared.core.errors import Unavailable
from shared.core.store import Put, Query
from shared.core.text import MAX_REASON_CHARACTERS
from shared.domain.audit.chain import Event, create_event
from shared.domain.audit.system_chain import UNCLAIMED_SYSTEM, event_write, sealed_form
from shared.domain.audit.verification import ChainVerdict
from shared.domain.incidents.incident import Incident, IncidentStatus, TimelineEvent, change_status
from shared.domain.policy.severity import Severity
from shared.domain.system_record import ALL_SYSTEMS
from shared.state.audit_reader import AuditReader
from tests.support.cli.in_process import WorldPrompt
from tests.support.runtime.entry_points import (
    EntryPointPorts,
    build_push,
    post_to_entry_point,
    start_instance,
)
from tests.support.runtime.world import BOOKSHOP, World

FIRESTORE_LIMIT = 1_048_576
LONG_REASON = "💣" * 10_000
"""Ten times as long as the responders store a reason."""
HOSTILE: dict[str, Callable[[int], dict[str, Any]]] = {
    "long": lambda number: {"version": 1, "command": f"{number}" + "x" * 20_000, "reason": "r"},
    "4-byte characters": lambda number: {"version": 1, "command": f"{number}" + "💣" * 12_000, "reason": "r"},
    "escapes": lambda number: {"version": 1, "command": f"{number}" + "\x01" * 12_000, "reason": "r"},
    "many fields": lambda number: {f"f{one}-{number}": one for one in range(3_000)},
}


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[EntryPointPorts]:
    with start_instance(monkeypatch) as ports:
        yield ports


def tick(ports: EntryPointPorts) -> int:
    status = post_to_entry_point("on_clock", build_push(b"{}"))
    ports.clock.advance(timedelta(seconds=30))
    return status


def sweep_for_an_hour(ports: EntryPointPorts) -> None:
    assert {tick(ports) for _ in range(60)} == {204}


def assert_sound_chain(ports: EntryPointPorts, events: int) -> None:
    """Every event is sealed, no document is too large, and the chain verifies and is anchored."""
    store = ports.store
    collection = f"systems/{UNCLAIMED_SYSTEM}/audit"
    assert len(store.query(Query(collection))) == events
    assert store.query(Query(collection, (("sealed", "==", 0),))) == []
    seals = store.query(Query(f"systems/{UNCLAIMED_SYSTEM}/seals"))
    assert all(count_stored_bytes(one.fields) < FIRESTORE_LIMIT - 20_000 for one in seals)
    found = AuditReader(store, ports.anchors).verify_system(UNCLAIMED_SYSTEM, ports.clock.now())
    assert found is not None
    assert (found.verdict, found.faults) == (ChainVerdict.INTACT, ())
    assert found.anchored == len(seals)


@pytest.mark.parametrize("kind", HOSTILE)
def test_refused_messages_with_the_longest_reasons_stop_no_stage(
    ports: EntryPointPorts, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are sealed in parts that fit, the chain verifies, and each stage of the sweep runs."""
    for number in range(130):
        body = json.dumps(HOSTILE[kind](number), ensure_ascii=False).encode()
        assert post_to_entry_point("on_command", build_push(body, f"m{number}")) == 204
    capsys.readouterr()

    sweep_for_an_hour(ports)

    assert_sound_chain(ports, 130)
    assert STAGE_FAILED_EVENT not in capsys.readouterr().err


def test_a_reason_is_kept_in_part_and_says_what_is_cut(ports: EntryPointPorts) -> None:
    """The audit log, the notification and the log line hold 1,000 characters of it at most."""
    body = json.dumps({"version": 1, "command": "x" * 20_000, "reason": "r"}).encode()

    post_to_entry_point("on_command", build_push(body))

    [event] = ports.store.query(Query(f"systems/{UNCLAIMED_SYSTEM}/audit"))
    reason = (event.fields or {})["facts"]["reason"]
    assert reason.startswith('command: "xxx')
    assert reason.endswith("… (19070 more characters are cut)")
    assert len(reason) < MAX_REASON_CHARACTERS + 50
    notices = [fields for path, fields in ports.store.documents.items() if path.startswith("notices/")]
    assert notices
    assert all(len(one["text"]) < MAX_REASON_CHARACTERS + 200 for one in notices)


def test_thousands_of_refused_messages_are_sealed_within_one_quarter(ports: EntryPointPorts) -> None:
    """A sweep makes as many seals as the events need."""
    for number in range(2_500):
        store_refusal(ports, number, "nonsense")

    sweep_for_an_hour(ports)

    assert_sound_chain(ports, 2_500)


def test_events_larger_than_the_responders_write_them_are_sealed(ports: EntryPointPorts) -> None:
    """Reasons of 10,000 characters, and an event that alone fills a document, are sealed."""
    for number in range(150):
        store_refusal(ports, number, LONG_REASON)
    huge = Event(
        "message.refused", create_event("x", ports.clock.now(), "x").at, "x", {"reason": "x" * 1_040_000}
    )
    ports.store.commit([event_write(UNCLAIMED_SYSTEM, "huge", huge)])

    sweep_for_an_hour(ports)

    assert_sound_chain(ports, 151)
    kept = decode(Event, ports.store.get(f"systems/{UNCLAIMED_SYSTEM}/audit/huge").fields)
    assert kept == huge
    assert set(sealed_form(kept).facts) == {"bytes", "sha256"}


def test_an_event_that_was_changed_beside_its_sealed_hash_is_found(ports: EntryPointPorts) -> None:
    """A hash in place of large facts proves them as the facts themselves do."""
    huge = Event(
        "message.refused", create_event("x", ports.clock.now(), "x").at, "x", {"reason": "x" * 950_000}
    )
    ports.store.commit([event_write(UNCLAIMED_SYSTEM, "huge", huge)])
    sweep_for_an_hour(ports)
    path = f"systems/{UNCLAIMED_SYSTEM}/audit/huge"
    fields = ports.store.get(path).fields or {}
    fields["facts"]["reason"] = "y" + fields["facts"]["reason"][1:]
    ports.store.remove(path)
    ports.store.commit([Put(path, fields)])

    found = AuditReader(ports.store, ports.anchors).verify_system(UNCLAIMED_SYSTEM, ports.clock.now())

    assert found is not None
    assert found.verdict is ChainVerdict.BROKEN


def test_facts_of_any_size_become_an_event_that_fits(ports: EntryPointPorts) -> None:
    """A list of an event that grows with its input is cut, and says so; small facts stay whole."""
    alerts = [f"0.{number:0200d}:open" for number in range(20_000)]

    event = create_event("incident.rejudged", ports.clock.now(), "worker", alerts=alerts, note="kept")

    assert event.facts["note"] == "kept"
    assert "more characters are cut" in event.facts["alerts"]
    assert count_stored_bytes(event.facts) < MAX_DOCUMENT_BYTES


def test_an_incident_that_is_judged_again_for_weeks_stays_one_document(ports: EntryPointPorts) -> None:
    """Its time line keeps its beginning and its newest lines."""
    incident = Incident(
        id="INC-1",
        system=BOOKSHOP.system,
        severity=Severity.HIGH,
        signal="function_failure_rate",
        status=IncidentStatus.DETECTED,
        onset_at=ports.clock.now(),
        detected_at=ports.clock.now(),
        timeline=[TimelineEvent(IncidentStatus.DETECTED, ports.clock.now(), "detected")],
    )
    for number in range(2_000):
        note = f"{number} {'x' * 400}"
        incident = change_status(incident, IncidentStatus.INVESTIGATING, ports.clock.now(), note)

    assert incident.timeline[0].status is IncidentStatus.DETECTED
    assert incident.timeline[-1].note.startswith("1999 ")
    assert count_stored_bytes(encode(incident)) < MAX_DOCUMENT_BYTES


def test_the_prompt_verifies_the_chain_after_refusals_of_any_size(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`rollback audit verify` finds every chain intact."""
    world = World()
    for number in range(110):
        world.publish(topics.OVERRIDE, json.dumps(HOSTILE["long"](number)).encode())
    world.pass_time(timedelta(minutes=31))

    done = WorldPrompt(monkeypatch, tmp_path, world).say("audit", "verify", "--all")

    assert done.exit_code == 0, done.output
    assert "unclaimed" in done.output


@pytest.mark.parametrize(
    "failure", [Unavailable("no answer"), KeyError("a defect")], ids=["service", "defect"]
)
def test_a_stage_that_fails_stops_no_other(
    ports: EntryPointPorts,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failure: Exception,
) -> None:
    """Each in turn: all others run, the tick is acknowledged, log and audit log name the stage."""
    run = ClockTrigger.run_stage
    ran: list[str] = []
    broken = ""

    def fail() -> None:
        raise failure

    def watched(self: ClockTrigger, stage: str, work: Callable[[], object]) -> None:
        ran.append(stage)
        run(self, stage, fail if stage == broken else work)

    monkeypatch.setattr(ClockTrigger, "run_stage", watched)
    assert tick(ports) == 204
    stages = list(dict.fromkeys(ran))
    assert stages.index("audit anchors") < stages.index(f"audit seals: {UNCLAIMED_SYSTEM}")
    assert len(stages) > 18

    for broken in stages:
        ran.clear()
        capsys.readouterr()
        while not ran or set(ran) == {broken}:
            assert tick(ports) == 204
        assert set(stages) == set(ran)
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        told = [one for one in lines if one.get("event") == STAGE_FAILED_EVENT and "stage" in one]
        assert {(one["stage"], one["severity"]) for one in told} == {(broken, "ERROR")}
        recorded = [
            one.fields["facts"]
            for one in ports.store.query(Query(f"systems/{ALL_SYSTEMS}/audit"))
            if one.fields and one.fields["name"] == STAGE_FAILED_EVENT
        ]
        assert any(one["stage"] == broken and type(failure).__name__ in one["fault"] for one in recorded)


def store_refusal(ports: EntryPointPorts, number: int, reason: str) -> None:
    refused = create_event("message.refused", ports.clock.now(), "topic", message=f"m{number}", reason=reason)
    ports.store.commit([event_write(UNCLAIMED_SYSTEM, f"refused:topic:m{number}", refused)])
