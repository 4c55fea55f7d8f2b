"""Fault plans against the whole embedded cloud, seen by Google's own clients."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import grpc
import httpx
import pytest
from google.api_core import exceptions
from google.cloud import firestore, pubsub_v1
from google.longrunning.operations_pb2_grpc import OperationsStub
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports.grpc import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport
from google.rpc import error_details_pb2

from local.cloud import Cloud
from local.faults import plan as fault_plan
from local.faults.plan import BadPlan, FaultPlan
from tests.local.support.run import ORIGIN, policy, shift
from tests.support.runtime.embedded_cloud import embedded_cloud

COMMIT = "google.firestore.v1.Firestore/Commit"
TOPIC = "projects/shop/topics/rollback-work"
SUBSCRIPTION = "projects/shop/subscriptions/work"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with embedded_cloud(policy(), at=ORIGIN) as cloud:
        yield cloud


def plan(**faults: Any) -> FaultPlan:
    return fault_plan.parse_plan(json.dumps(faults).encode())


def plan_commits(cloud: Cloud, **fault: Any) -> None:
    """Let commits go wrong."""
    cloud.injector.install(plan(calls=[{"call": COMMIT, **fault}]))


@pytest.fixture
def client(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[firestore.Client]:
    with store(cloud, monkeypatch) as client:
        yield client


@contextmanager
def store(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[firestore.Client]:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", cloud.addresses["firestore"])
    with closing(firestore.Client(project="shop")) as client:
        yield client


def put(client: firestore.Client, name: str) -> None:
    """One attempt to write one document."""
    client.document(f"things/{name}").set({"there": True}, retry=None, timeout=60)


def is_there(client: firestore.Client, name: str) -> bool:
    return bool(client.document(f"things/{name}").get().exists)


STATUSES = {
    "UNAVAILABLE": exceptions.ServiceUnavailable,
    "ABORTED": exceptions.Aborted,
    "DEADLINE_EXCEEDED": exceptions.DeadlineExceeded,
    "RESOURCE_EXHAUSTED": exceptions.ResourceExhausted,
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("answer", "error"), STATUSES.items(), ids=STATUSES)
def test_call_is_answered_with_the_status_on_either_side_of_its_effect(
    cloud: Cloud, client: firestore.Client, answer: str, error: type[Exception], when: str
) -> None:
    """An answer after the effect leaves the effect, one before it leaves none."""
    plan_commits(cloud, answer=answer, when=when)

    with pytest.raises(error):
        put(client, "one")

    assert is_there(client, "one") is (when == "after")
    assert cloud.injector.report()["injected"]["calls"] == [1]


@pytest.mark.parametrize("when", ["before", "after"])
def test_connection_is_dropped_and_the_next_call_opens_another(
    cloud: Cloud, client: firestore.Client, when: str
) -> None:
    """The client sees its connection close, not an answer, and works again with the next call."""
    plan_commits(cloud, answer="DROP", when=when, times=1)
    assert not is_there(client, "one")

    with pytest.raises(exceptions.ServiceUnavailable) as caught:
        put(client, "one")

    assert "Injected" not in str(caught.value)
    assert is_there(client, "one") is (when == "after")
    put(client, "two")
    assert is_there(client, "two")


def test_exhausted_quota_says_when_to_come_back(cloud: Cloud, client: firestore.Client) -> None:
    """RetryInfo stands in the status details, where Google's clients look for it."""
    plan_commits(cloud, answer="RESOURCE_EXHAUSTED", retry_after_seconds=7.5)

    with pytest.raises(exceptions.ResourceExhausted) as caught:
        put(client, "one")

    (detail,) = caught.value.details
    assert isinstance(detail, error_details_pb2.RetryInfo)
    assert detail.retry_delay.ToTimedelta() == timedelta(seconds=7.5)


def failing_puts(client: firestore.Client, count: int, error: type[Exception]) -> list[int]:
    """Which of so many calls fail."""
    failed = []
    for number in range(count):
        try:
            put(client, str(number))
        except error:
            failed.append(number)
    return failed


def test_skipped_calls_pass_and_a_fault_that_is_used_up_ends(cloud: Cloud, client: firestore.Client) -> None:
    """With `skip` 1 and `times` 2 the second and the third call fail, and no other."""
    plan_commits(cloud, call="*/Commit", answer="ABORTED", skip=1, times=2)

    assert failing_puts(client, 5, exceptions.Aborted) == [1, 2]


