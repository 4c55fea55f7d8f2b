"""Push: one POST per message, redelivered until it is acknowledged."""

import base64
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from google.api_core.exceptions import InvalidArgument
from google.auth import jwt
from google.auth.crypt import RSAVerifier

from local.faults.hooks import CallMoment
from local.services.pubsub.delivery import deliveries
from tests.local.support.pubsub import (
    DEAD_SUBSCRIPTION,
    ORIGIN,
    PATIENCE_SECONDS,
    SUBSCRIPTION,
    Endpoint,
    Pushed,
    World,
    serving,
)

AT_ONCE: dict[str, Any] = {"minimum_backoff": {}, "maximum_backoff": {}}
LONG_SECONDS = 3 * PATIENCE_SECONDS
"""Of wall time: an endpoint that hangs for longer than any test waits."""
STORM = 2000


@pytest.fixture
def world() -> Iterator[World]:
    with serving(push_concurrency=4) as world:
        yield world


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(lambda pushed: 204).listening() as endpoint:
        yield endpoint


def push_to(endpoint: Endpoint) -> dict[str, str]:
    return {"push_endpoint": endpoint.url}


def hang(endpoint: Endpoint, status: int = 200) -> threading.Event:
    """The endpoint answers once the event is set."""
    release = threading.Event()
    endpoint.answer = lambda pushed: (release.wait(LONG_SECONDS), status)[1]
    return release


def test_a_message_arrives_wrapped(world: World, endpoint: Endpoint) -> None:
    """The body is Pub/Sub's JSON, with both spellings of id and time."""
    world.create(push_config=push_to(endpoint), enable_message_ordering=True)

    (message_id,) = world.publish("hello", key="k", colour="red")

    pushed = endpoint.next()
    assert pushed.path == "/projects/acme/topics/orders"
    assert pushed.headers["Content-Type"] == "application/json"
    assert pushed.body == {
        "message": {
            "data": "aGVsbG8=",
            "attributes": {"colour": "red"},
            "messageId": message_id,
            "message_id": message_id,
            "publishTime": "2026-11-24T12:00:00.000Z",
            "publish_time": "2026-11-24T12:00:00.000Z",
            "orderingKey": "k",
        },
        "subscription": SUBSCRIPTION,
    }


@pytest.mark.parametrize("status", [102, 200, 201, 202, 204])
def test_a_push_that_succeeds(world: World, endpoint: Endpoint, status: int) -> None:
    """These statuses acknowledge: the message never comes again."""
    endpoint.answer = lambda pushed: status
    world.create(push_config=push_to(endpoint))
    world.publish("once")

    endpoint.next()
    world.settle()
    world.advance(hours=1)
    world.settle()

    assert endpoint.is_quiet()


@pytest.mark.parametrize("status", [203, 206, 301, 302, 400, 404, 409, 429, 500, 503])
def test_a_push_that_fails(world: World, endpoint: Endpoint, status: int) -> None:
    """Every other status redelivers the same message."""
    statuses = iter([status, 200])
    endpoint.answer = lambda pushed: next(statuses)
    world.create(push_config=push_to(endpoint))
    (message_id,) = world.publish("again")

    endpoint.next()
    world.settle()
    world.advance(seconds=0.1)

    assert endpoint.next().body["message"]["messageId"] == message_id


def test_a_retry_policy_spaces_the_attempts(world: World, endpoint: Endpoint) -> None:
    """The pause doubles from the minimum to the maximum, on the cloud's clock."""
    endpoint.answer = lambda pushed: 500
    world.create(
        push_config=push_to(endpoint),
        retry_policy={"minimum_backoff": {"seconds": 10}, "maximum_backoff": {"seconds": 30}},
        ack_deadline_seconds=600,
    )
    world.publish("slowly")
    endpoint.next()

    for pause in (10, 20, 30, 30):
        world.settle()
        world.advance(seconds=pause - 1)
        world.settle()
        assert endpoint.is_quiet()
        world.advance(seconds=1)
        endpoint.next()


