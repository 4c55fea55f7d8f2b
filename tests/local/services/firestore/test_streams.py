"""The answer to a query as it is sent: looked for bit by bit, and all of one moment."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest
from google.cloud.firestore_v1 import types

from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.services.firestore import FirestoreService
from tests.local.support.firestore import NOON

DATABASE = "projects/p/databases/d"
ROOT = f"{DATABASE}/documents"
MANY = 1000
NOBODY: Any = None


class Served:
    """A Firestore with many documents, asked without a wire: nothing is sent ahead."""

    def __init__(self) -> None:
        self.clock = CloudClock(NOON, 0.0)
        self.service = FirestoreService(self.clock, Journal())
        self.write(*(f"{number:04}" for number in range(MANY)))

    def write(self, *names: str, gone: bool = False) -> None:
        request = types.CommitRequest.pb()(database=DATABASE)
        for name in names:
            if gone:
                request.writes.add(delete=f"{ROOT}/n/{name}")
            else:
                request.writes.add().update.name = f"{ROOT}/n/{name}"
        self.service.engine.commit(DATABASE, request.writes, lambda: True)

    def names(self, **more: Any) -> Iterator[str]:
        request = types.RunQueryRequest.pb()(parent=ROOT)
        query = request.structured_query
        query.from_.add(collection_id="n")
        query.offset = more.get("offset", 0)
        if "limit" in more:
            query.limit.value = more["limit"]
        for answer in self.service.RunQuery(request, NOBODY):
            if answer.HasField("document"):
                yield answer.document.name.rpartition("/")[2]


@pytest.fixture
def served() -> Served:
    return Served()


def test_what_is_changed_meanwhile_does_not_show(served: Served) -> None:
    """Neither behind what was sent nor before it."""
    names = served.names()
    first = next(names)
    served.write("0500", "0999", gone=True)
    served.write("0500a", "1000")
    served.clock.advance(timedelta(minutes=59))
    served.write("more")

    assert [first, *names] == [f"{number:04}" for number in range(MANY)]
    assert len(list(served.names())) == MANY - 2 + 3


@pytest.mark.parametrize(
    ("offset", "limit"), [(0, 300), (0, 301), (299, 2), (650, 700), (1000, 5), (0, 0), (7, 900)]
)
def test_offset_and_limit_count_over_all_of_it(served: Served, offset: int, limit: int) -> None:
    whole = [f"{number:04}" for number in range(MANY)]

    assert list(served.names(offset=offset, limit=limit)) == whole[offset : offset + limit]


def test_a_moment_that_is_gone_by_then(served: Served) -> None:
    """Whoever reads for longer than versions are kept is told so, and not that there is no more."""
    names = served.names()
    assert len(list(islice(names, 10))) == 10
    served.clock.advance(timedelta(hours=1, seconds=1))
    served.write("0500", gone=True)

    with pytest.raises(StatusError, match="too old"):
        list(names)


def test_who_reads_the_first_alone_has_the_others_not_looked_at(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are."""
    documents = served.service.engine._documents
    get, looked_at = documents.get, set[str]()

    def looked(name: str, time: int) -> Any:
        looked_at.add(name)
        return get(name, time)

    monkeypatch.setattr(documents, "get", looked)
    assert next(served.names()) == "0000"
    assert len(looked_at) < MANY / 2
