from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from google.api_core.exceptions import FailedPrecondition, InvalidArgument
from google.cloud import firestore
from google.cloud.firestore import Client, DocumentReference

from local.core.journal import Journal
from tests.local.support.firestore import NOON, FirestoreWorld, serving

MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def recoverable() -> Iterator[FirestoreWorld]:
    with serving(point_in_time_recovery=True) as world:
        yield world


def test_reading_between_two_commits(client: Client) -> None:
    """Every microsecond of the past hour shows what was there then, and says so."""
    document = client.document("a/1")
    first = document.create({"version": 1}).update_time
    second = document.update({"version": 2}).update_time
    deleted = document.delete()
    document.create({"version": 3})

    assert not document.get(read_time=first - MICROSECOND).exists
    assert document.get(read_time=second - MICROSECOND).get("version") == 1
    assert document.get(read_time=deleted - MICROSECOND).get("version") == 2
    assert not document.get(read_time=deleted).exists
    assert document.get(read_time=second).read_time == second
    assert document.get().get("version") == 3


def test_queries_and_lists_of_the_past(client: Client, document: DocumentReference) -> None:
    """Queries, counts and lists of collections show the same moment as documents do."""
    document.create({"n": 1})
    then = client.document("a/2").create({"n": 2}).update_time
    document.delete()
    client.document("b/1").create({})

    collection = client.collection("a")
    assert [found.id for found in collection.stream(read_time=then)] == ["1", "2"]
    assert [found.id for found in collection.stream()] == ["2"]
    assert collection.count().get(read_time=then)[0][0].value == 2
    assert [found.id for found in client.collections(read_time=then)] == ["a"]
    assert {found.id for found in collection.list_documents(read_time=then)} == {"1", "2"}


def test_the_future(client: Client) -> None:
    """What has not happened cannot be read."""
    with pytest.raises(InvalidArgument):
        client.document("a/1").get(read_time=NOON + HOUR)


def test_more_than_an_hour_ago(world: FirestoreWorld, document: DocumentReference) -> None:
    """Without point-in-time recovery an hour is the limit."""
    created = document.create({"version": 1}).update_time
    world.clock.advance(HOUR)
    document.update({"version": 2})

    assert document.get(read_time=created).get("version") == 1
    world.clock.advance(timedelta(milliseconds=1))
    with pytest.raises(FailedPrecondition):
        document.get(read_time=created)


@pytest.mark.parametrize(
    ("read_time", "readable"),
    [
        (NOON + timedelta(minutes=1), True),
        (NOON + timedelta(minutes=1, microseconds=1), False),
        (NOON - timedelta(days=6), False),
    ],
    ids=["whole minute", "not a whole minute", "over seven days"],
)
def test_more_than_an_hour_ago_with_recovery(
    recoverable: FirestoreWorld, read_time: datetime, readable: bool
) -> None:
    """With point-in-time recovery, whole minutes of the past seven days can be read."""
    with recoverable.client() as client:
        client.document("a/1").create({"version": 1})
        recoverable.clock.advance(timedelta(days=2))
        client.document("a/1").update({"version": 2})

        if not readable:
            with pytest.raises(FailedPrecondition):
                client.document("a/1").get(read_time=read_time)
        else:
            assert client.document("a/1").get(read_time=read_time).get("version") == 1


def test_versions_that_nobody_can_read_any_more(tmp_path: Path) -> None:
    """They leave memory and journal, the newest of a document stays however old it is."""
    journal = Journal(tmp_path)
    with serving(journal) as world, world.client() as client:
        for version in range(20):
            client.document("a/busy").set({"version": version})
        client.document("a/calm").create({"version": 1})
        client.document("a/gone").create({})
        client.document("a/gone").delete()
        world.clock.advance(HOUR * 2)
        client.document("a/other").create({})

        kept = [key.rpartition("/")[2].partition("@")[0] for key, _ in journal.read("firestore")]
        assert kept == ["busy", "calm", "other"]
        assert client.document("a/busy").get().get("version") == 19
        assert not client.document("a/gone").get().exists
        assert [found.id for found in client.collection("a").stream()] == kept
        client.document("a/gone").create({"again": True})
        world.clock.advance(HOUR * 2)
        client.document("a/other").delete()
        assert client.document("a/gone").get().get("again")
    journal.close()


def test_a_page_token(client: Client) -> None:
    """Later pages of a list show the moment of the first, whatever is written between."""
    for number in range(5):
        client.document(f"a/{number}").create({})
    request = {"parent": f"{client._database_string}/documents", "collection_id": "a", "page_size": 2}
    pages = client._firestore_api.list_documents(request).pages
    first = list(next(pages).documents)
    client.document("a/0").delete()
    client.document("a/9").create({})
    rest = [document for page in pages for document in page.documents]

    names = [document.name.rpartition("/")[2] for document in first + rest]
    assert names == ["0", "1", "2", "3", "4"]


def test_a_read_only_transaction_in_the_past(client: Client, document: DocumentReference) -> None:
    """A read-only transaction may begin at a time that is over."""
    then = document.create({"version": 1}).update_time
    document.update({"version": 2})
    reader = client.transaction()
    reader._id = client._firestore_api.begin_transaction(
        {"database": client._database_string, "options": {"read_only": {"read_time": then}}}
    ).transaction

    assert document.get(transaction=reader).get("version") == 1


def test_missing_documents_that_hold_collections(client: Client) -> None:
    """They are listed, as they must be to be found, and are not there."""
    client.document("a/parent/b/child/c/grandchild").create({})

    assert [document.id for document in client.collection("a").list_documents()] == ["parent"]
    assert [found.id for found in client.document("a/parent").collections()] == ["b"]
    assert [found.id for found in client.collections()] == ["a"]
    assert not client.document("a/parent").get().exists
    assert list(client.collection("a").stream()) == []


def test_names_of_firestore_client(world: FirestoreWorld) -> None:
    """Ids may hold what addresses and keys are made of."""
    odd = ["a@0001", "a.b", "a b", "ü", "a@", "%2F", "nul\0end"]
    with world.client() as client:
        batch: firestore.WriteBatch = client.batch()
        for name in odd:
            batch.create(client.document("a", name), {"name": name})
        batch.commit()

        assert {found.get("name") for found in client.collection("a").stream()} == set(odd)
