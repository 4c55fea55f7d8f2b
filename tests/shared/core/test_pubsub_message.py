"""Envelopes: one Pub/Sub message, however it was wrapped."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.pubsub_message import (
    EARLIEST_TIME,
    MAX_REQUEST_BYTES,
    PUBLISHED_EVENT_TYPE,
    PubSubMessage,
    Undecodable,
    decode_message,
    earliest_time,
)

FIXTURES = Path(__file__).parent.parent.parent / "fixtures" / "cloudevents"
TOPIC = "projects/p/topics/rollback-alerts"
SENT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
BINARY = {
    "ce-id": "1",
    "ce-source": f"//pubsub.googleapis.com/{TOPIC}",
    "ce-specversion": "1.0",
    "ce-type": PUBLISHED_EVENT_TYPE,
    "ce-time": "2026-01-02T03:04:05.678Z",
    "content-type": "application/json",
}
PUSHED: dict[str, Any] = {
    "message": {
        "data": base64.b64encode(b"hello").decode(),
        "attributes": {"kind": "rollback"},
        "messageId": "1",
        "publishTime": "2026-01-02T03:04:05.678Z",
        "orderingKey": "k",
    },
    "subscription": "projects/p/subscriptions/s",
    "deliveryAttempt": 3,
}
MESSAGE = PubSubMessage(
    "1", TOPIC, b"hello", {"kind": "rollback"}, SENT, subscription="projects/p/subscriptions/s"
)
SNAKE = {
    "messageId": "message_id",
    "publishTime": "publish_time",
    "orderingKey": "ordering_key",
    "deliveryAttempt": "delivery_attempt",
}


def encoded(document: object) -> bytes:
    return json.dumps(document).encode()


def pushed(**message: Any) -> PubSubMessage:
    """A plain push, with what the test changes in its message."""
    return decode_message({}, encoded({"message": {**PUSHED["message"], **message}}))


def structured(**event: Any) -> bytes:
    base = {
        "specversion": "1.0",
        "id": "1",
        "source": f"//pubsub.googleapis.com/{TOPIC}",
        "type": PUBLISHED_EVENT_TYPE,
        "time": "2026-01-02T03:04:05.678Z",
        "data": PUSHED,
    }
    return encoded({**base, **event})


ENVELOPES = {
    "binary": (BINARY, encoded(PUSHED), ""),
    "binary, headers in capitals": ({k.title(): v for k, v in BINARY.items()}, encoded(PUSHED), ""),
    "structured": ({"Content-Type": "application/cloudevents+json"}, structured(), ""),
    "structured, by its look": ({"Content-Type": "application/json"}, structured(), ""),
    "structured, as base64": (
        {},
        structured(data=None, data_base64=base64.b64encode(encoded(PUSHED)).decode()),
        "",
    ),
    "plain push, topic in the path": ({}, encoded(PUSHED), f"/{TOPIC}"),
    "plain push, topic in Eventarc's query": (
        {},
        encoded(PUSHED),
        "/?__GCP_CloudEventsMode=CUSTOM_PUBSUB_projects%2Fp%2Ftopics%2Frollback-alerts",
    ),
    "snake case": (
        {},
        encoded(
            {SNAKE.get(name, name): value for name, value in PUSHED.items() if name != "message"}
            | {"message": {SNAKE.get(n, n): value for n, value in PUSHED["message"].items()}}
        ),
        f"/{TOPIC}",
    ),
    "both cases, a type, and more": (
        {},
        encoded(
            {
                **PUSHED,
                "more": 1,
                "message": {
                    **PUSHED["message"],
                    "@type": "type.googleapis.com/google.pubsub.v1.PubsubMessage",
                    "message_id": "1",
                    "publish_time": "2026-01-02T03:04:05.678Z",
                },
            }
        ),
        f"/{TOPIC}",
    ),
}


@pytest.mark.parametrize(("headers", "body", "path"), ENVELOPES.values(), ids=ENVELOPES)
def test_one_message_in_every_envelope(headers: dict[str, str], body: bytes, path: str) -> None:
    """The message is the same, whichever envelope brought it."""
    assert decode_message(headers, body, path) == MESSAGE


FIXTURE_MESSAGES = {
    # name: data begins, attributes
    "gen2_binary_alert_open": (b'{"incident":', {}),
    "gen2_binary_attributes_only_no_data": (b"", {"scenario": "cloud-run-revision"}),
    "gen2_binary_data_not_json": (b"hello", {}),
    "gen2_binary_manual_message": (b'{"scenario":', {"origin": "manual", "requested_by": "user@example.com"}),
    "gen2_binary_ordering_key": (b'{"incident":', {}),
    "redelivery_same_ce_id": (b'{"incident":', {}),
}


@pytest.mark.parametrize("name", FIXTURE_MESSAGES)
def test_a_captured_request(name: str) -> None:
    """Requests as functions received them are understood."""
    data, attributes = FIXTURE_MESSAGES[name]
    request = json.loads((FIXTURES / f"{name}.json").read_text())

    message = decode_message(request["headers"], encoded(request["body"]))

    assert message.data.startswith(data)
    assert message.attributes == attributes
    assert (message.id, message.published_at) == ("1000000000000001", SENT)
    assert message.topic == "projects/scoping-project/topics/monitoring-alerts"
    assert message.topic_name == "monitoring-alerts"


def test_the_official_structured_event() -> None:
    """The event in Google's own test data: the message's id goes before the event's."""
    message = decode_message({}, (FIXTURES / "official_structured.json").read_bytes())

    assert message == PubSubMessage(
        id="message-id",
        topic="projects/test-project/topics/my-topic",
        data=b"test message 3",
        attributes={"attr1": "attr1-value"},
        published_at=datetime(2021, 2, 5, 4, 6, 14, 109000, tzinfo=UTC),
        subscription="projects/test-project/subscriptions/my-subscription",
    )
    assert {file.stem for file in FIXTURES.glob("*.json")} == {*FIXTURE_MESSAGES, "official_structured"}


