"""What every Mirrors keeps, in memory and over HTTP to an embedded Cloud Storage."""

from collections.abc import Iterator

import pytest

from local.core.grpc_services import StatusError
from local.faults.hooks import FaultHooks
from local.services.storage import Buckets
from local.services.storage.conditions import Preconditions
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.storage.mirrors import BucketMirrors
from shared.core.errors import Exists, Rejected, RollbackError, Unavailable
from shared.domain.data.backups.backup_records import ObjectMetadata
from shared.ports.backups import Mirrors
from tests.contracts.support.buckets import storage
from tests.contracts.support.lost_answers import EFFECT_MEANINGS, answer_once, raises_exactly, refusal
from tests.contracts.support.worlds import both_worlds
from tests.support.fakes.storage.mirrors import MemoryMirrors

HERE, THERE = "here", "there"
LARGE = bytes(range(256)) * 10_000
"""More than two parts."""


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        self.memory = MemoryMirrors()
        self.memory.buckets = {HERE: {}, THERE: {}}
        self.mirrors: Mirrors = self.memory

    def put(self, bucket: str, name: str, content: bytes) -> None:
        """Let an object be there."""
        self.memory.buckets[bucket][name] = content

    def content(self, bucket: str, name: str) -> bytes:
        """What an object holds."""
        return self.memory.buckets[bucket][name]


class OverTheWire:
    """The adapter, and the service behind it."""

    def __init__(self, faults: FaultHooks, buckets: Buckets, clients: Clients) -> None:
        self._faults = faults
        self._buckets = buckets
        self.mirrors: Mirrors = BucketMirrors(clients.storage)

    def put(self, bucket: str, name: str, content: bytes) -> None:
        self._buckets.put(bucket, name, content, "text/plain", {}, Preconditions())

    def content(self, bucket: str, name: str) -> bytes:
        return self._buckets.find(bucket, name).content

    def answer_once(self, call: str, answer: StatusError) -> None:
        answer_once(self._faults, call, answer)


MirrorsWorld = InMemory | OverTheWire
"""Two buckets, and what is put into them without the port."""


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[FaultHooks, Buckets, Clients]]:
    with storage(HERE) as (faults, buckets, clients):
        buckets.create(THERE, location="EU")
        yield faults, buckets, clients


@pytest.fixture
def wire(server: tuple[FaultHooks, Buckets, Clients]) -> Iterator[OverTheWire]:
    _, buckets, _ = server
    yield OverTheWire(*server)
    for bucket in (HERE, THERE):
        for one in buckets.all(bucket, versions=True):
            buckets.delete(bucket, one.name, None, Preconditions())


world = both_worlds(InMemory)


def test_an_object_is_told_by_size_and_checksum(world: MirrorsWorld) -> None:
    """Those that begin so, and no other."""
    world.put(HERE, "day/é ?#%/a", b"123456789")
    world.put(HERE, "other", b"")

    assert world.mirrors.list_objects(HERE, "day/") == {"day/é ?#%/a": ObjectMetadata(9, "4waSgw==")}
    assert world.mirrors.list_objects(THERE, "") == {}


@pytest.mark.parametrize("name", ["a", "day/é ?#%/output-0"])
def test_a_small_object_is_copied_at_once(world: MirrorsWorld, name: str) -> None:
    """Whole, in one call, and a second copy changes nothing."""
    world.put(HERE, name, b"content")

    assert world.mirrors.copy(HERE, name, THERE) == ""
    assert world.mirrors.copy(HERE, name, THERE) == ""
    assert world.content(THERE, name) == b"content"
    assert world.mirrors.list_objects(THERE, "") == world.mirrors.list_objects(HERE, "")


def test_a_large_object_takes_several_calls(world: MirrorsWorld) -> None:
    """There is nothing to be seen of it until the last one."""
    world.put(HERE, "large", LARGE)
    tokens = [world.mirrors.copy(HERE, "large", THERE)]
    while tokens[-1]:
        assert world.mirrors.list_objects(THERE, "") == {}
        tokens.append(world.mirrors.copy(HERE, "large", THERE, tokens[-1]))

    assert len(tokens) == 3
    assert world.content(THERE, "large") == LARGE


def test_what_is_left_of_a_copy_is_replaced(world: MirrorsWorld) -> None:
    """Whoever died in the middle, or cut it short, is made good by the next copy."""
    world.put(HERE, "a", b"content")
    world.put(THERE, "a", b"cont")
    assert world.mirrors.list_objects(THERE, "") != world.mirrors.list_objects(HERE, "")

    world.mirrors.copy(HERE, "a", THERE)

    assert world.mirrors.list_objects(THERE, "") == world.mirrors.list_objects(HERE, "")


def test_what_is_not_there(world: MirrorsWorld) -> None:
    """The answer is no, and not an empty list."""
    world.put(HERE, "a", b"")

    with pytest.raises(Rejected):
        world.mirrors.list_objects("nowhere", "")
    with pytest.raises(Rejected):
        world.mirrors.copy(HERE, "b", THERE)
    with pytest.raises(Rejected):
        world.mirrors.copy(HERE, "a", "nowhere")
    with pytest.raises(Rejected):
        world.mirrors.copy(HERE, "a", THERE, "no token of ours")


@pytest.mark.parametrize(("status", "meaning"), EFFECT_MEANINGS)
def test_what_an_answer_to_a_copy_means(wire: OverTheWire, status: str, meaning: type[RollbackError]) -> None:
    """Each status is one of our errors, and the client repeats nothing by itself."""
    wire.put(HERE, "a", b"")
    wire.answer_once("objects.rewrite", refusal(status))

    with raises_exactly(meaning):
        wire.mirrors.copy(HERE, "a", THERE)

    assert wire.mirrors.list_objects(THERE, "") == {}


def test_a_list_without_an_answer(wire: OverTheWire) -> None:
    """Could not look is not the same as empty."""
    wire.answer_once("objects.list", refusal("UNAVAILABLE"))

    with pytest.raises(Unavailable):
        wire.mirrors.list_objects(HERE, "")


def test_what_is_written_beside_is_written_once(world: MirrorsWorld) -> None:
    """Under a name that is free."""
    world.mirrors.write(HERE, "day.json", b"{}")

    with pytest.raises(Exists):
        world.mirrors.write(HERE, "day.json", b"[]")
    with pytest.raises(Rejected):
        world.mirrors.write("nowhere", "day.json", b"{}")

    assert world.content(HERE, "day.json") == b"{}"


def test_nothing_replaces_what_is_held(world: MirrorsWorld) -> None:
    """Until it is released; a hold or a release said twice is one."""
    world.put(HERE, "a", b"new")
    world.put(THERE, "a", b"old")
    for _ in range(2):
        world.mirrors.hold(THERE, "a", held=True)

    with pytest.raises(Rejected):
        world.mirrors.copy(HERE, "a", THERE)
    with pytest.raises(Rejected):
        world.mirrors.hold(THERE, "b", held=True)
    assert world.content(THERE, "a") == b"old"

    for _ in range(2):
        world.mirrors.hold(THERE, "a", held=False)
    world.mirrors.copy(HERE, "a", THERE)
    assert world.content(THERE, "a") == b"new"