def test_same_seed_lets_the_same_calls_fail(cloud: Cloud, client: firestore.Client) -> None:
    """A plan in force again fails the same calls again; another seed fails others."""

    def failures(seed: int) -> list[int]:
        fault = {"call": COMMIT, "answer": "UNAVAILABLE", "share": 0.5}
        cloud.injector.install(plan(seed=seed, calls=[fault]))
        return failing_puts(client, 20, exceptions.ServiceUnavailable)

    first = failures(1)
    assert failures(1) == first
    assert failures(2) != first
    assert 3 <= len(first) <= 17


@pytest.fixture
def slow_put(cloud: Cloud, client: firestore.Client) -> Thread:
    """A write that waits for an hour of the cloud's clock."""
    plan_commits(cloud, delay_seconds=3600)
    calling = Thread(target=put, args=(client, "one"))
    calling.start()
    while cloud.injector.report()["injected"]["calls"] == [0]:
        calling.join(0.01)
    return calling


def test_slow_call_waits_for_the_clock(cloud: Cloud, client: firestore.Client, slow_put: Thread) -> None:
    """A delay is cloud time: while the clock stands the call does, and the clock lets it go on."""
    cloud.clock.advance(timedelta(seconds=3599))
    slow_put.join(0.05)
    assert slow_put.is_alive()
    assert not is_there(client, "one")

    cloud.clock.advance(timedelta(seconds=1))
    slow_put.join()
    assert is_there(client, "one")


def test_plan_that_is_taken_away_lets_slow_calls_go_on(
    cloud: Cloud, client: firestore.Client, slow_put: Thread
) -> None:
    """Nothing waits for a fault that is not planned any more."""
    cloud.injector.remove()
    slow_put.join()

    assert is_there(client, "one")
    assert cloud.injector.report() == {"plan": None, "injected": None}


@pytest.mark.parametrize(
    ("failure", "code"), [("", 0), ("The disk is full.", 9)], ids=["slow", "slow, then failing"]
)
def test_operation_takes_longer_and_may_fail_late(cloud: Cloud, failure: str, code: int) -> None:
    """It is not done when it would have been, and ends late, as the plan says."""
    fault = {"service": "*/services/placeorder", "delay_seconds": 600, "failure": failure}
    cloud.injector.install(plan(operations=[fault]))
    old = cloud.application("bookshop").service("placeorder").revisions[0].name
    cloud.application("bookshop").deploy(["placeOrder"], release="r2")
    with grpc.insecure_channel(cloud.addresses["run"]) as channel:
        shift(channel, old, validate_only=True)  # a dry run uses no fault up
        operation = shift(channel, old).operation

        cloud.clock.advance(timedelta(seconds=60))
        assert not OperationsStub(channel).GetOperation(operation).done
        cloud.clock.advance(timedelta(seconds=600))
        ended = OperationsStub(channel).GetOperation(operation)

    assert (ended.done, ended.error.code, ended.error.message) == (True, code, failure)
    assert cloud.injector.report()["injected"]["operations"] == [1]


class Queue:
    """A subscription to one topic, with the clients for both ends."""

    def __init__(self, cloud: Cloud, **configuration: Any) -> None:
        self._channel = grpc.insecure_channel(cloud.addresses["pubsub"])
        self._publisher = PublisherClient(transport=PublisherGrpcTransport(channel=self._channel))
        self._subscriber = pubsub_v1.SubscriberClient(
            transport=SubscriberGrpcTransport(channel=self._channel)
        )
        self._subscriber.create_subscription({"name": SUBSCRIPTION, "topic": TOPIC, **configuration})

    def publish(self, *texts: str) -> None:
        for text in texts:
            self._publisher.publish(topic=TOPIC, messages=[{"data": text.encode()}])

    def take(self) -> list[str]:
        """What is ready, acknowledged."""
        with pytest.warns(DeprecationWarning, match="return_immediately"):
            received = self._subscriber.pull(
                {"subscription": SUBSCRIPTION, "max_messages": 100, "return_immediately": True}
            ).received_messages
        if received:
            self._subscriber.acknowledge(subscription=SUBSCRIPTION, ack_ids=[one.ack_id for one in received])
        return [one.message.data.decode() for one in received]


def test_message_is_delivered_again_although_it_was_acknowledged(cloud: Cloud) -> None:
    """Two copies make three deliveries."""
    cloud.injector.install(plan(messages=[{"subscription": SUBSCRIPTION, "copies": 2}]))
    queue = Queue(cloud)
    queue.publish("a")

    assert [queue.take() for _ in range(4)] == [["a"], ["a"], ["a"], []]


def test_exactly_once_delivery_is_never_doubled(cloud: Cloud) -> None:
    """What the subscription promises, no plan takes away."""
    cloud.injector.install(plan(messages=[{"subscription": "*", "copies": 2}]))
    queue = Queue(cloud, enable_exactly_once_delivery=True)
    queue.publish("a")

    assert [queue.take() for _ in range(2)] == [["a"], []]


