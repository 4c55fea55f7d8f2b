"""What every Sender does with a notice."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from shared.adapters.channels.sender import ChannelSender
from shared.core.errors import Rejected, RollbackError, Unavailable
from shared.domain.policy.channels import Channel, ChannelKind
from tests.contracts.support.http_server import Quiet, serving
from tests.contracts.support.lost_answers import raises_exactly
from tests.support.fakes.sender import FakeSender

RECORDING = Channel("log", ChannelKind.RECORDING)


class Server(ThreadingHTTPServer):
    """A web hook on loopback that keeps what was posted: key, content type, notice."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hook)
        self.posted: list[tuple[str, str, Any]] = []


class Hook(Quiet, BaseHTTPRequestHandler):
    """Answers with the status in the path."""

    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = (self.headers["Idempotency-Key"], self.headers["Content-Type"])
        self.server.posted.append((*headers, json.loads(body)))
        self.send_response(int(self.path.strip("/")))
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    with serving(server):
        yield server


def webhook(server: Server, status: int) -> Channel:
    url = f"http://127.0.0.1:{server.server_port}/{status}"
    return Channel("hook", ChannelKind.WEBHOOK, url)


def test_a_notice_to_a_recording_channel() -> None:
    """The record exists already: nothing leaves, so nothing can go wrong."""
    looked_up: list[str] = []
    memory = FakeSender()

    ChannelSender(looked_up.append).send(RECORDING, "key", {"text": "x"})
    memory.send(RECORDING, "key", {"text": "x"})

    assert looked_up == []
    assert [sent.key for sent in memory.sent] == ["key"]


def test_a_notice_to_a_channel_that_is_down() -> None:
    """The fake fails as the real one does: nothing arrives, ask again later."""
    sender = FakeSender()
    sender.down.add("log")

    with pytest.raises(Unavailable):
        sender.send(RECORDING, "key", {})

    assert sender.sent == []


def test_a_notice_to_a_web_hook(server: Server) -> None:
    """A web hook gets the notice as JSON, times in ISO 8601, and the key to recognise a repeat."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    ChannelSender().send(webhook(server, 204), "INC-1:opened", {"text": "é", "at": at})

    expected = {"text": "é", "at": "2026-03-01T12:00:00Z"}
    assert server.posted == [("INC-1:opened", "application/json", expected)]


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, Rejected),
        (404, Rejected),
        (410, Rejected),
        (302, Unavailable),
        (408, Unavailable),
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_a_web_hook_that_refuses(server: Server, status: int, meaning: type[RollbackError]) -> None:
    """A client error will not change; every other answer is worth another attempt."""
    with raises_exactly(meaning):
        ChannelSender().send(webhook(server, status), "key", {})


def test_a_web_hook_that_is_not_there() -> None:
    """No connection is no answer."""
    channel = Channel("hook", ChannelKind.WEBHOOK, "http://127.0.0.1:9/")

    with pytest.raises(Unavailable):
        ChannelSender().send(channel, "key", {})


def test_a_web_hook_without_an_address() -> None:
    """A channel that leads nowhere never will."""
    with pytest.raises(Rejected):
        ChannelSender().send(Channel("hook", ChannelKind.WEBHOOK), "key", {})
