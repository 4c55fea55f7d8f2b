"""What a run takes of the sweeps, and what so many tests need not do again and again.

Of the counted points of the crash tests (tests/crash), and of the hostile values of
tests/system/test_poison_kinds.py, it takes one in forty; with `--points-of 5` a fifth, with 1 all.
"""

import gc
from collections.abc import Generator, Iterator
from functools import cache

import httpx
import pytest
from typer.main import get_command

CRASHES = "crash"
"""The folder of tests that crash at a counted point."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of `make slice` and `make chaos`."""
    add = parser.addoption
    add("--points-of", type=int, default=40, help="take one in so many points (default: 40)")
    add("--part", type=int, default=0, help="which of them: the first by default")


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
    """Of the tests that crash at a counted point, keep one in so many."""
    points, part = config.getoption("points_of"), config.getoption("part")
    swept = [one for one in items if CRASHES in one.path.parts and "[" in one.name]
    left_out = {one for number, one in enumerate(swept) if (number - part) % points}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [one for one in items if one not in left_out]


@pytest.fixture(scope="session", autouse=True)
def command_made_once() -> Iterator[None]:
    """Typer's runner makes the whole command anew for each line: that takes longer than most."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(get_command))
        yield


@pytest.fixture(scope="session", autouse=True)
def certificate_authorities_read_once() -> Iterator[None]:
    """An httpx client reads the public certificate authorities, each anew: that takes 30 ms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", cache(httpx.create_ssl_context))
        yield
