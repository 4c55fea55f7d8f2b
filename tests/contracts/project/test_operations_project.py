"""What every Installation tells, in memory and over gRPC to an embedded cloud."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial

import pytest
from google.iam.v1.iam_policy_pb2 import SetIamPolicyRequest
from google.iam.v1.policy_pb2 import Policy as IamPolicy
from google.pubsub_v1 import types

from local.cloud import Cloud
from local.installation import push_subscriptions
from local.installation.provisioning import NO_CALL_CONTEXT, values_bucket
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.project.operations_project import CloudOperationsProject
from shared.core import topics
from shared.core.errors import Rejected, Unavailable
from shared.ports.operations_project import DeployedFunction, OperationsProject, Subscription
from tests.contracts.support.subscriptions import SHOP
from tests.contracts.support.worlds import both_worlds
from tests.support.fakes.project.operations_project import MemoryInstallation
from tests.support.runtime.embedded_cloud import embedded_cloud

FULL = f"projects/{SHOP.project}/topics/"
PUSHED = Subscription(
    name="pushed",
    topic=f"{FULL}{topics.WORK}",
    endpoint="http://127.0.0.1:1/projects/shop-prod/topics/rollback-work",
    account="rollback-push@shop-prod.iam.gserviceaccount.com",
    audience="http://127.0.0.1:1",
    ack_deadline=topics.ACK_DEADLINE,
    kept_for=timedelta(days=7),
    backoff=topics.backoff(topics.WORK),
    dead_letters=f"{FULL}{topics.DEAD_LETTERS}",
    attempts=topics.MAX_DELIVERY_ATTEMPTS,
)
"""Set up as a responder's is."""
PLACE_ORDER = DeployedFunction(
    "placeOrder", "placeOrder", True, "https://x.run.app", account="1-compute@developer.gserviceaccount.com"
)
BARE = Subscription(
    name="bare",
    topic=f"{FULL}{topics.CLOCK}",
    ack_deadline=timedelta(seconds=10),
    kept_for=timedelta(days=7),
    expires=True,
)
"""With nothing but Pub/Sub's defaults."""
PUBLISHER = "roles/pubsub.publisher"
READER = "roles/storage.legacyObjectReader"
VALUES = values_bucket(SHOP.project)


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        self.memory = MemoryInstallation()
        self.memory.made = {topic: {} for topic in topics.ALL_TOPICS}
        self.memory.granted = {VALUES: {}}
        self.memory.deployed = [PLACE_ORDER]
        self.installation: OperationsProject = self.memory

    def subscribe(self, wanted: Subscription) -> None:
        self.memory.subscribed.append(wanted)

    def grant(self, topic: str, role: str, *members: str) -> None:
        self.memory.made[topic][role] = members

    def grant_on_bucket(self, role: str, *members: str) -> None:
        self.memory.granted[VALUES][role] = members


class OverTheWire:
    """The adapter, beside an embedded cloud."""

    def __init__(self, cloud: Cloud, clients: Clients) -> None:
        self.installation: OperationsProject = CloudOperationsProject(
            clients.publisher, clients.subscriber, clients.functions, clients.storage, SHOP.project
        )
        self._pubsub = cloud.pubsub
        self._values = clients.storage.bucket(VALUES)

    def subscribe(self, wanted: Subscription) -> None:
        made = types.Subscription.pb()(
            name=f"projects/{SHOP.project}/subscriptions/{wanted.name}",
            topic=wanted.topic,
            ack_deadline_seconds=int(wanted.ack_deadline.total_seconds()),
        )
        if wanted.endpoint:
            made.push_config.push_endpoint = wanted.endpoint
            made.push_config.oidc_token.service_account_email = wanted.account
            made.push_config.oidc_token.audience = wanted.audience
        if wanted.backoff:
            made.retry_policy.minimum_backoff.FromTimedelta(wanted.backoff[0])
            made.retry_policy.maximum_backoff.FromTimedelta(wanted.backoff[1])
        if wanted.dead_letters:
            made.dead_letter_policy.dead_letter_topic = wanted.dead_letters
            made.dead_letter_policy.max_delivery_attempts = wanted.attempts
        if not wanted.expires:
            made.expiration_policy.SetInParent()
        self._pubsub.subscriber.CreateSubscription(made, NO_CALL_CONTEXT)

    def grant(self, topic: str, role: str, *members: str) -> None:
        policy = IamPolicy()
        policy.bindings.add(role=role, members=members)
        request = SetIamPolicyRequest(resource=f"{FULL}{topic}", policy=policy)
        self._pubsub.policy.SetIamPolicy(request, NO_CALL_CONTEXT)

    def grant_on_bucket(self, role: str, *members: str) -> None:
        policy = self._values.get_iam_policy()
        policy.bindings.append({"role": role, "members": {*members}})
        self._values.set_iam_policy(policy)


