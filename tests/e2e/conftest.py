from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.support.world import World

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

WorldMaker = Callable[..., World]


@pytest.fixture
def new_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WorldMaker]:
    """Makes a world that begins at a moment."""
    with ExitStack() as closing:
        yield partial(World, monkeypatch, tmp_path, closing)


@pytest.fixture
def world(new_world: WorldMaker) -> World:
    return new_world(NOON)
