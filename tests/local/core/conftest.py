"""The embedded cloud of a shop, for all tests of a file."""

from collections.abc import Iterator

import pytest

from local.cloud import Cloud
from tests.local.support.rest import running


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """Its clock stands still."""
    with running() as cloud:
        yield cloud
