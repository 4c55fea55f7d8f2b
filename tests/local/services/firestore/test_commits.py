import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from google.api_core.exceptions import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from google.cloud import firestore
from google.cloud.firestore import Client, DocumentReference
from google.cloud.firestore_v1.bulk_writer import BulkWriteFailure

from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.faults.hooks import CallMoment
from tests.local.support.firestore import NOON, FirestoreWorld, serving

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def world() -> Iterator[FirestoreWorld]:
    with serving() as world:
        yield world


def test_a_created_document_reads_back(client: Client) -> None:
    """What was committed is what is read, with one time for creation and update."""
    written = client.document("a/1").create({"status": "RUNNING", "fence": 7})

    snapshot = client.document("a/1").get()

    assert snapshot.to_dict() == {"status": "RUNNING", "fence": 7}
    assert snapshot.create_time == snapshot.update_time == written.update_time


def test_creating_what_exists(document: DocumentReference) -> None:
    """A create never overwrites."""
    document.create({"owner": "first"})

    with pytest.raises(AlreadyExists):
        document.create({"owner": "second"})

    assert document.get().to_dict() == {"owner": "first"}


def test_updating_what_is_missing(client: Client) -> None:
    """An update never creates."""
    with pytest.raises(NotFound):
        client.document("a/1").update({"status": "RUNNING"})

    assert not client.document("a/1").get().exists


def test_an_update_after_somebody_else_wrote(client: Client, document: DocumentReference) -> None:
    """A write whose required update time is past is refused and changes nothing."""
    seen = document.set({"fence": 1}).update_time
    document.set({"fence": 2})

    with pytest.raises(FailedPrecondition):
        document.update({"fence": 9}, client.write_option(last_update_time=seen))

    assert document.get().to_dict() == {"fence": 2}


def test_an_update_that_requires_the_future(client: Client, document: DocumentReference) -> None:
    """An update time that nothing can have yet is not a lost race but a wrong argument."""
    seen = document.set({"fence": 1}).update_time

    with pytest.raises(InvalidArgument):
        document.update({"fence": 9}, client.write_option(last_update_time=seen + timedelta(hours=1)))


def test_an_update_that_requires_a_version_of_a_missing_document(
    client: Client, document: DocumentReference
) -> None:
    """A document that is gone has no version to match."""
    seen = document.set({"fence": 1}).update_time
    document.delete()

    with pytest.raises(FailedPrecondition):
        document.update({"fence": 9}, client.write_option(last_update_time=seen))


def test_an_update_of_the_version_that_was_read(client: Client, document: DocumentReference) -> None:
    """The update time that was read is the one that is required, to the microsecond."""
    document.set({"fence": 1})
    seen = document.get().update_time

    document.update({"fence": 2}, client.write_option(last_update_time=seen))

    assert document.get().to_dict() == {"fence": 2}


def test_one_refused_write_among_many(client: Client) -> None:
    """A commit happens whole or not at all."""
    client.document("audit/e1").create({"kept": True})
    batch = client.batch()
    batch.set(client.document("a/1"), {"fence": 1})
    batch.delete(client.document("audit/e1"))
    batch.update(client.document("rollbacks/missing"), {"fence": 1})

    with pytest.raises(NotFound):
        batch.commit()

    assert not client.document("a/1").get().exists
    assert client.document("audit/e1").get().exists


def test_writes_of_one_commit_on_one_document(client: Client, document: DocumentReference) -> None:
    """Writes see those before them in the same commit, and all carry its time."""
    batch = client.batch()
    batch.create(document, {"fence": 1})
    batch.update(document, {"status": "RUNNING"})
    results = batch.commit()

    assert document.get().to_dict() == {"fence": 1, "status": "RUNNING"}
    assert {result.update_time for result in results} == {document.get().update_time}


def test_update_times_while_the_clock_stands_still(document: DocumentReference) -> None:
    """Update times strictly increase, so that each names one version."""
    times = [document.set({"fence": fence}).update_time for fence in range(5)]

    assert times == sorted(set(times))


def test_a_write_that_changes_nothing(document: DocumentReference) -> None:
    """It keeps the update time: a fence must contain something that always changes."""
    first = document.set({"fence": 1, "ratio": float("nan")}).update_time

    assert document.set({"fence": 1, "ratio": float("nan")}).update_time == first
    assert document.update({"fence": 1}).update_time == first
    assert document.set({"fence": 1.0, "ratio": float("nan")}).update_time != first


