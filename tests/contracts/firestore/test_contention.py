"""Real threads at one document: no increment is lost, in either of Firestore's modes."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from google.cloud.firestore_v1.services.firestore.transports.grpc import FirestoreGrpcTransport

from local.core.clock import CloudClock
from local.core.grpc_services import serve
from local.core.journal import Journal
from local.faults.hooks import FaultHooks
from local.services.firestore import Concurrency
from local.services.firestore.service import FirestoreService
from shared.adapters.clock import SystemClock
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.firestore.store import FirestoreStore
from shared.core.errors import Throttled
from shared.core.store import Create, Reader, Update, Write

THREADS, EACH = 4, 10


def increment(reader: Reader) -> Sequence[Write]:
    found = reader.get("a/b")
    return [Update("a/b", {"n": (found.fields or {})["n"] + 1})]


@pytest.mark.parametrize("mode", list(Concurrency))
def test_transactions_on_one_document(mode: Concurrency) -> None:
    """Every transaction that answers was applied exactly once; what gave up was not applied."""
    service = FirestoreService(CloudClock(), Journal(), mode, randomness=Random(3))
    server, address = serve({FirestoreGrpcTransport: service}, FaultHooks())
    clients = Clients({"firestore": address}, deployed=False)
    database = "projects/demo/databases/rollback"

    def work(seed: int) -> int:
        store = FirestoreStore(clients.firestore, database, SystemClock(), Random(seed))
        applied = 0
        for _ in range(EACH):
            try:
                store.transact(increment)
            except Throttled:
                continue
            applied += 1
        return applied

    store = FirestoreStore(clients.firestore, database, SystemClock(), Random(0))
    store.commit([Create("a/b", {"n": 0})])
    with ThreadPoolExecutor(THREADS) as threads:
        applied = sum(threads.map(work, range(THREADS)))

    assert store.get("a/b").fields == {"n": applied}
    assert applied > THREADS
    clients.close()
    server.stop(grace=None).wait()
