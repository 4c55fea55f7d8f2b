"""Both worlds of a platform, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contracts.platforms import InMemory, PlatformWorld, embedded


@pytest.fixture(params=["memory", "wire"])
def world(request: pytest.FixtureRequest) -> Iterator[PlatformWorld]:
    """A fresh world for each test."""
    if request.param == "memory":
        yield InMemory()
        return
    with embedded() as cloud:
        yield cloud