def test_deleting(client: Client, document: DocumentReference) -> None:
    """A deletion has no update time, and what comes after it is a new document."""
    created = document.set({"fence": 1}).update_time
    batch = client.batch()
    batch.delete(document)

    [result] = batch.commit()
    document.set({"fence": 1})

    assert not result._pb.HasField("update_time")
    assert document.get().create_time > created


def test_a_merge_with_field_paths(document: DocumentReference) -> None:
    """Only the named fields change; a named field that is not given is taken away."""
    document.set({"step": {"name": "shift", "tries": 1}, "odd-name": 1})

    document.update({"step.tries": 2, "`odd-name`": firestore.DELETE_FIELD})

    assert document.get().to_dict() == {"step": {"name": "shift", "tries": 2}}


def test_server_timestamps(client: Client) -> None:
    """All in one commit are equal: its time to the millisecond."""
    batch = client.batch()
    batch.set(client.document("a/1"), {"at": firestore.SERVER_TIMESTAMP})
    batch.set(client.document("a/2"), {"deep": {"at": firestore.SERVER_TIMESTAMP}})
    batch.commit()

    times = {client.document("a/1").get().get("at"), client.document("a/2").get().get("deep.at")}

    assert times == {NOON}


@pytest.mark.parametrize(
    ("stored", "change", "expected"),
    [
        (1, firestore.Increment(2), 3),
        (1, firestore.Increment(0.5), 1.5),
        ("text", firestore.Increment(2), 2),
        (2**63 - 1, firestore.Increment(1), 2**63 - 1),
        (-(2**63), firestore.Increment(-1), -(2**63)),
        ([1, 2], firestore.ArrayUnion([2.0, 3, 3]), [1, 2, 3]),
        ("text", firestore.ArrayUnion([1]), [1]),
        ([1, 2, 1, None], firestore.ArrayRemove([1, None]), [2]),
        (3, firestore.Maximum(5), 5),
        (3, firestore.Maximum(3.0), 3),
        (3, firestore.Minimum(2.5), 2.5),
        (None, firestore.Minimum(4), 4),
    ],
)
def test_transforms(client: Client, stored: object, change: object, expected: object) -> None:
    """The server computes from what is stored, as the protocol says."""
    document = client.document("a/1")
    document.set({"value": stored})

    document.update({"value": change})

    found = document.get().get("value")
    assert found == expected
    assert type(found) is type(expected)


def test_a_batch_write_with_a_refused_write(client: Client) -> None:
    """Writes of a bulk writer stand on their own."""
    client.document("a/there").create({})
    writer = client.bulk_writer()
    failures = []

    def give_up(failure: BulkWriteFailure, _: object) -> bool:
        failures.append(failure.code)
        return False

    writer.on_write_error(give_up)
    for name in ("new", "there", "newer"):
        writer.create(client.document(f"a/{name}"), {"written": True})
    writer.close()

    assert failures == [grpc.StatusCode.ALREADY_EXISTS.value[0]]
    written = {snapshot.id for snapshot in client.collection("a").stream() if snapshot.to_dict()}
    assert written == {"new", "newer"}


def test_two_databases(world: FirestoreWorld) -> None:
    """Databases of one project share nothing."""
    with world.client("one") as one, world.client("two") as two:
        one.document("a/1").create({"in": "one"})
        two.document("a/1").create({"in": "two"})

        assert one.document("a/1").get().to_dict() == {"in": "one"}
        assert [found.to_dict() for found in two.collection("a").stream()] == [{"in": "two"}]


def test_the_time_of_a_read(client: Client) -> None:
    """A read is never before the newest commit, and later commits are after it."""
    document = client.document("a/1")
    for fence in range(3):
        update_time = document.set({"fence": fence}).update_time
        snapshot = document.get()
        assert snapshot.read_time >= update_time
        assert document.set({"fence": fence, "again": True}).update_time > snapshot.read_time


@pytest.mark.parametrize(
    "fields",
    [{"text": "x" * MEBIBYTE}, {"list": [[1]]}, {"__reserved__": 1}, {"x" * 1501: 1}],
    ids=["over 1 MiB", "array in array", "reserved name", "long name"],
)
def test_what_no_document_may_hold(client: Client, fields: dict[str, object]) -> None:
    """A document beyond the limits is refused, and the commit with it."""
    with pytest.raises(InvalidArgument):
        client.document("a/1").set(fields)

    assert not client.document("a/1").get().exists


