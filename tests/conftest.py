"""What a run takes of the crash tests, and what so many tests need not do again and again.

Of the crash tests it takes a tenth of their points; with `--every-point` all.
"""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from functools import cache

import pytest
from typer.main import get_command

CRASHES = "test_crash_"
TENTH = 10


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of `make slice`."""
    parser.addoption("--every-point", action="store_true", help="crash at every point, not a tenth")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are collected, nor among those fourteen thousand later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave nine in ten of the tests out that crash at a counted point, unless all are wanted."""
    if config.getoption("every_point"):
        return
    swept = [one for one in items if one.path.name.startswith(CRASHES) and "[" in one.name]
    left_out = {one for number, one in enumerate(swept) if number % TENTH}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [one for one in items if one not in left_out]


@pytest.fixture(scope="session", autouse=True)
def command_made_once() -> Iterator[None]:
    """Typer's runner makes the whole command anew for each line: that takes longer than most."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(get_command))
        yield