def test_a_message_of_nothing() -> None:
    """Data, attributes, id, time: everything may be absent or null."""
    nothing = PubSubMessage("", "", b"", {}, None)

    assert decode_message({}, b'{"message": {}}') == nothing
    assert decode_message({}, encoded({"message": dict.fromkeys(PUSHED["message"])})) == nothing


def test_an_event_names_what_its_message_does_not() -> None:
    """Id and time of the event stand in where the message has none."""
    message = decode_message(BINARY, b'{"message": {}}')

    assert (message.id, message.published_at, message.topic) == ("1", SENT, TOPIC)


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2026-01-02T03:04:05Z", SENT.replace(microsecond=0)),
        ("2026-01-02T03:04:05.678000001Z", SENT),
        ("2026-01-02T05:04:05.678+02:00", SENT),
        ("2026-01-02t03:04:05.678z", SENT),
        ("", None),
        (None, None),
    ],
)
def test_a_time(written: str | None, time: datetime | None) -> None:
    """Times are RFC 3339 with up to nine digits, read as UTC to the microsecond."""
    assert pushed(publishTime=written).published_at == time


@pytest.mark.parametrize(
    "written",
    [
        "yesterday",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-02-30T03:04:05Z",
        "0001-01-01T00:00:00+23:00",
        1767323045,
        ["2026-01-02T03:04:05Z"],
    ],
)
def test_a_time_that_is_none(written: object) -> None:
    """A publish time that cannot be read makes the message undecodable, not fresh."""
    with pytest.raises(Undecodable, match="is not a time") as caught:
        pushed(publishTime=written)

    assert caught.value.message_id == "1"


def test_the_earliest_of_times_is_none_from_before_the_cloud() -> None:
    """A time that a writer has not set is no time."""
    unset = datetime(1, 1, 1, tzinfo=UTC)

    assert earliest_time(SENT, unset, "0001-01-01T00:00:00Z", None, "never") == SENT
    assert earliest_time(unset, EARLIEST_TIME) is None


