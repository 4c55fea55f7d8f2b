"""A Pub/Sub by itself."""

from collections.abc import Iterator

import pytest

from tests.local.support.pubsub import World, serving


@pytest.fixture
def world() -> Iterator[World]:
    """Its clock stands still."""
    with serving() as world:
        yield world
