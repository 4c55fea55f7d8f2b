"""Tokens, fed through every entry point of main.py, and looked for wherever anything comes out."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from shared.core import topics
from tests.support.fakes.identity import FakeIdentity
from tests.support.runtime.entry_points import (
    ENTRY_POINTS,
    EntryPointPorts,
    build_push,
    post_to_entry_point,
    start_instance,
)
from tests.support.runtime.world import BOOKSHOP

ESCAPED = "\\u0065\\u0079\\u004a"
"""`eyJ`, as JSON may write it."""


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[EntryPointPorts]:
    with start_instance(monkeypatch) as ports:
        yield ports


def everything(ports: EntryPointPorts, capsys: pytest.CaptureFixture[str]) -> str:
    """All that was stored, published, sent or written to the log."""
    documents = {path: str(one) for path, one in ports.store.documents.items()}
    messages = [(one.data.decode(errors="replace"), one.attributes) for one in ports.bus.messages]
    sent = [msgspec.json.encode(one.notice).decode() for one in ports.sender.sent]
    captured = capsys.readouterr()
    return "\n".join((str(documents), str(messages), str(sent), captured.out, captured.err))


def tokens(identity: FakeIdentity) -> list[str]:
    """A good one, one that was tampered with, one of somebody else, and one that was cut off."""
    good = identity.person()
    foreign = identity.service("a" * 64, iss="https://issuer.example.com")
    return [good, good[:-8] + "AAAAAAAA", foreign, good.rpartition(".")[0]]


def carriers(token: str) -> list[bytes]:
    """A token in every place of a message that one could think of."""
    command: dict[str, Any] = {"version": 1, "command": "pause", "reason": "a test"}
    written = json.dumps({**command, "reason": f"see {token}", "token": token})
    return [
        token.encode(),
        f"Authorization: Bearer {token}".encode(),
        json.dumps([token]).encode(),
        json.dumps({token: 1}).encode(),
        json.dumps({"command": token, "version": 1}).encode(),
        json.dumps({**command, "system": token}).encode(),
        json.dumps({**command, "token": {"id_token": token}}).encode(),
        json.dumps({**command, "token": token}).encode(),
        json.dumps({**command, "token": token, "command": "explode"}).encode(),
        json.dumps({**command, "token": token, "actor": f"it is me: {token}"}).encode(),
        written.encode(),
        written.replace("eyJ", ESCAPED).encode(),
        written[:-2].encode(),
        b"\xff" + token.encode(),
        json.dumps({"kind": "rollback", "id": token, "due_at": "2026-03-01T00:00:00Z"}).encode(),
        json.dumps(_notification(token)).encode(),
        json.dumps({"version": 1, "system": "bookshop", "deployment": token}).encode(),
        json.dumps({"version": 1, "system": "bookshop", "barrier": token}).encode(),
    ]


def _notification(token: str) -> dict[str, Any]:
    labels = {"rollback_system": "bookshop", "rollback_signal": "function_failure_rate"}
    return {
        "version": "1.2",
        "incident": {
            "incident_id": "0.abc",
            "state": "open",
            "started_at": 1_772_000_000,
            "summary": f"it fails: {token}",
            "policy_name": token,
            "resource": {"type": "x", "labels": {"project_id": BOOKSHOP.project, "t": token}},
            "policy_user_labels": labels,
        },
    }


@pytest.mark.parametrize(("entry_point", "topic"), [*ENTRY_POINTS.items(), ("on_command", topics.COMMANDS)])
def test_a_token_reaches_no_output(
    entry_point: str, topic: str, ports: EntryPointPorts, capsys: pytest.CaptureFixture[str]
) -> None:
    """No document, message, notice or line of the log holds any of it, whatever becomes of it."""
    number = 0
    for token in tokens(ports.sign_in):
        for carrier in carriers(token):
            number += 1
            assert post_to_entry_point(entry_point, build_push(carrier, str(number)), topic=topic) == 204
        assert post_to_entry_point(entry_point, carrier) == 204  # not even an envelope around it

    found = everything(ports, capsys)

    for token in tokens(ports.sign_in):
        for part in token.split("."):
            assert part not in found
            assert part[:60] not in found
    assert "refused" in found or entry_point == "on_clock"
