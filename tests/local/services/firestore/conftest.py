"""A Firestore by itself, and a client of it."""

from collections.abc import Iterator

import pytest
from google.cloud import firestore

from tests.local.support.firestore import FirestoreWorld, serving


@pytest.fixture
def world() -> Iterator[FirestoreWorld]:
    """Its clock stands still."""
    with serving() as world:
        yield world


@pytest.fixture
def client(world: FirestoreWorld, request: pytest.FixtureRequest) -> Iterator[firestore.Client]:
    """A client on a database of the test's own."""
    with world.client(database=request.node.name) as client:
        yield client
