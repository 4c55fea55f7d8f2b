"""What every VersionedObjects keeps, in memory and over HTTP to an embedded Cloud Storage."""

from collections.abc import Iterator

import pytest

from shared.adapters.gcp.storage.public_pages import BucketPages
from shared.core.errors import Moved, RollbackError, Unavailable
from shared.ports.storage import VersionedObjects
from tests.contracts.support.buckets import storage
from tests.contracts.support.lost_answers import answer_once, refusal
from tests.contracts.support.worlds import both_worlds
from tests.support.fakes.storage.public_pages import MemoryPages

NAME = "policies.json"
JSON = "application/json"


@pytest.fixture
def wire() -> Iterator[VersionedObjects]:
    with storage("policies") as (_, buckets, clients):
        buckets.change("policies", versioned=True)
        yield BucketPages(clients.storage, "policies")


objects = both_worlds(MemoryPages)


def test_an_absent_object_has_no_history(objects: VersionedObjects) -> None:
    """Nothing is there before the first write."""
    assert objects.generation(NAME) == 0
    assert [*objects.history(NAME)] == []


def test_the_history_has_each_generation_newest_first(objects: VersionedObjects) -> None:
    """Also after a replacement; another object whose name begins so is not in it."""
    objects.put(NAME, b"first", JSON, 0)
    first = objects.generation(NAME)
    objects.put(NAME, b"second", JSON, first)
    second = objects.generation(NAME)
    objects.put(f"{NAME}.old", b"other", JSON, 0)

    assert [*objects.history(NAME)] == [(second, b"second"), (first, b"first")]


def test_a_write_in_the_place_of_an_older_generation_fails(objects: VersionedObjects) -> None:
    """Two people who publish at once do not overwrite each other."""
    objects.put(NAME, b"first", JSON, 0)
    first = objects.generation(NAME)
    objects.put(NAME, b"second", JSON, first)

    with pytest.raises(Moved):
        objects.put(NAME, b"third", JSON, first)

    assert next(objects.history(NAME))[1] == b"second"


@pytest.mark.parametrize("verb", ["list", "get"])
def test_a_history_without_an_answer(verb: str) -> None:
    """Nothing is known: neither of which generations there are, nor of a content."""
    with storage("policies") as (faults, _, clients):
        objects = BucketPages(clients.storage, "policies")
        objects.put(NAME, b"first", JSON, 0)
        answer_once(faults, f"objects.{verb}", refusal("UNAVAILABLE"))

        with pytest.raises(Unavailable):
            [*objects.history(NAME)]


def test_a_bucket_that_is_not_there() -> None:
    """Is no empty history: the settings name another bucket than Terraform has made."""
    with storage() as (_, _, clients), pytest.raises(RollbackError):
        [*BucketPages(clients.storage, "policies").history(NAME)]
