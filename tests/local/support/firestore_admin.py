"""Firestore with its administration and a bucket, at a clock that is moved by hand."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from google.cloud.firestore_admin_v1 import FirestoreAdminClient, types
from google.cloud.firestore_admin_v1.services.firestore_admin.transports.grpc import (
    FirestoreAdminGrpcTransport,
)
from google.cloud.firestore_v1 import types as data
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports.grpc import FirestoreGrpcTransport
from google.longrunning import operations_pb2
from google.protobuf.proto import parse_length_prefixed

from local.core import grpc_services
from local.core.clock import CloudClock
from local.core.journal import Journal
from local.faults.hooks import Fate, FaultHooks
from local.services.firestore import FirestoreAdmin, FirestoreService
from local.services.storage import Buckets

ORIGIN = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
"""A Sunday."""
NOON = ORIGIN.replace(second=0)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
PROJECT = "projects/shop"
DATABASE = f"{PROJECT}/databases/(default)"
BUCKET = "shop-exports"


class World:
    """Google's clients of one Firestore, its buckets and its clock."""

    def __init__(
        self, clock: CloudClock, faults: FaultHooks, buckets: Buckets, address: str, service: Any
    ) -> None:
        self.clock = clock
        self.faults = faults
        self.buckets = buckets
        self.address = address
        self.service = service
        self._channel = grpc.insecure_channel(address)
        self.admin = FirestoreAdminClient(transport=FirestoreAdminGrpcTransport(channel=self._channel))
        self.store = self.documents("(default)")

    def documents(self, database: str) -> firestore.Client:
        """Google's client of one database."""
        client = firestore.Client(project="shop", database=database, credentials=AnonymousCredentials())
        client._firestore_api_internal = FirestoreClient(
            transport=FirestoreGrpcTransport(channel=self._channel)
        )
        return client

    def pass_time(self, by: timedelta) -> None:
        self.clock.advance(by)
        self.service.catch_up()

    def operation(self, begun: Any) -> operations_pb2.Operation:
        """An operation as the service shows it now; `begun` is what the client gave."""
        name = begun.operation.name
        found: operations_pb2.Operation = self.admin.get_operation({"name": name})
        return found

    def ends(self, begun: Any, after: timedelta = timedelta(minutes=10)) -> Any:
        """The operation once that time has passed."""
        self.pass_time(after)
        ended = self.operation(begun)
        assert ended.done
        return ended

    def fail(self, thing: str, why: str) -> None:
        """Let operations of that name fail when they are due."""
        fate = Fate(failure=why)
        self.faults.add_oracle(lambda asked: fate if asked == f"operation {thing}" else None)

    def files(self, folder: str = "") -> dict[str, bytes]:
        """The live objects of the bucket, by name."""
        kept = self.buckets.all(BUCKET, versions=False)
        return {one.name: one.content for one in kept if one.name.startswith(folder)}

    def exported(self, folder: str) -> list[str]:
        """The paths of the documents in an export's output files."""
        found = []
        for name, content in self.files(folder).items():
            stream = io.BytesIO(content)
            while "/output-" in name:
                document = parse_length_prefixed(data.Document.pb(), stream)
                if document is None:
                    break
                found.append(document.name.partition("/documents/")[2])
        return found

    def schedule(self, kept: timedelta = 7 * DAY, **recurrence: Any) -> Any:
        return self.admin.create_backup_schedule(
            parent=DATABASE, backup_schedule=types.BackupSchedule(retention=kept, **recurrence)
        )

    def close(self) -> None:
        self._channel.close()


@contextmanager
def running(journal: Journal | None = None, *, pitr: bool = True) -> Iterator[World]:
    """A world for the length of the block; what a journal holds outlives it."""
    clock, faults, kept = CloudClock(ORIGIN, scale=0), FaultHooks(), journal or Journal()
    firestore_service = FirestoreService(clock, kept, point_in_time_recovery=pitr)
    buckets = Buckets(clock, kept)
    admin = FirestoreAdmin(firestore_service, buckets, clock, kept, faults)
    operations = operations_pb2.DESCRIPTOR.services_by_name["Operations"]
    server, address = grpc_services.serve(
        {
            FirestoreGrpcTransport: firestore_service,
            FirestoreAdminGrpcTransport: admin,
            operations: admin.operations,
        },
        faults,
    )
    world = World(clock, faults, buckets, address, admin)
    try:
        yield world
    finally:
        world.close()
        server.stop(grace=None).wait()