def test_the_largest_document(client: Client) -> None:
    """1 MiB is counted as the service counts: name, field names, values, 32 bytes."""
    overhead = len("a") + 1 + len("1") + 1 + 16 + len("text") + 1 + 1 + 32

    client.document("a/1").set({"text": "x" * (MEBIBYTE - overhead)})
    with pytest.raises(InvalidArgument):
        client.document("a/1").set({"text": "x" * (MEBIBYTE - overhead + 1)})


def test_a_request_over_ten_mebibytes(client: Client) -> None:
    """It is refused whole."""
    batch = client.batch()
    for number in range(11):
        batch.set(client.document(f"a/{number}"), {"text": "x" * 1_000_000})

    with pytest.raises(InvalidArgument):
        batch.commit()

    assert list(client.collection("a").list_documents()) == []


@pytest.mark.parametrize("name", ["x" * 1501, "ä" * 751, ".", "..", "__reserved__"])
def test_ids_that_no_document_may_have(client: Client, name: str) -> None:
    """Ids are at most 1,500 bytes, no dots alone, and not reserved."""
    with pytest.raises(InvalidArgument):
        client.document("a", name).set({})


def test_an_answer_that_is_lost_after_the_commit(world: FirestoreWorld) -> None:
    """The commit stands: the caller's own create comes back as already existing."""

    def lose_first(call: str, moment: CallMoment) -> None:
        if call.endswith("/Commit") and moment is CallMoment.AFTER:
            world.faults.remove(lose_first)
            raise StatusError(grpc.StatusCode.UNAVAILABLE, "the answer is lost")

    world.faults.add(lose_first)
    with world.client("lossy") as client, pytest.raises(AlreadyExists):
        client.document("a/1").create({"owner": "me"})

    with world.client("lossy") as client:
        assert client.document("a/1").get().to_dict() == {"owner": "me"}


def test_a_second_life_on_the_same_journal(tmp_path: Path) -> None:
    """Documents, their times and their past survive; what was deleted stays deleted."""
    journal = Journal(tmp_path)
    with serving(journal) as world, world.client() as client:
        client.document("a/gone").create({})
        client.document("a/gone").delete()
        first = client.document("a/1").create({"version": 1}).update_time
        second = client.document("a/1").update({"version": 2}).update_time
    journal.close()

    journal = Journal(tmp_path)
    with serving(journal) as world, world.client() as client:
        snapshot = client.document("a/1").get()
        assert snapshot.to_dict() == {"version": 2}
        assert (snapshot.create_time, snapshot.update_time) == (first, second)
        assert client.document("a/1").get(read_time=first).to_dict() == {"version": 1}
        assert not client.document("a/gone").get().exists
        assert client.document("a/2").create({}).update_time > second
    journal.close()


WRITER = """
import sys
from pathlib import Path
from random import Random
from local.core.clock import CloudClock
from local.services.firestore.commit_engine import FirestoreEngine
from local.services.firestore.data.databases import Databases
from local.services.firestore.messages import Document, Value, Write
from local.core.journal import Journal

database = "projects/ops/databases/rollback"
clock, journal = CloudClock(), Journal(Path(sys.argv[1]))
engine = FirestoreEngine(clock, journal, Databases(clock, journal), Random(0))
for number in range(1_000_000):
    fields = {"number": Value(integer_value=number)}
    write = Write(update=Document(name=f"{database}/documents/a/{number}", fields=fields))
    engine.commit(database, [write], lambda: True)
    print(number, flush=True)
"""


def test_killed_while_writing(tmp_path: Path) -> None:
    """Every commit that was acknowledged is there after kill -9, and reads back whole."""
    writer = subprocess.Popen(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(200)]
    writer.kill()
    acknowledged += [int(line) for line in writer.stdout.read().splitlines()]
    writer.wait()
    writer.stdout.close()

    journal = Journal(tmp_path)
    with serving(journal) as world, world.client() as client:
        numbers = {found.get("number") for found in client.collection("a").stream()}
    journal.close()

    assert numbers.issuperset(acknowledged)
    assert len(numbers) - len(acknowledged) <= 1
