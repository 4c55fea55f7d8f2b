"""The Builders that the contracts hold for, each with a world around it that can be moved."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from msgspec.structs import replace

from local.application.service import RevisionConfiguration
from local.application.sources import build_archive
from local.cloud import Cloud
from local.services.storage.conditions import Preconditions
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.run.builder import CloudBuilder
from shared.adapters.gcp.run.platform import CloudPlatform
from shared.adapters.gcp.storage.vault import BucketVault
from shared.domain.deployments.build_recipe import Recipe, derive_recipe
from shared.domain.deployments.inventory.inventory_parts import FunctionState, Generation, SourceObject
from shared.domain.deployments.source_copies import encode_values
from shared.ports.platform import Builder, Platform
from tests.contracts.support.lost_answers import lose_in_memory, lose_on_the_wire
from tests.contracts.support.platforms import FUNCTIONS
from tests.contracts.support.shop import PROJECT, REGION, embedded_shop
from tests.support.fakes.run.builder import FakeBuilder
from tests.support.fakes.run.platform import FakePlatform
from tests.support.fakes.runtime.clock import START, FakeClock

COPIES = "shop-copies"
DEFINITION = {"buildConfig": {"runtime": "nodejs20", "entryPoint": "placeOrder"}}


class InMemory:
    """The fakes."""

    def __init__(self) -> None:
        self._clock = FakeClock()
        self._fake = FakePlatform(self._clock, FUNCTIONS, project=PROJECT, region=REGION)
        self._builds = FakeBuilder(self._fake, self._clock)
        self.builder: Builder = self._builds
        self.platform: Platform = self._fake
        first = self._fake.functions()["placeOrder"]
        self.kept = _kept(first, values=None)
        self._clock.sleep(60)
        self._fake.deploy(["placeOrder"], failure_rate=1.0)

    def advance(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def lose_source(self) -> None:
        """Our copy of the source is gone."""
        self._builds.missing.add("placeOrder")

    def destroy_secret(self) -> None:
        """What the kept release needs at its start can be read no more."""
        self._builds.unstarted.add("placeOrder")

    def deploy_elsewhere(self) -> None:
        """Somebody else deploys placeOrder: it takes a while."""
        theirs = replace(self.kept, source=SourceObject("theirs", "theirs.zip", 1))
        self._builds.begin("placeOrder", theirs)

    def delete(self) -> None:
        """Somebody deletes placeOrder."""
        self._fake.delete_function("placeOrder")

    def become_first_generation(self) -> None:
        state = self._fake.functions()["placeOrder"]
        first = replace(
            state,
            generation=Generation.FIRST,
            source=SourceObject("theirs", "old.zip", 1),
            service="",
            latest="",
            traffic=(),
            revisions={},
        )
        self._fake.first_generation["placeOrder"] = first
        self.kept = replace(self.kept, generation=Generation.FIRST)

    def refuse_writes(self) -> None:
        """The write quota is spent."""
        self._builds.throttled = timedelta(seconds=5)

    def lose_answer(self) -> None:
        """The next deployment is accepted, and its answer is lost."""
        lose_in_memory(self._builds, "builder.build")


class OverTheWire:
    """The adapters, over gRPC and HTTP to an embedded cloud."""

    def __init__(self, cloud: Cloud, clients: Clients) -> None:
        self._cloud = cloud
        self._application = cloud.application("shop")
        self._functions = clients.functions
        vault = BucketVault(clients.storage, COPIES)
        self.builder: Builder = CloudBuilder(clients.functions, lambda: vault, FakeClock(), PROJECT, REGION)
        self.platform: Platform = CloudPlatform(
            clients.functions, clients.services, clients.revisions, PROJECT, REGION
        )
        given = RevisionConfiguration(environment={"STRIPE": "live"}, secrets={"KEY": "PAYMENT/1"})
        cloud.surroundings.secrets.provision(PROJECT, "PAYMENT", START)
        self._application.deploy(["placeOrder"], release="r1", configuration=given)
        first = self.platform.functions()["placeOrder"]
        cloud.buckets.create(COPIES)
        self._archive = self._put(
            "source.zip", build_archive(self._application.service("placeorder").latest_created)
        )
        values = self._put("values.json", encode_values(self.platform.values("placeOrder")))
        self.kept = replace(_kept(first, values=values), source=self._archive)
        self.advance(60)
        self._application.deploy(
            ["placeOrder"], release="r2", failure_rate=1.0, configuration=RevisionConfiguration()
        )

    def _put(self, name: str, content: bytes) -> SourceObject:
        stored = self._cloud.buckets.put(COPIES, name, content, "x/y", {}, Preconditions())
        return SourceObject(COPIES, name, stored.generation)

    def advance(self, seconds: float) -> None:
        self._cloud.clock.advance(timedelta(seconds=seconds))

    def lose_source(self) -> None:
        self.kept = replace(self.kept, source=replace(self._archive, object="lost.zip"))

    def overwrite_values(self) -> None:
        """Another object lies under the name by now: what was recorded is an older generation."""
        self._put("values.json", encode_values(self.platform.values("placeOrder")))

    def destroy_secret(self) -> None:
        self._application.builds.is_enabled = lambda bound: bound != "PAYMENT/1"

    def deploy_elsewhere(self) -> None:
        name = f"projects/{PROJECT}/locations/{REGION}/functions/placeOrder"
        source = {"storage_source": {"bucket": COPIES, "object_": "theirs.zip"}}
        theirs = {"name": name, "build_config": {"source": source}}
        self._functions.update_function(function=theirs)

    def delete(self) -> None:
        name = f"projects/{PROJECT}/locations/{REGION}/functions/placeOrder"
        self._functions.delete_function(name=name)

    def become_first_generation(self) -> None:
        self._application.make_first_generation("placeOrder")
        self.kept = replace(self.kept, generation=Generation.FIRST)

    def refuse_writes(self) -> None:
        self._cloud.build_quota.burst = 0
        self._cloud.build_quota.enforced = True

    def lose_answer(self) -> None:
        lose_on_the_wire(self._cloud.faults, "UpdateFunction")


BuilderWorld = InMemory | OverTheWire
"""An application whose first release we keep, its control planes, and time, which stands still.

`kept` says how `placeOrder` ran at first; it has been released anew since.
"""


def _kept(state: FunctionState, values: SourceObject | None) -> Recipe:
    """How a function ran, as a record keeps it."""
    place = values or SourceObject(COPIES, "values.json", 1)
    kept = derive_recipe(
        replace(
            state,
            copy=SourceObject(COPIES, "source.zip", 1),
            definition=state.definition or DEFINITION,
            configuration=replace(state.configuration, values=place),
        )
    )
    assert kept is not None
    return kept


@contextmanager
def embedded() -> Iterator[OverTheWire]:
    """A cloud of its own."""
    with embedded_shop(*FUNCTIONS) as (cloud, clients):
        yield OverTheWire(cloud, clients)
