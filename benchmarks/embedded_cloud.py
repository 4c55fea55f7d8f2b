"""The embedded cloud's start, and its Firestore beside a bare gRPC echo of the same bytes.

Both servers are processes of their own, both are called by one thread through raw stubs, so that no
client library is in the figures; what the embedded Firestore answers is what the echo answers,
byte for byte. The two take turns, round by round, so that a busy machine slows both. A ratio is
that of the medians.

- *set*: one Commit that sets a document of six fields; beside one echo.
- *lease commit*: one Commit that updates a document under its update time and creates another;
  beside one echo.
- *transaction*: BeginTransaction, BatchGetDocuments of one document, Commit of one update; beside
  three echoes, the second of them streamed.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import grpc
from google.cloud.firestore_v1 import types

ROUNDS = 40
CALLS_PER_ROUND = 25
STARTS = 5
DATABASE = "projects/bench/databases/rollback"
ROOT = f"{DATABASE}/documents"
SERVICE = "/google.firestore.v1.Firestore"

Exchange = tuple[str, bytes, bytes]
"""The kind of a call (unary, stream), its request and its answer."""


class Goal(NamedTuple):
    """What is measured, and how many times its echo it may take."""

    name: str
    most: float


GOALS = (Goal("set", 2.0), Goal("lease commit", 2.5), Goal("transaction", 4.0))


@dataclass(frozen=True)
class Measured:
    """Medians in milliseconds, the echo's for as many round trips."""

    ours: float
    echo: float

    @property
    def ratio(self) -> float:
        """Ours as a multiple of the echo's."""
        return self.ours / self.echo


class Firestore:
    """Raw calls of one embedded Firestore; remembers the exchanges of the last operation."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._numbers = count()
        self._version: Any = None
        self.exchanges: list[Exchange] = []

    def set(self) -> None:
        """One document, other than it was."""
        self._commit([types.Write.pb()(update=self._document("set"))])

    def prepare_lease(self) -> None:
        """Let the document of the lease be there."""
        written = self._commit([types.Write.pb()(update=self._document("lease"))])
        self._version = written.write_results[0].update_time

    def lease_commit(self) -> None:
        """The lease renewed under its version, with a document that tells of it."""
        renewal = types.Write.pb()(
            update=self._document("lease"),
            update_mask={"field_paths": ["number", "commit_id"]},
            current_document={"update_time": self._version},
        )
        told = types.Write.pb()(
            update=self._document(f"audit-{next(self._numbers):09d}"), current_document={"exists": False}
        )
        written = self._commit([renewal, told])
        self._version = written.write_results[0].update_time

    def transaction(self) -> None:
        """One document read and written."""
        begin = types.BeginTransactionRequest.pb()(database=DATABASE)
        answer = self._call("BeginTransaction", "unary", begin)
        token = types.BeginTransactionResponse.pb().FromString(answer).transaction
        read = types.BatchGetDocumentsRequest.pb()(
            database=DATABASE, documents=[f"{ROOT}/bench/set"], transaction=token
        )
        self._call("BatchGetDocuments", "stream", read)
        self._commit([types.Write.pb()(update=self._document("set"))], token)

    def _commit(self, writes: list[Any], token: bytes = b"") -> Any:
        request = types.CommitRequest.pb()(database=DATABASE, writes=writes, transaction=token)
        return types.CommitResponse.pb().FromString(self._call("Commit", "unary", request))

    def _call(self, name: str, kind: str, request: Any) -> bytes:
        sent = request.SerializeToString()
        if kind == "stream":
            (answer,) = self._channel.unary_stream(f"{SERVICE}/{name}", None, None)(sent)
        else:
            answer = self._channel.unary_unary(f"{SERVICE}/{name}", None, None)(sent)
        self.exchanges.append((kind, sent, answer))
        return bytes(answer)

    def _document(self, name: str) -> Any:
        number = next(self._numbers)
        fields = {
            "number": {"integer_value": number},
            "commit_id": {"string_value": f"{number:032x}"},
            "status": {"string_value": "RUNNING"},
            "due_at": {"timestamp_value": {"seconds": 1_790_000_000 + number}},
            "steps": {"array_value": {"values": [{"string_value": "shift"}] * 5}},
            "fence": {"integer_value": 7},
        }
        return types.Document.pb()(name=f"{ROOT}/bench/{name}", fields=fields)


class Echo:
    """Raw calls of an echo that has learnt the answers of some exchanges."""

    def __init__(self, channel: grpc.Channel, exchanges: list[Exchange]) -> None:
        self._calls: list[Callable[[], object]] = []
        for number, (kind, request, answer) in enumerate(exchanges):
            named = (("answer", str(number)),)
            channel.unary_unary("/echo/learn", None, None)(answer, metadata=named)
            self._calls.append(_echo_of(channel, kind, request, named))

    def repeat(self) -> None:
        """Every exchange once."""
        for call in self._calls:
            call()


def _echo_of(
    channel: grpc.Channel, kind: str, request: bytes, named: tuple[tuple[str, str], ...]
) -> Callable[[], object]:
    if kind == "stream":
        stream = channel.unary_stream("/echo/stream", None, None)
        return lambda: list(stream(request, metadata=named))
    unary = channel.unary_unary("/echo/unary", None, None)
    return lambda: unary(request, metadata=named)


def run() -> bool:
    """Measure and print everything; whether every goal is met."""
    started, imported = _start_seconds()
    _say(f"start of `python -m local`: {started:.2f} s, of which imports {imported:.2f} s")
    with (
        _printing("-m", "local", "--no-alerts", "--no-ticks") as ours,
        _printing("-m", "benchmarks.echo") as theirs,
        grpc.insecure_channel(ours["firestore"]) as firestore,
        grpc.insecure_channel(theirs["echo"]) as echo,
    ):
        measured = list(_measure(Firestore(firestore), echo))
    met = started - imported < 1.0
    for goal, one in zip(GOALS, measured, strict=True):
        met = met and one.ratio <= goal.most
        _say(
            f"{goal.name}: {one.ours:.2f} ms, echo {one.echo:.2f} ms:"
            f" {one.ratio:.2f} times (goal {goal.most})"
        )
    return met


def _measure(firestore: Firestore, channel: grpc.Channel) -> Iterator[Measured]:
    firestore.prepare_lease()
    for operation in (firestore.set, firestore.lease_commit, firestore.transaction):
        firestore.exchanges.clear()
        operation()
        echo = Echo(channel, list(firestore.exchanges))
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(ROUNDS):
            ours += _times(operation)
            theirs += _times(echo.repeat)
        yield Measured(statistics.median(ours), statistics.median(theirs))


def _times(operation: Callable[[], None]) -> list[float]:
    """What each of a round's calls takes, in milliseconds."""
    taken = []
    for _ in range(CALLS_PER_ROUND):
        begun = time.perf_counter()
        operation()
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


def _start_seconds() -> tuple[float, float]:
    """Medians: from spawning the cloud to its line of JSON, and to the end of its imports alone."""
    starts, imports = [], []
    for _ in range(STARTS):
        begun = time.perf_counter()
        with _printing("-m", "local"):
            starts.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        with _printing("-c", "import local.__main__; print({})"):
            imports.append(time.perf_counter() - begun)
    return statistics.median(starts), statistics.median(imports)


@contextmanager
def _printing(*arguments: str) -> Iterator[dict[str, str]]:
    """A Python process, with what its first line says, a JSON object."""
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
