"""An embedded Cloud Storage, and Google's client of it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.faults.hooks import FaultHooks
from local.services.storage import Buckets, StorageServer, StorageService
from shared.adapters.gcp.clients import Clients
from tests.support.fakes.runtime.clock import START


@contextmanager
def storage(*names: str) -> Iterator[tuple[FaultHooks, Buckets, Clients]]:
    """It stands still at the fake clock's start, and has these buckets."""
    faults, buckets = FaultHooks(), Buckets(CloudClock(START, scale=0), Journal())
    for name in names:
        buckets.create(name)
    with (
        closing(StorageServer(StorageService(buckets), faults)) as server,
        closing(Clients({"storage": server.address}, deployed=False)) as clients,
    ):
        yield faults, buckets, clients
