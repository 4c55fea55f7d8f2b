"""What each status of Firestore, Pub/Sub and Cloud Run means to the caller."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from local.faults.hooks import CallMoment
from local.services.firestore import Concurrency
from shared.adapters.gcp.errors import Contended
from shared.core.errors import Ambiguous, Exists, Gone, Moved, Rejected, RollbackError, Throttled, Unavailable
from shared.core.store import Create, Query
from tests.contracts.support.lost_answers import raises_exactly
from tests.contracts.support.stores import COMMIT, OverTheWire, firestore

NO_ANSWER = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "CANCELLED")
NO = ("INVALID_ARGUMENT", "PERMISSION_DENIED", "UNAUTHENTICATED", "UNIMPLEMENTED", "OUT_OF_RANGE")

COMMITS = {
    **dict.fromkeys(NO_ANSWER, Ambiguous),
    **dict.fromkeys(NO, Rejected),
    "ABORTED": Contended,
    "RESOURCE_EXHAUSTED": Throttled,
    "ALREADY_EXISTS": Exists,
    "FAILED_PRECONDITION": Moved,
    "NOT_FOUND": Moved,
}
READS = {
    **dict.fromkeys(NO_ANSWER, Unavailable),
    **dict.fromkeys(NO, Rejected),
    "ABORTED": Contended,
    "RESOURCE_EXHAUSTED": Throttled,
    "NOT_FOUND": Gone,
    "FAILED_PRECONDITION": Rejected,
}


@pytest.fixture(scope="module")
def made() -> Iterator[Callable[[], OverTheWire]]:
    with firestore(Concurrency.PESSIMISTIC) as make:
        yield make


@pytest.fixture
def world(made: Callable[[], OverTheWire]) -> Iterator[OverTheWire]:
    world = made()
    yield world
    world.calm()


@pytest.mark.parametrize(("status", "meaning"), COMMITS.items())
def test_a_commit_that_answers(world: OverTheWire, status: str, meaning: type[RollbackError]) -> None:
    """A commit is sent once, whatever its answer, and each answer has one meaning."""
    world.answer(COMMIT, CallMoment.BEFORE, 1, grpc.StatusCode[status])

    with raises_exactly(meaning) as caught:
        world.store.commit([Create("a/b", {})])

    assert status in str(caught.value)
    assert world.store.get("a/b").fields is None


@pytest.mark.parametrize("read", ["get", "query"])
@pytest.mark.parametrize(("status", "meaning"), READS.items())
def test_a_read_that_answers(
    world: OverTheWire, status: str, meaning: type[RollbackError], read: str
) -> None:
    """A read without an answer is Unavailable, never nothing found and never Ambiguous."""
    call = {"get": "BatchGetDocuments", "query": "RunQuery"}[read]
    name = f"google.firestore.v1.Firestore/{call}"
    world.answer(name, CallMoment.BEFORE, 1, grpc.StatusCode[status])

    with raises_exactly(meaning):
        world.store.get("a/b") if read == "get" else world.store.query(Query("a"))


def retry_info(delay: timedelta) -> tuple[tuple[str, bytes], ...]:
    status = status_pb2.Status(code=grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], message="injected")
    wait = Duration()
    wait.FromTimedelta(delay)
    status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=wait))
    return (("grpc-status-details-bin", status.SerializeToString()),)


@pytest.mark.parametrize(
    ("trailers", "retry_after"),
    [((), timedelta(seconds=1)), (retry_info(timedelta(seconds=7.5)), timedelta(seconds=7.5))],
    ids=["without advice", "with advice"],
)
def test_a_commit_that_is_throttled(world: OverTheWire, trailers: Any, retry_after: timedelta) -> None:
    """The service's advice, when it gives one, is when to come back."""
    exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED
    world.answer(COMMIT, CallMoment.BEFORE, 1, exhausted, trailers)

    with pytest.raises(Throttled) as caught:
        world.store.commit([Create("a/b", {})])

    assert caught.value.retry_after == retry_after


@pytest.mark.parametrize("call", ["BeginTransaction", "BatchGetDocuments"])
def test_a_transaction_aborted_before_its_commit(world: OverTheWire, call: str) -> None:
    """Contention that shows at the start, or in a read, runs the transaction again too."""
    world.answer(f"google.firestore.v1.Firestore/{call}", CallMoment.BEFORE, 2, grpc.StatusCode.ABORTED)

    world.store.transact(lambda reader: [Create("a/b", {"seen": reader.get("a/c").fields})])

    assert world.store.get("a/b").fields == {"seen": None}


def test_a_transaction_that_cannot_be_rolled_back(world: OverTheWire) -> None:
    """The reason for giving up comes out, not the trouble with letting go."""
    rollback = "google.firestore.v1.Firestore/Rollback"
    world.answer(rollback, CallMoment.BEFORE, 1, grpc.StatusCode.UNAVAILABLE)

    def work(reader: Any) -> Any:
        raise KeyError("reason")

    with pytest.raises(KeyError, match="reason"):
        world.store.transact(work)