REFUSED = {
    "nothing": (b"", "empty"),
    "no JSON": (b"hello", "not JSON"),
    "a list of events": (b"[]", "no object"),
    "no message": (b'{"subscription": "s"}', "no message"),
    "a message that is text": (b'{"message": "s"}', "no message"),
    "no base64": (b'{"message": {"data": "\xc3\xa9"}}', "not base64"),
    "base64 cut short": (b'{"message": {"data": "aGVsbG8"}}', "not base64"),
    "base64 with strangers": (b'{"message": {"data": "aGVs*bG8="}}', "not base64"),
    "data that is a number": (b'{"message": {"data": 5}}', "data is not text"),
    "attributes that are a list": (b'{"message": {"attributes": ["a"]}}', "not an object"),
    "an attribute that is a number": (b'{"message": {"attributes": {"a": 1}}}', "'a' is not text"),
    "14 MiB": (b" " * (MAX_REQUEST_BYTES + 1), "at most 14680064 are read"),
    "deep nesting": (b'{"message":' * 20000 + b"1" + b"}" * 20000, "nested too deeply"),
}


@pytest.mark.parametrize(("body", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(body: bytes, reason: str) -> None:
    """What holds no message is refused with a reason, and with the id and topic it came under."""
    with pytest.raises(Undecodable) as caught:
        decode_message(BINARY, body)

    assert reason in caught.value.reason
    assert (caught.value.message_id, caught.value.topic) == ("1", TOPIC)


STRUCTURED = {
    "another type": (structured(type="google.cloud.storage.object.v1.finalized"), "finalized"),
    "no type": (structured(type=None), "an event of type NoneType"),
    "no data": (structured(data=None), "no data object"),
    "text": (structured(data="hello"), "no data object"),
    "not base64": (structured(data=None, data_base64="*"), "data_base64 is not base64"),
    "base64 of text": (structured(data=None, data_base64="aGVsbG8="), "not JSON"),
}


@pytest.mark.parametrize(("body", "reason"), STRUCTURED.values(), ids=STRUCTURED)
def test_a_structured_event_that_is_refused(body: bytes, reason: str) -> None:
    """An event that brings no message is refused, with the id and topic that it names."""
    with pytest.raises(Undecodable) as caught:
        decode_message({}, body)

    assert reason in caught.value.reason
    assert (caught.value.message_id, caught.value.topic) == ("1", TOPIC)


def test_a_binary_event_of_another_type() -> None:
    """What another product sends is not taken for a message."""
    with pytest.raises(Undecodable, match="an event of type 'google"):
        decode_message({**BINARY, "ce-type": "google.cloud.audit.log.v1.written"}, encoded(PUSHED))


def test_what_is_known_of_a_broken_push() -> None:
    """The dead letter of a broken push names its message and its subscription."""
    body = encoded({**PUSHED, "message": {"messageId": "7", "data": "*"}})

    with pytest.raises(Undecodable) as caught:
        decode_message({}, body, f"/{TOPIC}")

    assert (caught.value.message_id, caught.value.topic) == ("7", TOPIC)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(BINARY)), st.text()), st.binary(), st.text())
def test_any_request(headers: dict[str, str], body: bytes, path: str) -> None:
    """Whatever comes, it is refused: bytes by chance hold no message."""
    with pytest.raises(Undecodable):
        decode_message(headers, body, path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from([*PUSHED["message"], *SNAKE.values()]), JSON),
    st.dictionaries(st.sampled_from([*PUSHED, "specversion", "id", "time", "type", "data"]), JSON),
)
def test_any_push(message: dict[str, Any], around: dict[str, Any]) -> None:
    """Whatever stands in a message's fields, it is understood or refused."""
    body = encoded({**PUSHED, "message": {**PUSHED["message"], **message}, **around})
    try:
        decoded = decode_message({}, body)
    except Undecodable as refused:
        assert refused.reason  # noqa: PT017 # either answer is right, a crash is not
    else:
        assert isinstance(decoded.data, bytes)
