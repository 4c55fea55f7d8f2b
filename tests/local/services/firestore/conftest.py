"""A Firestore by itself, and a client of it."""

from collections.abc import Iterator

import pytest
from google.cloud.firestore import Client, DocumentReference

from tests.local.support.firestore import FirestoreWorld, serving


@pytest.fixture
def world() -> Iterator[FirestoreWorld]:
    """Its clock stands still."""
    with serving() as world:
        yield world


@pytest.fixture
def client(world: FirestoreWorld, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client on a database of the test's own."""
    with world.client(database=request.node.name) as client:
        yield client


@pytest.fixture
def document(client: Client) -> DocumentReference:
    """A document that is not there yet."""
    return client.document("a/1")