def test_an_endpoint_that_hangs(world: World, endpoint: Endpoint) -> None:
    """The ack deadline passes on the cloud's clock: the push is cut off and the message returns."""
    release = threading.Event()
    hang = iter([True, False])
    endpoint.answer = lambda pushed: (next(hang) and release.wait(LONG_SECONDS), 200)[1]
    world.create(push_config=push_to(endpoint), ack_deadline_seconds=60)
    world.publish("patience")
    endpoint.next()
    assert not world.pubsub.settle(limit_seconds=0.05)

    world.advance(seconds=60)
    world.settle()
    world.advance(seconds=1)

    assert endpoint.next().text == "patience"
    release.set()


def test_an_endpoint_that_hangs_while_nobody_looks(world: World, endpoint: Endpoint) -> None:
    """The clock alone ends the lease and pushes again."""
    release = hang(endpoint)
    world.create(push_config=push_to(endpoint), retry_policy=AT_ONCE)
    world.publish("patience")
    endpoint.next()

    world.advance(seconds=10)

    assert endpoint.next().text == "patience"
    release.set()


def test_an_endpoint_slower_than_a_connection(
    world: World, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the ack deadline limits the answer."""
    monkeypatch.setattr("local.services.pubsub.delivery.push.CONNECT_LIMIT_SECONDS", 0.05)
    release = hang(endpoint)
    world.create(push_config=push_to(endpoint))
    world.publish("slow")
    endpoint.next()

    assert not world.pubsub.settle(limit_seconds=0.2)
    release.set()
    world.settle()

    assert endpoint.is_quiet()


@pytest.mark.parametrize("shortened", [False, True])
def test_a_pulled_message_dies_while_nobody_looks(world: World, endpoint: Endpoint, shortened: bool) -> None:
    """The clock alone ends the last lease, and the dead letter is pushed."""
    policy = world.dead_letters(push_config=push_to(endpoint))
    world.create(dead_letter_policy=policy, ack_deadline_seconds=600)
    world.publish("poison")
    for _ in range(4):
        world.modify(0, *world.pull())
    last = world.pull()
    if shortened:
        world.modify(10, *last)

    world.advance(seconds=10 if shortened else 600)

    assert endpoint.next().text == "poison"


def test_nothing_listens_at_the_endpoint(world: World) -> None:
    """A refused connection is a failed delivery, and the message waits for the endpoint."""
    with Endpoint(lambda pushed: 200).listening() as gone:
        pass
    world.create(push_config=push_to(gone))
    world.publish("waiting")
    world.settle()

    with Endpoint(lambda pushed: 200).listening() as endpoint:
        world.subscriber.modify_push_config(subscription=SUBSCRIPTION, push_config=push_to(endpoint))
        world.advance(minutes=1)

        assert endpoint.next().text == "waiting"


def test_a_message_that_always_fails(world: World, endpoint: Endpoint) -> None:
    """After the last attempt it is published to the dead letter topic, with where it came from."""
    endpoint.answer = lambda pushed: 500
    policy = world.dead_letters()
    world.create(push_config=push_to(endpoint), dead_letter_policy=policy)
    world.publish("poison", colour="red")

    attempts = []
    for _ in range(5):
        attempts.append(endpoint.next().body["deliveryAttempt"])
        world.settle()
        world.advance(minutes=1)

    (letter,) = world.pull(DEAD_SUBSCRIPTION)
    assert attempts == [1, 2, 3, 4, 5]
    assert letter.message.data == b"poison"
    assert dict(letter.message.attributes) == {
        "colour": "red",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
        "CloudPubSubDeadLetterSourceSubscription": "orders",
        "CloudPubSubDeadLetterSourceSubscriptionProject": "acme",
        "CloudPubSubDeadLetterSourceTopicPublishTime": "2026-11-24T12:00:00.000+00:00",
    }
    assert endpoint.is_quiet()


def test_more_messages_than_pushes_are_allowed(world: World, endpoint: Endpoint) -> None:
    """As many pushes are in flight as the service was made for, and never more."""
    release = hang(endpoint)
    world.create(push_config=push_to(endpoint), ack_deadline_seconds=600)

    world.publish(*"abcdefgh")
    first = sorted(endpoint.next().text for _ in range(4))
    assert not world.pubsub.settle(limit_seconds=0.1)
    is_full = endpoint.is_quiet()
    release.set()
    rest = sorted(endpoint.next().text for _ in range(4))

    assert (first, is_full, rest) == (list("abcd"), True, list("efgh"))


def test_messages_of_one_ordering_key(world: World, endpoint: Endpoint) -> None:
    """They are pushed one after the other, in order, and a failed one holds up the later ones."""
    statuses = iter([200, 500, 200, 200])
    endpoint.answer = lambda pushed: next(statuses)
    world.create(push_config=push_to(endpoint), enable_message_ordering=True)

    world.publish("1", "2", "3", key="k")
    order = [endpoint.next().text, endpoint.next().text]
    world.settle()
    assert endpoint.is_quiet()
    world.advance(seconds=1)
    order += [endpoint.next().text, endpoint.next().text]

    assert order == ["1", "2", "2", "3"]


def test_a_push_with_an_identity(world: World, endpoint: Endpoint) -> None:
    """The bearer token is signed by the published key, and its times are the cloud's."""
    account = "pusher@acme.iam.gserviceaccount.com"
    world.create(
        push_config={
            "push_endpoint": endpoint.url,
            "oidc_token": {"service_account_email": account, "audience": "on-work"},
        }
    )
    world.publish("signed")

    token = endpoint.next().headers["Authorization"].removeprefix("Bearer ")

    claims = jwt.decode(token, verify=False)
    assert signature_is_good(token, world.pubsub.jwks())
    assert claims == {
        "iss": "https://accounts.google.com",
        "aud": "on-work",
        "azp": account,
        "sub": account,
        "email": account,
        "email_verified": True,
        "iat": int(ORIGIN.timestamp()),
        "exp": int(ORIGIN.timestamp()) + 3600,
    }


def test_an_identity_without_an_audience(world: World, endpoint: Endpoint) -> None:
    """The audience is the endpoint, and a later push carries a token that is still valid."""
    oidc = {"service_account_email": "pusher@acme.iam.gserviceaccount.com"}
    world.create(push_config={**push_to(endpoint), "oidc_token": oidc})
    issued = []
    for _ in range(2):
        world.publish("signed")
        token = endpoint.next().headers["Authorization"].removeprefix("Bearer ")
        issued.append(jwt.decode(token, verify=False))
        world.advance(minutes=45)

    assert [claims["aud"] for claims in issued] == [endpoint.url] * 2
    assert issued[1]["iat"] - issued[0]["iat"] == 45 * 60


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/push",
        "http://example.com/push",
        "http://10.0.0.1/push",
        "http://127.0.0.1@example.com/push",
        "http://worker-1.us-east1.run.app/",
        "https://run.app.example.com/",
        "https://127.0.0.1/push",
        "http://127.0.0.1:notaport/",
        "ftp://127.0.0.1/",
        "127.0.0.1:80",
    ],
)
def test_an_endpoint_outside_this_machine(world: World, url: str) -> None:
    """Only plain loopback addresses are taken, and the refusal says why."""
    with pytest.raises(InvalidArgument, match="endpoint"):
        world.create(push_config={"push_endpoint": url})


