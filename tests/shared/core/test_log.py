"""Log lines as Cloud Logging reads them, and the trail told in them."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.audit_logging_store import AuditLoggingStore
from shared.core import log
from shared.core.errors import Ambiguous, Moved
from shared.core.store import Create, Put, Query, Reader, Write
from shared.domain.audit.audit_lines import audit_line_of_event
from shared.domain.audit.chain import create_event
from shared.domain.audit.system_chain import event_write
from tests.support.fakes.firestore.store import MemoryStore
from tests.support.fakes.runtime.clock import START, FakeClock
from tests.support.runtime.world import World

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Said:
    """Everything that was logged since it was last asked."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._capsys.readouterr().err.splitlines()]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    return Said(capsys)


def test_a_line_in_cloud_loggings_format(said: Said) -> None:
    """Severity and message, the entry's own fields under their names, the payload beside them."""
    log.write("ERROR", "it broke", labels={"system": "shop"}, trace="t", span="s", sampled=True, n=1)

    assert said() == [
        {
            "severity": "ERROR",
            "message": "it broke",
            "logging.googleapis.com/labels": {"system": "shop"},
            "logging.googleapis.com/trace": "t",
            "logging.googleapis.com/spanId": "s",
            "logging.googleapis.com/trace_sampled": True,
            "n": 1,
        }
    ]


@pytest.mark.parametrize("text", ['x"}\n{"severity": "CRITICAL"}', "a\r\nb\u2028c", "\x1b[31m", "\ud800"])
def test_a_text_cannot_begin_another_line_or_field(said: Said, text: str) -> None:
    """However it is written, it is one value in one line."""
    log.write("INFO", text, facts={text: text})

    [line] = said()
    assert line == {"severity": "INFO", "message": text, "facts": {text: text}}


def test_what_is_large_or_deep_is_bounded(said: Said) -> None:
    """A line never grows past what Cloud Logging takes, and tells that it was cut."""
    deep: Any = "bottom"
    for _ in range(10_000):
        deep = [deep]

    log.write("INFO", "x" * 10**6, facts={f"f{number}": "y" * 10**5 for number in range(10**4)})
    log.write("INFO", "deep", facts=deep)

    large, nested = said()
    assert len(large["message"]) == log.MAX_TEXT_CHARACTERS
    assert len(json.dumps(large)) < log.MAX_LINE_CHARACTERS
    assert "bottom" not in json.dumps(nested)
    log.write("INFO", "wide", facts={str(n): ["y" * 2000] * 50 for n in range(50)})
    [wide] = said()
    assert wide["facts"] == "too long to be logged"


def test_every_line_of_a_request_carries_its_context(said: Said) -> None:
    """Within it and not after it; what is inside wins."""
    with log.context(message_id="1", topic="t"):
        with log.context(message_id="2"):
            log.write("INFO", "inner")
        log.write("INFO", "outer")
    log.write("INFO", "after")

    inner, outer, after = said()
    assert (inner["message_id"], inner["topic"]) == ("2", "t")
    assert outer["message_id"] == "1"
    assert "message_id" not in after


@pytest.mark.parametrize(
    ("headers", "span", "sampled"),
    [
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, "00f067aa0ba902b7", True),
        ({"Traceparent": f"00-{TRACE}-00f067aa0ba902b7-00"}, "00f067aa0ba902b7", False),
    ],
)
def test_a_request_names_its_trace(headers: dict[str, str], span: str, sampled: bool) -> None:
    """The trace is named with the project, as the log wants it."""
    assert log.trace_fields(headers, "ops") == {
        "trace": f"projects/ops/traces/{TRACE}",
        "span": span,
        "sampled": sampled,
    }


@pytest.mark.parametrize(
    "header", ["", "00-xyz", f"{TRACE}/1;o=1\n", f"00-{TRACE}-00f067aa0ba902b7-01, evil", "x" * 10**5]
)
def test_a_header_that_names_no_trace(header: str) -> None:
    """Nothing of it reaches the log."""
    assert log.trace_fields({"traceparent": header}, "ops") == {}


def test_personal_data_stands_only_where_a_person_is_named(said: Said) -> None:
    """An actor is meant; everywhere else it goes."""
    log.write("INFO", "eve@example.com", actor="eve@example.com", note="ask eve@example.com")

    [line] = said()
    assert (line["actor"], line["message"], line["note"]) == ("eve@example.com", "[removed]", "ask [removed]")


# The trail


