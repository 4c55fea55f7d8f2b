"""An embedded Firestore."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from shared.adapters.gcp.clients import Clients
from tests.local.support.firestore_admin import BUCKET, World, running


@pytest.fixture
def served() -> Iterator[tuple[World, Clients]]:
    """It has a bucket for exports; and Google's clients of it."""
    with running() as world, closing(Clients({"firestore": world.address}, deployed=False)) as clients:
        world.buckets.create(BUCKET)
        yield world, clients
