"""What every Media keeps, in memory and over HTTP to an embedded Cloud Storage."""

from collections.abc import Iterator

import pytest

from local.faults.hooks import FaultHooks
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.storage.media import BucketMedia
from shared.core.errors import Rejected, RollbackError, Unavailable
from shared.ports.storage import Media
from tests.contracts.support.buckets import storage
from tests.contracts.support.lost_answers import answer_once, refusal
from tests.contracts.support.worlds import both_worlds
from tests.support.fakes.storage.media import MemoryMedia


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        self._fake = MemoryMedia()
        self.media: Media = self._fake

    def put(self, name: str, content: bytes) -> None:
        """Let a file be there."""
        self._fake.files[f"gs://media/{name}"] = content

    def break_it(self, name: str) -> None:
        """Let a file be there that cannot be read."""
        self._fake.files[f"gs://media/{name}"] = None


class OverTheWire:
    """The adapter, and the service behind it."""

    def __init__(self, faults: FaultHooks, clients: Clients) -> None:
        self._faults = faults
        self._bucket = clients.storage.bucket("media")
        self.media: Media = BucketMedia(clients.storage)

    def put(self, name: str, content: bytes) -> None:
        self._bucket.blob(name).upload_from_string(content)

    def break_it(self, name: str) -> None:
        self.put(name, b"x")
        self.answer_once("INVALID_ARGUMENT")

    def answer_once(self, status: str) -> None:
        answer_once(self._faults, "objects.get", refusal(status))


MediaWorld = InMemory | OverTheWire
"""Files in the bucket `media`."""


@pytest.fixture
def wire() -> Iterator[OverTheWire]:
    with storage("media") as (faults, _, clients):
        yield OverTheWire(faults, clients)


world = both_worlds(InMemory)


@pytest.mark.parametrize("name", ["cv.pdf", "users/ada/é ?#%+&.mp3"])
def test_a_file_that_reads(world: MediaWorld, name: str) -> None:
    """Nothing is wrong with it."""
    world.put(name, b"%PDF" * 1000)

    assert world.media.unreadable_reason("media", name) == ""


def test_a_file_that_does_not(world: MediaWorld) -> None:
    """Absent, empty, of no bucket, or refused: each has its reason."""
    world.put("empty", b"")
    assert world.media.unreadable_reason("media", "none") == "it is not there"
    assert world.media.unreadable_reason("nobodys", "none") == "it is not there"
    assert world.media.unreadable_reason("media", "empty") == "it is empty"

    world.break_it("broken")
    assert world.media.unreadable_reason("media", "broken") == "it cannot be read (400)"


@pytest.mark.parametrize(
    ("status", "meaning"),
    [("UNAVAILABLE", Unavailable), ("RESOURCE_EXHAUSTED", Unavailable), ("PERMISSION_DENIED", Rejected)],
)
def test_a_look_without_an_answer(wire: OverTheWire, status: str, meaning: type[RollbackError]) -> None:
    """What tells of us or of the moment tells nothing of the file."""
    wire.put("cv.pdf", b"x")
    wire.answer_once(status)

    with pytest.raises(meaning):
        wire.media.unreadable_reason("media", "cv.pdf")
