"""The stores that the contract holds for, and how the outside meddles with each of them."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import grpc
from google.cloud.firestore_v1.services.firestore.transports.grpc import FirestoreGrpcTransport

from local.core.clock import CloudClock
from local.core.grpc_services import StatusError, serve
from local.core.journal import Journal
from local.faults.hooks import CallMoment, FaultHooks, Hook
from local.services.firestore import Concurrency
from local.services.firestore.service import FirestoreService
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.firestore.store import FirestoreStore
from shared.core.store import SERVER_TIME, Put, Store
from tests.contracts.support.lost_answers import lose_in_memory
from tests.support.fakes.firestore.store import MemoryStore
from tests.support.fakes.runtime.clock import FakeClock
from tests.support.fakes.runtime.hooks import no_hook

COMMIT = "google.firestore.v1.Firestore/Commit"


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        self.memory = MemoryStore(FakeClock())
        self.store: Store = self.memory

    def lose_next_answer(self) -> None:
        """The next commit takes effect, and its answer is lost."""
        lose_in_memory(self.memory, "store.commit")

    def contend(self, path: str, times: int) -> None:
        """The next commits of a transaction that read `path` find that others were there."""
        left = times

        def hook(verb: str, side: str) -> None:
            nonlocal left
            if (verb, side) == ("store.commit", "before") and left:
                left -= 1
                self.memory.hook = no_hook
                fields = self.memory.get(path).fields or {}
                self.memory.commit([Put(path, {**fields, "touched": SERVER_TIME})])
                self.memory.hook = hook

        self.memory.hook = hook

    def calm(self) -> None:
        """No trouble any more."""
        self.memory.hook = no_hook


class OverTheWire:
    """The adapter, over gRPC to an embedded Firestore, in a database of its own."""

    def __init__(self, faults: FaultHooks, clients: Clients) -> None:
        self._faults = faults
        self._hooks: list[Hook] = []
        database = f"projects/demo/databases/d{uuid.uuid4().hex}"
        self.store: Store = FirestoreStore(clients.firestore, database, FakeClock(), Random(1))

    def lose_next_answer(self) -> None:
        self.answer(COMMIT, CallMoment.AFTER, 1, grpc.StatusCode.UNAVAILABLE)

    def contend(self, path: str, times: int) -> None:
        self.answer(COMMIT, CallMoment.BEFORE, times, grpc.StatusCode.ABORTED)

    def answer(
        self,
        call: str,
        moment: CallMoment,
        times: int,
        status: grpc.StatusCode,
        trailers: tuple[tuple[str, bytes], ...] = (),
    ) -> None:
        """Let the next calls end in a status, on that side of their effect."""
        left = times

        def hook(asked: str, at: CallMoment) -> None:
            nonlocal left
            if (asked, at) == (call, moment) and left:
                left -= 1
                raise StatusError(status, "injected", trailers)

        self._hooks.append(hook)
        self._faults.add(hook)

    def calm(self) -> None:
        for hook in self._hooks:
            self._faults.remove(hook)


StoreWorld = InMemory | OverTheWire
"""A store and the troubles that its surroundings can make."""


@contextmanager
def firestore(concurrency: Concurrency) -> Iterator[Callable[[], OverTheWire]]:
    """An embedded Firestore; each call makes a store of its own on it."""
    faults = FaultHooks()
    service = FirestoreService(CloudClock(), Journal(), concurrency, randomness=Random(2))
    server, address = serve({FirestoreGrpcTransport: service}, faults)
    clients = Clients({"firestore": address}, deployed=False)
    yield lambda: OverTheWire(faults, clients)
    clients.close()
    server.stop(grace=None).wait()
