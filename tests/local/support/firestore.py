"""An embedded Firestore on loopback, and Google's own client on it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports.grpc import FirestoreGrpcTransport

from local.core import grpc_services
from local.core.clock import CloudClock
from local.core.journal import Journal
from local.faults.hooks import CallMoment, FaultHooks
from local.services.firestore import Concurrency, FirestoreService

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", grpc_services.MESSAGE_LIMIT_BYTES),
    ("grpc.max_send_message_length", grpc_services.MESSAGE_LIMIT_BYTES),
]


@dataclass(frozen=True)
class FirestoreWorld:
    """A Firestore whose time stands still at noon until it is moved."""

    clock: CloudClock
    faults: FaultHooks
    address: str

    @contextmanager
    def client(self, database: str = "rollback") -> Iterator[firestore.Client]:
        """Google's client on a channel of its own."""
        with connected(self.address, "ops", database) as client:
            yield client

    def arrival(self, call: str) -> threading.Event:
        """Set when the next call of this name has arrived and is about to be carried out."""
        arrived = threading.Event()

        def notice(name: str, moment: CallMoment) -> None:
            if name.endswith(f"/{call}") and moment is CallMoment.BEFORE:
                self.faults.remove(notice)
                arrived.set()

        self.faults.add(notice)
        return arrived


@contextmanager
def connected(address: str, project: str, database: str) -> Iterator[firestore.Client]:
    """Google's client of a database, on a channel of its own."""
    channel = grpc.insecure_channel(address, CHANNEL_OPTIONS)
    client = firestore.Client(project=project, database=database, credentials=AnonymousCredentials())
    client._firestore_api_internal = FirestoreClient(transport=FirestoreGrpcTransport(channel=channel))
    with channel:
        yield client


@contextmanager
def serving(
    journal: Journal | None = None,
    concurrency: Concurrency = Concurrency.PESSIMISTIC,
    *,
    point_in_time_recovery: bool = False,
) -> Iterator[FirestoreWorld]:
    """A Firestore that is served for the length of the block."""
    clock, faults = CloudClock(NOON, scale=0), FaultHooks()
    service = FirestoreService(
        clock, journal or Journal(), concurrency, point_in_time_recovery=point_in_time_recovery
    )
    server, address = grpc_services.serve({FirestoreGrpcTransport: service}, faults)
    try:
        yield FirestoreWorld(clock, faults, address)
    finally:
        server.stop(grace=None).wait()
