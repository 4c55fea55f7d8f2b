"""What becomes of calls whose server goes away, and what a channel to Google is made of."""

from random import Random
from threading import Event, Semaphore, Thread
from typing import Any

import grpc
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore_v1.services.firestore.transports.grpc import FirestoreGrpcTransport

from local.core.clock import CloudClock
from local.core.grpc_services import serve
from local.core.journal import Journal
from local.faults.hooks import FaultHooks
from local.services.firestore.service import FirestoreService
from shared.adapters.clock import SystemClock
from shared.adapters.gcp.clients import NO_RETRY_OPTIONS, UNLIMITED_MESSAGE_OPTIONS, Clients
from shared.adapters.gcp.firestore.store import FirestoreStore
from shared.core.errors import Unavailable

READERS = 3
ROUNDS = 40
"""Where calls are sent again beneath us, four of forty left a read that never came back."""
LIMIT_SECONDS = 20.0
"""Of wall time: twice what a read may take."""


def test_reads_whose_server_goes_away() -> None:
    """Each comes back, with an answer or without: none waits for what nobody will say."""
    for _ in range(ROUNDS):
        assert _left_alone() == []


def _left_alone() -> list[Thread]:
    """Readers that were in the middle of it when their server was stopped, and have not ended."""
    service = FirestoreService(CloudClock(), Journal(), randomness=Random(1))
    server, address = serve({FirestoreGrpcTransport: service}, FaultHooks())
    clients = Clients({"firestore": address}, deployed=False)
    database = "projects/demo/databases/rollback"
    store = FirestoreStore(clients.firestore, database, SystemClock(), Random(1))
    answers, gone = Semaphore(0), Event()

    def read() -> None:
        while not gone.is_set():
            try:
                store.get("a/b")
            except Unavailable:
                continue
            answers.release()

    readers = [Thread(target=read, daemon=True) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    for _ in range(10 * READERS):
        answers.acquire()
    server.stop(None).wait()
    gone.set()
    for reader in readers:
        reader.join(LIMIT_SECONDS)
    clients.close()
    return [reader for reader in readers if reader.is_alive()]


def test_a_channel_to_google(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the one that the client would make for itself, but nothing is sent again on it."""
    made: dict[str, Any] = {}

    def secure_channel(target: str, _: object, options: object, **__: object) -> grpc.Channel:
        made[target] = options
        return grpc.insecure_channel(target)

    monkeypatch.setattr("google.auth.default", lambda *_, **__: (AnonymousCredentials(), "demo"))
    monkeypatch.setattr(grpc, "secure_channel", secure_channel)

    clients = Clients({}, deployed=True)
    asked = (
        clients.firestore,
        clients.firestore_admin,
        clients.publisher,
        clients.subscriber,
        clients.functions,
        clients.services,
        clients.revisions,
        clients.monitoring,
    )
    clients.close()

    assert set(made) == {client.transport.host for client in asked}
    for options in made.values():
        assert options[:2] == UNLIMITED_MESSAGE_OPTIONS
        assert options[-1:] == NO_RETRY_OPTIONS
