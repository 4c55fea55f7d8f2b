"""Both worlds of a platform, one after the other, and the other side of each way to people."""

from collections.abc import Iterator

import pytest
from firebase_admin import messaging

from shared.adapters.gcp.firebase.messaging import FirebasePush
from tests.contracts.support.channels import Anonymous, Server
from tests.contracts.support.http_server import serving
from tests.contracts.support.platforms import InMemory, OverTheWire, embedded
from tests.contracts.support.worlds import both_worlds


@pytest.fixture
def wire() -> Iterator[OverTheWire]:
    with embedded() as cloud:
        yield cloud


world = both_worlds(InMemory)


@pytest.fixture
def server() -> Iterator[Server]:
    """Everybody whom channels talk to."""
    server = Server()
    with serving(server) as loop:
        server.leave = loop.close
        yield server


@pytest.fixture
def push(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FirebasePush]:
    """The way to devices, led there."""
    there = f"http://{server.address}/v1/projects/{{0}}/messages:send"
    monkeypatch.setattr(messaging._MessagingService, "FCM_URL", there)
    made = FirebasePush("shop", Anonymous())
    yield made
    made.close()