InstallationWorld = InMemory | OverTheWire
"""Topics, and a hand that sets up the rest."""


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with embedded_cloud(SHOP) as cloud:
        yield cloud


@pytest.fixture
def wire(cloud: Cloud) -> Iterator[OverTheWire]:
    addresses = {name: cloud.addresses[name] for name in ("functions", "pubsub", "storage")}
    with closing(Clients(addresses, deployed=False)) as clients:
        yield OverTheWire(cloud, clients)


world = both_worlds(InMemory)


def test_topics_are_told_by_their_short_names(world: InstallationWorld) -> None:
    """All of them, and none has a schema here."""
    assert world.installation.topics() == dict.fromkeys(topics.ALL_TOPICS, "")


@pytest.mark.parametrize("wanted", [PUSHED, BARE], ids=lambda one: one.name)
def test_a_subscription_is_told_as_it_was_made(world: InstallationWorld, wanted: Subscription) -> None:
    """With what Pub/Sub adds by itself."""
    world.subscribe(wanted)

    assert world.installation.subscriptions() == [wanted]


def test_grants_are_told_by_role(world: InstallationWorld) -> None:
    """A topic without any tells none."""
    world.grant(topics.WORK, PUBLISHER, "user:b@example.com", "user:a@example.com")

    assert world.installation.grants(topics.WORK) == {PUBLISHER: ("user:a@example.com", "user:b@example.com")}
    assert world.installation.grants(topics.CLOCK) == {}


def test_the_grants_of_a_topic_that_is_not_there(world: InstallationWorld) -> None:
    """The answer is no, not nobody."""
    with pytest.raises(Rejected):
        world.installation.grants("rollback-gone")


def test_the_grants_of_a_bucket_are_told_by_role(world: InstallationWorld) -> None:
    """At the beginning its own policy gives nobody anything."""
    assert world.installation.bucket_grants(VALUES) == {}

    world.grant_on_bucket(READER, "user:b@example.com", "user:a@example.com")

    assert world.installation.bucket_grants(VALUES) == {READER: ("user:a@example.com", "user:b@example.com")}


def test_the_grants_of_a_bucket_that_is_not_there(world: InstallationWorld) -> None:
    """The answer is no, not nobody."""
    with pytest.raises(Rejected):
        world.installation.bucket_grants("nowhere")


def test_functions_of_every_region_are_told(world: InstallationWorld) -> None:
    """With what they run, whether they are well, and where."""
    [function] = world.installation.functions()

    assert (function.name, function.entry_point) == ("placeOrder", "placeOrder")
    assert function.active
    assert function.uri.startswith("https://")
    assert "@" in function.account


def test_a_cloud_that_does_not_answer(cloud: Cloud, wire: OverTheWire) -> None:
    """Nothing is known then: no list is empty for that."""
    installation = wire.installation
    cloud.stop()

    for ask in (
        installation.topics,
        installation.subscriptions,
        installation.functions,
        partial(installation.bucket_grants, VALUES),
    ):
        with pytest.raises(Unavailable):
            ask()


def test_what_the_embedded_cloud_delivers_by_is_what_is_stated(cloud: Cloud, wire: OverTheWire) -> None:
    """Each topic's own push, and where dead letters are kept."""
    addresses = dict.fromkeys(topics.ENTRY_POINTS, "127.0.0.1:1")
    push_subscriptions.subscribe(cloud, addresses)

    found = {one.name: one for one in wire.installation.subscriptions()}

    pushed = {
        topic: found.pop(f"{topic}-push") for topic in topics.ALL_TOPICS if topic != topics.DEAD_LETTERS
    }
    assert {topic: one.backoff for topic, one in pushed.items()} == {
        topic: topics.backoff(topic) for topic in pushed
    }
    assert {one.attempts for one in pushed.values()} == {topics.MAX_DELIVERY_ATTEMPTS}
    assert {one.ack_deadline for one in pushed.values()} == {topics.ACK_DEADLINE}
    assert {name: one.kept_for for name, one in found.items()} == {
        topics.DEAD_LETTER_SUBSCRIPTION: topics.DEAD_LETTER_RETENTION
    }
    assert not any(one.expires for one in (*pushed.values(), *found.values()))