def test_every_event_of_a_rollback_is_told(said: Said) -> None:
    """Each with incident, rollback, system, commit, and its step; after its commit."""
    world = World()
    world.ports.store = AuditLoggingStore(world.store)  # type: ignore[assignment]
    world.deploy_bad()
    world.alert()
    said()
    world.pass_time(timedelta(minutes=45))

    lines = [line for line in said() if line.get("rollback")]

    rollback = world.rollback
    trail = [
        (entry.sequence, entry.commit_id, event.name)
        for entry in world.trail(rollback)
        for event in entry.events
    ]
    assert [(one["sequence"], one["commit_id"], one["event"]) for one in lines] == trail
    assert {one["logging.googleapis.com/labels"]["incident"] for one in lines} == {rollback.incident}
    assert {one["system"] for one in lines} == {rollback.system}
    begun = [one for one in lines if one["event"] == "step.begun"]
    assert {(one["step"] != "", one["before"], one["after"]) for one in begun} == {(True, "PENDING", "BEGUN")}
    labels = [one["logging.googleapis.com/labels"] for one in begun]
    assert [one["step"] for one in labels] == [one["step"] for one in begun]
    shifted = next(one for one in lines if one["event"] == "rollback.shifted")
    assert (shifted["before"], shifted["after"]) == ("RUNNING", "VERIFYING")


def store_that(failing: Exception | None = None) -> AuditLoggingStore:
    def hook(verb: str, side: str) -> None:
        if failing is not None and (verb, side) == ("store.commit", "before"):
            raise failing

    return AuditLoggingStore(MemoryStore(FakeClock(), hook))


SAID = event_write("shop", "k", create_event("command.pause", START, "eve", reason="looking"))


def test_an_event_outside_a_rollback_is_told(said: Said) -> None:
    """By the system that it concerns, and by who did it."""
    store_that().commit([SAID, Put("other/thing", {})])

    [line] = said()
    assert (line["event"], line["system"], line["actor"]) == ("command.pause", "shop", "eve")
    assert line["message"] == "command.pause: looking"
    assert line["logging.googleapis.com/labels"] == {"system": "shop", "event": "command.pause"}


@pytest.mark.parametrize("failure", [Moved("no"), Ambiguous("lost")])
def test_what_has_not_landed_is_not_told(said: Said, failure: Exception) -> None:
    """A line says that something is so, never that it was tried."""
    store = store_that(failure)

    with pytest.raises(type(failure)):
        store.commit([SAID])
    with pytest.raises(type(failure)):
        store.transact(lambda _: [SAID])

    assert said() == []


def test_a_transaction_tells_what_its_last_run_has_written(said: Said) -> None:
    """Not what an earlier run of its work would have."""
    store = store_that()
    store.commit([Create("a/b", {"runs": 0})])
    runs: list[int] = []

    def work(reader: Reader) -> Sequence[Write]:
        reader.get("a/b")
        runs.append(1)
        if len(runs) == 1:
            store.commit([Put("a/b", {"runs": 1})])
            return [event_write("shop", "first", create_event("never", START, "eve"))]
        return [SAID]

    store.transact(work)
    assert [line["event"] for line in said()] == ["command.pause"]

    assert store.transact(lambda _: []) is None
    assert said() == []
    assert store.query(Query("systems/shop/audit"))[0].path == SAID.path
    assert store.get(SAID.path).fields is not None


@pytest.mark.parametrize(
    ("name", "actor", "facts", "expected"),
    [
        (
            "command.pause",
            "eve",
            {"command": {"reason": "looking"}},
            {"why": "looking", "origin": "on_command", "actor": "eve"},
        ),
        (
            "message.refused",
            "projects/p/topics/rollback-alerts",
            {"reason": "not JSON", "message": "7"},
            {"why": "not JSON", "origin": "projects/p/topics/rollback-alerts", "message": "7"},
        ),
        (
            "rollback.parked",
            "worker",
            {"note": "asks", "changes": {"status": ["DECIDING", "PARKED"]}},
            {"why": "asks", "origin": "on_work", "before": "DECIDING", "after": "PARKED"},
        ),
        (
            "rollback.held-back",
            "worker",
            {"changes": {"status": ["A", "B"], "expires_at": ["t", None]}},
            {"before": '{"status": "A", "expires_at": "t"}', "after": '{"status": "B", "expires_at": null}'},
        ),
        (
            "step.done",
            "worker",
            {"step": "shift x", "before": "BEGUN"},
            {"step": "shift x", "before": "BEGUN", "after": "DONE"},
        ),
        ("odd", "x", {"changes": "text", "command": "text"}, {"before": "", "after": "", "why": ""}),
    ],
)
def test_what_an_event_tells(name: str, actor: str, facts: dict[str, Any], expected: dict[str, str]) -> None:
    """Who, what, why, from where, before and after, out of whatever facts there are."""
    told = audit_line_of_event(create_event(name, START, actor, **facts), "shop", 3)

    assert {key: getattr(told, key) for key in expected} == expected
    assert (told.event, told.system, told.sequence) == (name, "shop", 3)