def test_an_endpoint_of_cloud_run_that_nobody_plays(world: World) -> None:
    """It is taken, as Google takes it, and gets nothing: the message stays."""
    url = "https://worker-361735506349.us-east1.run.app/projects/p/topics/t"
    world.create(push_config={"push_endpoint": url})

    world.publish("nowhere")
    world.advance(seconds=1)

    assert world.pubsub.undelivered(SUBSCRIPTION) == 1


def test_settling_waits_for_a_message_that_is_taken_and_not_yet_sent(
    world: World, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the lease of a message and its push nothing is due, and yet nothing is settled."""
    lease = deliveries.lease_push_message
    pushed_by_then: list[bool] = []
    sent = threading.Event()
    settling: list[threading.Thread] = []

    def settle() -> None:
        world.settle()
        pushed_by_then.append(sent.is_set())

    def taken(*arguments: Any) -> Any:
        found = lease(*arguments)
        if found and not settling:
            settling.append(threading.Thread(target=settle))
            settling[0].start()
            settling[0].join(0.2)  # returns at once where settling does not wait
        return found

    def answer(pushed: Pushed) -> int:
        sent.set()
        return 204

    monkeypatch.setattr(deliveries, "lease_push_message", taken)
    endpoint.answer = answer
    world.create(push_config=push_to(endpoint))
    world.publish("late")
    assert endpoint.next().text == "late"
    settling[0].join()

    assert pushed_by_then == [True]


@pytest.mark.parametrize("moment", CallMoment)
def test_a_fault_of_a_push(world: World, endpoint: Endpoint, moment: CallMoment) -> None:
    """Stopped before it is sent, or its answer lost: it acknowledges nothing, and comes again."""

    def fail(call: str, at: CallMoment) -> None:
        if call == f"push {SUBSCRIPTION}" and at is moment:
            world.faults.remove(fail)
            raise ConnectionError("injected")

    world.faults.add(fail)
    world.create(push_config=push_to(endpoint))
    world.publish("late")
    world.settle()
    pushed = [endpoint.next()] if moment is CallMoment.AFTER else []
    assert endpoint.is_quiet()

    world.advance(seconds=1)

    pushed.append(endpoint.next())
    assert pushed[0].text == "late"
    assert all(one.body["message"] == pushed[0].body["message"] for one in pushed)


def test_a_push_subscription_is_deleted_in_flight(world: World, endpoint: Endpoint) -> None:
    """What hangs is cut off, and nothing is pushed any more."""
    release = hang(endpoint, 500)
    world.create(push_config=push_to(endpoint))
    world.publish("first")
    endpoint.next()

    world.subscriber.delete_subscription(subscription=SUBSCRIPTION)
    world.settle()
    release.set()
    world.publish("second")
    world.advance(hours=1)
    world.settle()

    assert endpoint.is_quiet()


def test_closing_while_an_endpoint_hangs(endpoint: Endpoint) -> None:
    """The service ends all the same, and leaves no thread behind."""
    release = hang(endpoint)
    with serving() as world:
        world.create(push_config=push_to(endpoint))
        world.publish(*"abc")
        for _ in range(3):
            endpoint.next()

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pubsub-")]
    release.set()


def test_a_storm(endpoint: Endpoint) -> None:
    """Two thousand messages at once pass, each to the end; `make chaos` sends ten thousand."""
    seen: Counter[str] = Counter()
    passed = threading.Event()
    lock = threading.Lock()

    def count(pushed: Pushed) -> int:
        with lock:
            seen[pushed.body["message"]["messageId"]] += 1
            if len(seen) == STORM:
                passed.set()
        return 204

    endpoint.answer = count
    with serving(scale=1) as world:
        world.create(push_config=push_to(endpoint), ack_deadline_seconds=600)
        for _ in range(STORM // 1000):
            world.publish(*["x"] * 1000)

        assert passed.wait(PATIENCE_SECONDS)
    assert len(seen) == STORM


def signature_is_good(token: str, keys: dict[str, list[dict[str, str]]]) -> bool:
    """Is a token signed by the key of a JSON Web Key Set?"""
    (key,) = keys["keys"]
    public = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
    signed, _, signature = token.rpartition(".")
    return bool(RSAVerifier(public).verify(signed.encode(), base64.urlsafe_b64decode(signature + "==")))


def number(encoded: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(encoded + "=="), "big")
