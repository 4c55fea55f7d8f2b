"""What every Vault keeps, in memory and over HTTP to an embedded Cloud Storage."""

from collections.abc import Iterator

import pytest

from local.core.grpc_services import Dropped
from local.faults.hooks import CallMoment, FaultHooks
from local.services.storage import Buckets
from local.services.storage.conditions import Preconditions
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.storage.vault import BucketVault
from shared.core.errors import Ambiguous, Rejected
from shared.domain.deployments.inventory.inventory_parts import SourceObject
from shared.ports.storage import Vault
from tests.contracts.support.buckets import storage
from tests.contracts.support.lost_answers import answer_once, lose_in_memory
from tests.contracts.support.worlds import both_worlds
from tests.support.fakes.runtime.clock import START, FakeClock
from tests.support.fakes.storage.vault import MemoryVault, source_content

OBJECT = "pay/function-source.zip"


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        self._fake = MemoryVault(FakeClock(), "kept")
        self.vault: Vault = self._fake
        self.sources = [SourceObject("sources", OBJECT, 1), SourceObject("sources", OBJECT, 2)]
        """Two generations of one object."""
        self._fake.lost.add(SourceObject("sources", OBJECT, 3))

    def content(self, source: SourceObject) -> bytes:
        return source_content(source)

    def lose_answer(self, verb: str) -> None:
        """The next copy or keep takes effect, and its answer is lost."""
        lose_in_memory(self._fake, f"kept.{verb}")


class OverTheWire:
    """The adapter, and the service behind it."""

    def __init__(self, buckets: Buckets, faults: FaultHooks, clients: Clients) -> None:
        self._buckets = buckets
        self._faults = faults
        self.vault: Vault = BucketVault(clients.storage, "kept")
        self.sources = [
            SourceObject(
                "sources", OBJECT, buckets.put(*put, "application/zip", {}, Preconditions()).generation
            )
            for put in (("sources", OBJECT, b"first"), ("sources", OBJECT, b"second"))
        ]

    def content(self, source: SourceObject) -> bytes:
        return self._buckets.find(source.bucket, source.object, source.generation).content

    def lose_answer(self, verb: str) -> None:
        call = {"copy": "rewrite", "keep": "insert"}[verb]
        answer_once(self._faults, f"objects.{call}", Dropped("cut"), CallMoment.AFTER)


VaultWorld = InMemory | OverTheWire
"""A vault, and a bucket of sources beside it."""


@pytest.fixture
def wire() -> Iterator[OverTheWire]:
    with storage("kept", "sources") as (faults, buckets, clients):
        buckets.change("sources", versioned=True)
        yield OverTheWire(buckets, faults, clients)


world = both_worlds(InMemory)


@pytest.mark.parametrize("number", [0, 1])
def test_a_copy_is_of_just_that_generation(world: VaultWorld, number: int) -> None:
    """Also where the object has been overwritten since."""
    source = world.sources[number]

    kept = world.vault.copy(source, "shop/pay/a.zip")

    assert (kept.bucket, kept.object) == ("kept", "shop/pay/a.zip")
    assert world.vault.read(kept) == world.content(source)


def test_what_is_copied_already(world: VaultWorld) -> None:
    """It is where it was, and is not made again."""
    kept = world.vault.copy(world.sources[0], "a")

    assert world.vault.copy(world.sources[0], "a") == kept


def test_a_source_that_is_gone(world: VaultWorld) -> None:
    """The answer is no, and nothing is kept."""
    with pytest.raises(Rejected):
        world.vault.copy(SourceObject("sources", OBJECT, 3), "a")

    assert world.vault.creation_times("") == {}


@pytest.mark.parametrize("verb", ["copy", "keep"])
def test_a_lost_answer_and_the_same_again(world: VaultWorld, verb: str) -> None:
    """It is unknown whether it is kept; asking again tells where it is."""
    calls = {
        "copy": lambda: world.vault.copy(world.sources[0], "a"),
        "keep": lambda: world.vault.keep("a", b"content"),
    }
    world.lose_answer(verb)
    with pytest.raises(Ambiguous):
        calls[verb]()

    assert world.vault.read(calls[verb]())


def test_what_is_kept_under_a_name_stays(world: VaultWorld) -> None:
    """Whatever is said to be kept there later."""
    kept = world.vault.keep("a/b?#", b"first")

    assert world.vault.keep("a/b?#", b"second") == kept
    assert world.vault.read(kept) == b"first"


def test_another_generation_than_was_recorded(world: VaultWorld) -> None:
    """It is not what was kept: the answer is no."""
    kept = world.vault.keep("a", b"first")

    with pytest.raises(Rejected):
        world.vault.read(SourceObject(kept.bucket, kept.object, kept.generation + 1))


def test_what_is_made_and_removed(world: VaultWorld) -> None:
    """Each by its name, with when it was made; removed twice is removed."""
    for name in ("shop/a", "shop/b", "shopping/c"):
        world.vault.keep(name, b"")

    world.vault.remove("shop/a")
    world.vault.remove("shop/a")

    assert world.vault.creation_times("shop/") == {"shop/b": START}
