"""The sources of the application's functions, as objects of the embedded Cloud Storage."""

import io
import zipfile

from local.application.service import ServiceRevision
from local.application.sources import RELEASE_FILE, Sources
from local.core.journal import Journal
from local.services.storage import Buckets
from shared.core.codec import from_json
from tests.local.support.run import World


def test_each_build_has_a_generation_of_its_own() -> None:
    """One object per function; what was built before is still there, and says what it does."""
    world = World()
    buckets = Buckets(world.clock, Journal())
    sources = Sources(buckets)
    first = sources.of(world.application, world.application.service("placeorder"))
    world.advance(60)
    world.deploy()
    service = world.application.service("placeorder")

    second = sources.of(world.application, service)

    assert (first.bucket, first.name) == (second.bucket, "placeOrder/function-source.zip")
    assert second.generation > first.generation
    assert buckets.find(first.bucket, first.name, first.generation).content == first.content
    with zipfile.ZipFile(io.BytesIO(second.content)) as archive:
        built = from_json(archive.read(RELEASE_FILE), ServiceRevision)
    assert built == service.latest_created


def test_a_source_is_uploaded_once() -> None:
    """Also when another process looks for it, after a restart."""
    world, journal = World(), Journal()
    service = world.application.service("placeorder")
    before = Sources(Buckets(world.clock, journal)).of(world.application, service)
    world.advance(60)

    assert Sources(Buckets(world.clock, journal)).of(world.application, service) == before
