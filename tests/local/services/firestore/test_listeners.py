from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

from google.cloud import firestore
from google.cloud.firestore import FieldFilter

from tests.local.support.firestore import FirestoreWorld

WAIT_SECONDS = 60


class Snapshots:
    """What a listener was told, one snapshot after the other."""

    def __init__(self, listen: Callable[[Callable[..., None]], Any]) -> None:
        self._told: queue.SimpleQueue[tuple[dict[str, Any], list[tuple[str, str]]]] = queue.SimpleQueue()
        self._watch = listen(self._tell)

    def __enter__(self) -> Snapshots:
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.unsubscribe()

    def next(self) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """The documents of the next snapshot, and its changes as (kind, id)."""
        return self._told.get(timeout=WAIT_SECONDS)

    def _tell(self, documents: list[Any], changes: list[Any], read_time: object) -> None:
        self._told.put(
            (
                {document.id: document.to_dict() for document in documents},
                [(change.type.name, change.document.id) for change in changes],
            )
        )


def test_listening_to_a_query(client: firestore.Client) -> None:
    """The first snapshot is the whole result; each later one tells what came, changed and left."""
    collection = client.collection("rollbacks")
    collection.document("r1").create({"status": "RUNNING", "fence": 1})
    collection.document("r2").create({"status": "PARKED"})
    running = collection.where(filter=FieldFilter("status", "==", "RUNNING"))

    with Snapshots(running.on_snapshot) as snapshots:
        r1 = {"status": "RUNNING", "fence": 1}
        assert snapshots.next() == ({"r1": r1}, [("ADDED", "r1")])
        collection.document("r1").update({"fence": 2})
        r1["fence"] = 2
        assert snapshots.next() == ({"r1": r1}, [("MODIFIED", "r1")])
        collection.document("r2").update({"status": "RUNNING"})
        assert snapshots.next() == ({"r1": r1, "r2": {"status": "RUNNING"}}, [("ADDED", "r2")])
        collection.document("r1").update({"status": "FAILED"})
        assert snapshots.next() == ({"r2": {"status": "RUNNING"}}, [("REMOVED", "r1")])
        collection.document("r2").delete()
        assert snapshots.next() == ({}, [("REMOVED", "r2")])


def test_listening_to_a_document(client: firestore.Client) -> None:
    """It may be missing at first, appear, change and go."""
    document = client.document("controls/global")

    with Snapshots(document.on_snapshot) as snapshots:
        assert snapshots.next() == ({}, [])
        document.create({"kill": False})
        assert snapshots.next() == ({"global": {"kill": False}}, [("ADDED", "global")])
        document.update({"kill": True})
        assert snapshots.next() == ({"global": {"kill": True}}, [("MODIFIED", "global")])
        document.delete()
        assert snapshots.next() == ({}, [("REMOVED", "global")])


def test_changes_of_one_commit(client: firestore.Client) -> None:
    """They are told together: no snapshot shows half a commit."""
    collection = client.collection("a")
    with Snapshots(collection.on_snapshot) as snapshots:
        assert snapshots.next() == ({}, [])
        batch = client.batch()
        for name in ("1", "2", "3"):
            batch.create(collection.document(name), {})
        batch.commit()

        documents, _ = snapshots.next()
        assert documents.keys() == {"1", "2", "3"}


def test_commits_elsewhere(client: firestore.Client) -> None:
    """What does not touch the target is not told."""
    collection = client.collection("a")
    with Snapshots(collection.on_snapshot) as snapshots:
        snapshots.next()
        client.document("b/1").create({})
        client.document("a/1/b/1").create({})
        collection.document("1").create({})

        assert snapshots.next() == ({"1": {}}, [("ADDED", "1")])


def test_many_listeners_that_leave(world: FirestoreWorld) -> None:
    """A listener that is gone holds nothing: the service goes on answering."""
    with world.client() as client:
        for number in range(150):  # more than the server has workers
            with Snapshots(client.document(f"a/{number}").on_snapshot) as snapshots:
                snapshots.next()

        assert client.document("a/1").create({}).update_time
