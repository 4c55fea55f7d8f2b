"""What every Objects keeps, in memory and over HTTP to an embedded Cloud Storage."""

from collections.abc import Iterator
from threading import Event
from threading import enumerate as enumerate_threads

import pytest

from local.core.grpc_services import Dropped, StatusError
from local.faults.hooks import CallMoment, FaultHooks
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.storage.objects import BucketObjects
from shared.core.errors import Ambiguous, Exists, Rejected, RollbackError, Throttled, Unavailable
from shared.core.store import ObjectStore
from tests.contracts.support.buckets import storage
from tests.contracts.support.lost_answers import (
    EFFECT_MEANINGS,
    answer_once,
    lose_in_memory,
    raises_exactly,
    refusal,
)
from tests.contracts.support.worlds import both_worlds
from tests.support.fakes.storage.objects import MemoryObjects


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        self._memory = MemoryObjects()
        self.objects: ObjectStore = self._memory

    def lose_answer_of_create(self) -> None:
        """The next create takes effect, and its answer is lost."""
        lose_in_memory(self._memory, "objects.create")


class OverTheWire:
    """The adapter, and the faults of the service behind it."""

    def __init__(self, faults: FaultHooks, clients: Clients) -> None:
        self.faults = faults
        self.clients = clients
        self.objects: ObjectStore = BucketObjects(clients.storage, "anchors")

    def lose_answer_of_create(self) -> None:
        self.answer_once("insert", Dropped("cut"), CallMoment.AFTER)

    def answer_once(self, verb: str, answer: StatusError, moment: CallMoment = CallMoment.BEFORE) -> None:
        answer_once(self.faults, f"objects.{verb}", answer, moment)


ObjectsWorld = InMemory | OverTheWire
"""Objects, and the troubles of the way to them."""


@pytest.fixture
def wire() -> Iterator[OverTheWire]:
    with storage("anchors") as (faults, _, clients):
        yield OverTheWire(faults, clients)


world = both_worlds(InMemory)


@pytest.mark.parametrize("name", ["a", "heads/INC-1/000001-ab", "é ?#%/+&", "x" * 1024])
@pytest.mark.parametrize("content", [b"", b'{"a":1}', bytes(range(256)) * 100, b"--\r\n\r\n--"])
def test_content_comes_back_as_it_was_kept(world: ObjectsWorld, name: str, content: bytes) -> None:
    """Byte for byte, under any name."""
    world.objects.create(name, content)

    assert world.objects.read(name) == content
    assert world.objects.names("") == [name]


def test_a_name_that_is_taken(world: ObjectsWorld) -> None:
    """The first content stays, whatever the second one is."""
    world.objects.create("a", b"first")

    with pytest.raises(Exists):
        world.objects.create("a", b"second")

    assert world.objects.read("a") == b"first"


def test_a_lost_answer_and_the_same_create_again(world: ObjectsWorld) -> None:
    """It is unknown whether it was kept; asking again tells."""
    world.lose_answer_of_create()
    with pytest.raises(Ambiguous):
        world.objects.create("a", b"1")

    with pytest.raises(Exists):
        world.objects.create("a", b"1")


def test_an_absent_object(world: ObjectsWorld) -> None:
    """It has no content, and nobody calls that a failure."""
    assert world.objects.read("heads/none") is None
    assert world.objects.names("heads/") == []


def test_names_by_their_beginning_in_order(world: ObjectsWorld) -> None:
    """All that begin so, ascending, and no other; the beginning need not be a folder."""
    for name in ("b/2", "a/1", "b/10", "b", "c"):
        world.objects.create(name, b"")

    assert world.objects.names("b/") == ["b/10", "b/2"]
    assert world.objects.names("b") == ["b", "b/10", "b/2"]
    assert world.objects.names("") == ["a/1", "b", "b/10", "b/2", "c"]


@pytest.mark.parametrize("name", ["", "x" * 1025, "a\nb"])
def test_a_name_that_cannot_be(world: ObjectsWorld, name: str) -> None:
    """The answer is no, and nothing is kept."""
    with pytest.raises(Rejected):
        world.objects.create(name, b"")

    assert world.objects.names("") == []


@pytest.mark.parametrize(
    ("status", "meaning"),
    [*EFFECT_MEANINGS, ("INTERNAL", Ambiguous), ("DEADLINE_EXCEEDED", Ambiguous), ("ABORTED", Throttled)],
)
def test_what_an_answer_to_a_create_means(
    wire: OverTheWire, status: str, meaning: type[RollbackError]
) -> None:
    """Each status of the service is one of our errors, and the client repeats nothing by itself."""
    wire.answer_once("insert", refusal(status))

    with raises_exactly(meaning):
        wire.objects.create("a", b"")

    assert wire.objects.names("") == []


@pytest.mark.parametrize("answer", [refusal("UNAVAILABLE"), Dropped("cut")])
@pytest.mark.parametrize("verb", ["get", "list"])
def test_a_read_without_an_answer(wire: OverTheWire, verb: str, answer: StatusError) -> None:
    """Could not look is not the same as empty."""
    wire.objects.create("a", b"1")
    wire.answer_once(verb, answer)

    with pytest.raises(Unavailable):
        wire.objects.read("a") if verb == "get" else wire.objects.names("")


def test_a_bucket_that_is_not_there(wire: OverTheWire) -> None:
    """The answer is no: waiting for it would help nobody."""
    nowhere = BucketObjects(wire.clients.storage, "nowhere")

    with pytest.raises(Rejected):
        nowhere.create("a", b"")
    with pytest.raises(Rejected):
        nowhere.names("")


def test_a_service_that_is_not_there() -> None:
    """Nobody listens: nothing is known."""
    clients = Clients({"storage": "127.0.0.1:9"}, deployed=False)
    nobody = BucketObjects(clients.storage, "anchors")

    with pytest.raises(Ambiguous):
        nobody.create("a", b"")
    with pytest.raises(Unavailable):
        nobody.names("")
    clients.close()


def test_the_client_asks_for_nothing_by_itself(wire: OverTheWire) -> None:
    """No thread looks the bucket up, which would outlive the call and need a right of its own."""
    asked, answered = [], Event()

    def hold(call: str, at: CallMoment) -> None:
        if at is CallMoment.BEFORE:
            asked.append(call)
            if call.endswith("/buckets.get"):
                answered.wait(10)

    wire.faults.add(hold)
    wire.objects.create("head", b"1")
    looking = [one.name for one in enumerate_threads() if "_fetch_background" in one.name]
    answered.set()

    assert looking == []
    assert asked == ["storage.googleapis.com/objects.insert"]
