"""What every Pages keeps, in memory and over HTTP to an embedded Cloud Storage."""

import socket
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from local.core.grpc_services import Dropped, StatusError
from local.faults.hooks import CallMoment, FaultHooks
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.storage.public_pages import BucketPages
from shared.core.errors import Ambiguous, Moved, Rejected, RollbackError, Throttled, Unavailable
from shared.ports.storage import Pages, PublicAccess
from tests.contracts.support.buckets import storage
from tests.contracts.support.lost_answers import EFFECT_MEANINGS, answer_once, raises_exactly, refusal
from tests.support.fakes.storage.public_pages import MemoryPages

HTML = "text/html; charset=utf-8"
NAME = "public/bookshop/index.html"


class OverTheWire:
    """The adapter, and the faults of the service behind it."""

    def __init__(self, faults: FaultHooks, clients: Clients) -> None:
        self._faults = faults
        self.clients = clients
        self.pages = BucketPages(clients.storage, "status")

    def answer_once(self, verb: str, answer: StatusError, moment: CallMoment = CallMoment.BEFORE) -> None:
        answer_once(self._faults, f"objects.{verb}", answer, moment)


@pytest.fixture(scope="module")
def served() -> Iterator[OverTheWire]:
    with storage("status") as (faults, _, clients):
        yield OverTheWire(faults, clients)


@pytest.fixture
def wire(served: OverTheWire) -> OverTheWire:
    """Without the page that the test before has left."""
    blob = served.clients.storage.bucket("status").blob(NAME)
    if blob.exists(retry=None):
        blob.delete(retry=None)
    return served


@pytest.fixture(params=["memory", "wire"])
def pages(request: pytest.FixtureRequest) -> Pages:
    return MemoryPages() if request.param == "memory" else request.getfixturevalue("wire").pages


def test_a_page_in_the_place_of_the_one_before(pages: Pages) -> None:
    """Each write makes a new generation; of an absent page it is 0."""
    assert pages.generation(NAME) == 0
    pages.put(NAME, b"first", HTML, 0)
    first = pages.generation(NAME)
    pages.put(NAME, b"second", HTML, first)

    assert first > 0
    assert pages.generation(NAME) not in (0, first)


@pytest.mark.parametrize("written", [False, True])
def test_a_page_that_somebody_else_has_written(pages: Pages, written: bool) -> None:
    """What was made from older facts does not take its place."""
    if written:
        pages.put(NAME, b"first", HTML, 0)
    before = pages.generation(NAME)
    pages.put(NAME, b"newer", HTML, before)
    newer = pages.generation(NAME)

    with pytest.raises(Moved):
        pages.put(NAME, b"older", HTML, before)

    assert pages.generation(NAME) == newer


def test_what_everybody_sees_of_a_page(pages: Pages) -> None:
    """As what it is, and that no cache is to keep it; of none nothing good."""
    assert pages.seen(NAME).status == 404
    pages.put(NAME, b"<p>", HTML, 0)

    assert pages.seen(NAME) == PublicAccess(200, HTML, "no-cache, max-age=0")


def test_a_public_address_that_does_not_answer() -> None:
    """Nothing is known of what is seen there."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
    clients = Clients({"storage": f"127.0.0.1:{port}"}, deployed=False)

    with closing(clients), pytest.raises(Unavailable):
        BucketPages(clients.storage, "status").seen(NAME)


def test_everybody_reads_it_at_its_address(wire: OverTheWire) -> None:
    """Byte for byte, as what it is; and no cache keeps it."""
    wire.pages.put(NAME, b"<p>", HTML, 0)

    answer = httpx.get(wire.pages.address(NAME), trust_env=False)

    assert (answer.content, answer.headers["Content-Type"]) == (b"<p>", HTML)
    assert answer.headers["Cache-Control"] == "no-cache, max-age=0"


def test_nobody_reads_what_is_not_public(wire: OverTheWire) -> None:
    """Only what lies below public/ is served so."""
    wire.pages.put("secret", b"x", HTML, wire.pages.generation("secret"))

    assert not httpx.get(wire.pages.address("secret"), trust_env=False).is_success


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        *EFFECT_MEANINGS,
        ("DEADLINE_EXCEEDED", Ambiguous),
        ("ABORTED", Throttled),
        ("FAILED_PRECONDITION", Moved),
    ],
)
def test_what_an_answer_to_a_write_means(
    wire: OverTheWire, status: str, meaning: type[RollbackError]
) -> None:
    """Each status of the service is one of our errors, and the client repeats nothing by itself."""
    wire.answer_once("insert", refusal(status))

    with raises_exactly(meaning):
        wire.pages.put(NAME, b"", HTML, 0)


@pytest.mark.parametrize("answer", [refusal("UNAVAILABLE"), Dropped("cut")])
def test_a_look_without_an_answer(wire: OverTheWire, answer: StatusError) -> None:
    """Could not look is not the same as absent."""
    wire.answer_once("get", answer)

    with pytest.raises(Unavailable):
        wire.pages.generation(NAME)


def test_a_bucket_that_is_not_there(wire: OverTheWire) -> None:
    """The answer is no."""
    with pytest.raises(Rejected):
        BucketPages(wire.clients.storage, "nowhere").put(NAME, b"", HTML, 0)
