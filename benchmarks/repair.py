"""`python -m benchmarks.repair`: documents brought back, beside two bare streams of the same data.

A hundred thousand documents in the embedded Firestore, of which a release has spoilt one in a
hundred, a batch at a time, while the application writes others. Both moments are streamed once
without looking at anything; then everything is looked through, merged, judged, and what is invalid
written back with its copy and its journal. The server runs in this process, so that both sides of
each call are in both figures.
"""

import dataclasses
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from google.cloud.firestore_v1 import types
from msgspec.structs import replace

from responders.data.repair.writer import DocumentRewriter
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.firestore.documents import FirestoreDocuments
from shared.adapters.gcp.firestore.rewrites import FirestoreRewrites
from shared.adapters.gcp.firestore.values import write_fields
from shared.domain.data.repair.repair_plan import (
    KIND,
    DocumentOutcome,
    DocumentSelection,
    RepairGoal,
    RepairPosition,
)
from shared.domain.policy.data_rules import Collection
from shared.domain.policy.document_scope import Scope
from shared.domain.rollback.plan import Step
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from shared.domain.rollback.write_ramp import WriteRamp
from tests.local.support.firestore_admin import DATABASE, ORIGIN, World, running
from tests.support.fakes.groups import SystemFakes
from tests.support.fakes.runtime.clock import START
from tests.support.runtime.world import CHECKED, FakePorts

DOCUMENTS: Final = 100_000
SPOILT_OF: Final = 100
AT_LEAST: Final = 0.5
HERE: Final = "(default)"
USERS: Final = Scope("users")
AT_ONCE: Final = 500
SCHEMA: Final = {
    "type": "object",
    "required": ["email", "plan"],
    "properties": {"email": {"type": "string"}, "plan": {"type": "string"}},
}
ROLLBACK: Final = Rollback("INC-1", "INC-1", "shop", RollbackStatus.RUNNING, START, START)
POLICY: Final = replace(CHECKED, collections={"users": Collection(schema=SCHEMA)}, erasure=None)


class RealPorts(FakePorts):
    """The fakes, but the database is the embedded one."""

    def __init__(self, clients: Clients) -> None:
        super().__init__(POLICY)
        self.clock.jump(ORIGIN - START)
        self.databases.hold_documents(HERE)
        self.read = FirestoreDocuments(clients.firestore, "shop")
        self.write = FirestoreRewrites(clients.firestore, "shop")

    def system(self, name: str) -> SystemFakes:
        """Documents go over gRPC."""
        return dataclasses.replace(super().system(name), documents=self.read, rewrites=self.write)


def run(documents: int = DOCUMENTS) -> bool:
    """Whether it is at least half as fast as the two streams; prints what was measured."""
    with running() as world:
        clients = Clients({"firestore": world.address}, deployed=False)
        try:
            streams, repaired, back = _measured(world, clients, documents)
        finally:
            clients.close()
    ratio = streams / repaired
    print(  # noqa: T201 - what was measured
        f"{documents} documents: two streams {streams:.1f} s, looked through and {back} brought"
        f" back {repaired:.1f} s: {ratio:.2f} of the streams, at least {AT_LEAST} is wanted;"
        f" {documents / repaired:.0f} documents a second"
    )
    return ratio >= AT_LEAST and back == documents // SPOILT_OF


def _measured(world: World, clients: Clients, documents: int) -> tuple[float, float, int]:
    ports = RealPorts(clients)

    def pass_time() -> None:
        world.pass_time(timedelta(minutes=1))
        ports.clock.advance(timedelta(minutes=1))

    good = {f"users/{n:06}": _user(n) for n in range(documents)}
    _write(clients, good)
    pass_time()
    before = world.clock.now()
    pass_time()
    _write(clients, {path: {"plan": "gone"} for n, path in enumerate(good) if n % SPOILT_OF == 7})
    _write(clients, {path: _user(-n) for n, path in enumerate(good) if n % SPOILT_OF == 8})
    pass_time()
    at = world.clock.now()
    pass_time()
    began = time.perf_counter()
    for moment in (at, before):
        for _ in ports.read.stream(HERE, USERS, moment):
            pass
    streams = time.perf_counter() - began
    goal = RepairGoal(HERE, at, HERE, before, DocumentSelection(), USERS)
    rewriting = DocumentRewriter(ports, POLICY, ROLLBACK, WriteRamp(0.0, 0.0), lambda deadline: True)
    position, began = RepairPosition(), time.perf_counter()
    while not position.is_over:
        position = rewriting.rewrite_portion(Step("repair users", KIND, "users"), goal, position)
    return streams, time.perf_counter() - began, position.fates.get(DocumentOutcome.BACK, 0)


def _user(number: int) -> dict[str, Any]:
    return {
        "email": f"user{number}@example.com",
        "plan": "free",
        "credits": number,
        "tags": ["new", "eu"],
        "profile": {"city": "Zürich", "since": "2025"},
    }


def _write(clients: Clients, documents: Mapping[str, Mapping[str, Any]]) -> None:
    waiting = list(documents.items())
    for first in range(0, len(waiting), AT_ONCE):
        request = types.CommitRequest.pb()(database=DATABASE)
        _fill(request, waiting[first : first + AT_ONCE])
        clients.firestore.commit(request, retry=None)


def _fill(request: Any, documents: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    for path, fields in documents:
        write = request.writes.add()
        write.update.name = f"{DATABASE}/documents/{path}"
        write_fields(write.update.fields, fields)


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
