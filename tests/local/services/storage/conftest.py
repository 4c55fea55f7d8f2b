"""A Cloud Storage by itself."""

from collections.abc import Iterator

import pytest

from tests.local.support.storage import StorageWorld


@pytest.fixture
def world() -> Iterator[StorageWorld]:
    """It has no bucket yet."""
    world = StorageWorld()
    yield world
    world.close()