def test_message_comes_late(cloud: Cloud) -> None:
    """It is ready when its delay is over by the cloud's clock, and not before."""
    cloud.injector.install(plan(messages=[{"subscription": "*/work", "delay_seconds": 1200}]))
    queue = Queue(cloud)
    queue.publish("a")

    cloud.clock.advance(timedelta(seconds=1199))
    assert queue.take() == []
    cloud.clock.advance(timedelta(seconds=1))
    assert queue.take() == ["a"]


def test_messages_come_in_another_order(cloud: Cloud) -> None:
    """All of them come, in an order that the seed draws."""
    fault = {"subscription": "*/work", "reorder_seconds": 600}
    cloud.injector.install(plan(seed=3, messages=[fault]))
    queue = Queue(cloud)
    sent = list("abcdefgh")
    queue.publish(*sent)

    came = []
    for _ in range(600):
        cloud.clock.advance(timedelta(seconds=1))
        came += queue.take()

    assert sorted(came) == sent
    assert came != sent


def test_plan_over_http_is_put_told_and_taken_away(cloud: Cloud, client: firestore.Client) -> None:
    """PUT sets it, GET counts what it did, DELETE ends it."""
    url = f"http://{cloud.addresses['control']}/_cloud/faults"
    assert httpx.get(url).json() == {"plan": None, "injected": None}
    wanted = {"calls": [{"call": COMMIT, "answer": "ABORTED", "times": 1}]}
    set_up = httpx.put(url, json=wanted).json()
    assert set_up["plan"]["calls"][0]["answer"] == "ABORTED"

    with pytest.raises(exceptions.Aborted):
        put(client, "one")
    put(client, "one")

    assert httpx.get(url).json()["injected"]["calls"] == [1]
    assert httpx.delete(url).json() == {"plan": None, "injected": None}
    assert httpx.post(url).status_code == 404


WRONG: dict[str, Any] = {
    "seed": "seven",
    "calls": [{"call": COMMIT, "answer": "TEAPOT"}, {"call": COMMIT, "share": 1.5, "answer": "ABORTED"}],
    "operations": [{"delay_seconds": -1}],
    "letters": [],
}


def test_plan_that_cannot_be_is_refused_with_every_fault(cloud: Cloud) -> None:
    """One answer names them all, and the plan before stays in force."""
    plan_commits(cloud, answer="ABORTED")

    refused = httpx.put(f"http://{cloud.addresses['control']}/_cloud/faults", json=WRONG)

    assert refused.status_code == 400
    said = "\n".join(refused.json()["faults"])
    for part in ("seed", "calls[0].answer", "calls[1].share", "operations[0]", "letters"):
        assert part in said
    assert len(refused.json()["faults"]) >= 6
    assert cloud.injector.report()["plan"]["calls"][0]["answer"] == "ABORTED"


IDLE = {
    "no effect on a call": {"calls": [{"call": COMMIT}]},
    "no effect on an operation": {"operations": [{"service": "*"}]},
    "no effect on a message": {"messages": [{"subscription": "*"}]},
    "a pause that no status carries": {
        "calls": [{"call": COMMIT, "answer": "ABORTED", "retry_after_seconds": 1}]
    },
    "no JSON": "{",
}


@pytest.mark.parametrize("content", IDLE.values(), ids=IDLE)
def test_plan_without_a_meaning_is_refused(content: Any) -> None:
    """What would do nothing is a mistake of who wrote it."""
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(BadPlan):
        fault_plan.parse_plan(text.encode())


def test_plan_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A wrong path is a fault of the plan, told like any other."""
    with pytest.raises(BadPlan, match="cannot be read"):
        fault_plan.load(tmp_path / "none.json")


def test_plan_for_a_call_that_nobody_serves_is_refused() -> None:
    """A misspelt call is told of at the start, not noticed by its absence."""
    misspelt = plan(calls=[{"call": "google.firestore.v1.Firestore/Comit", "answer": "ABORTED"}])
    with pytest.raises(BadPlan, match="Comit"):
        Cloud.start([policy()], seed=1, faults=misspelt)


def test_faults_are_in_force_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call that a client makes is asked already."""
    faults = plan(calls=[{"call": COMMIT, "answer": "ABORTED"}])
    with (
        embedded_cloud(policy(), faults=faults) as cloud,
        store(cloud, monkeypatch) as client,
        pytest.raises(exceptions.Aborted),
    ):
        put(client, "one")


def test_published_schema_is_the_one_that_plans_are_held_against() -> None:
    """Editors and readers see what the code checks."""
    published = Path(fault_plan.__file__).with_name("fault_plan.schema.json")
    assert json.loads(published.read_text()) == json.loads(json.dumps(fault_plan.schema()))
