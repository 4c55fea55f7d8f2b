"""What an answer over REST means, whoever gives it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from local.cloud import Cloud
from local.core.loopback import Loop
from local.faults import plan as fault_plan
from local.services.firebase import rules
from shared.adapters.gcp import rest as adapter
from shared.adapters.gcp.firebase.hosting import FirebaseHosting
from shared.adapters.gcp.firebase.remote_config import FirebaseRemoteConfig
from shared.adapters.gcp.firebase.rules import FirebaseRules
from shared.adapters.gcp.project.scheduler import CloudScheduler
from shared.adapters.gcp.pubsub.eventarc_triggers import EventarcTriggers
from shared.adapters.gcp.rest import MAX_PAGES, Rest
from shared.core.errors import Ambiguous, Gone, Moved, Rejected, RollbackError, Throttled, Unavailable
from shared.domain.data.events.document_triggers import EventarcTrigger
from shared.domain.deployments.inventory.inventory_parts import RulesFile
from tests.contracts.support.http_server import Quiet
from tests.contracts.support.rest import connected
from tests.local.support.rest import running

Answer = tuple[int, dict[str, str], bytes]


class Stub:
    """A server of which a test says what it answers."""

    def __init__(self) -> None:
        self.answer: Callable[[str], Answer] = lambda path: (200, {}, b"{}")
        stub = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                stub.asked.append((self.path, dict(self.headers.items())))
                status, headers, body = stub.answer(self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_PUT = do_GET  # noqa: N815 - the base names them

        self.asked: list[tuple[str, dict[str, str]]] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{server.server_port}"
        self._loop = Loop(server, "a product")

    def say(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer every request so."""
        self.answer = lambda path: (status, headers, body)

    def close(self) -> None:
        self._loop.close()


@pytest.fixture
def stub() -> Iterator[Stub]:
    stub = Stub()
    yield stub
    stub.close()


@pytest.fixture
def rest(stub: Stub) -> Iterator[Rest]:
    with connected("product.googleapis.com", stub.address) as rest:
        yield rest


def raised(rest: Rest) -> RollbackError:
    with pytest.raises(RollbackError) as caught:
        rest.get("/v1/things", dict[str, Any])
    return caught.value


def test_a_request_names_its_product(stub: Stub, rest: Rest) -> None:
    """Wherever it connects to, the host is the product's."""
    rest.get("/v1/things", dict[str, Any], headers={"x-goog-user-project": "shop"})

    ((path, headers),) = stub.asked
    assert path == "/v1/things"
    assert headers["Host"] == "product.googleapis.com"
    assert headers["x-goog-user-project"] == "shop"


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (404, {"status": "NOT_FOUND", "message": "m"}, Gone),
        (403, {"status": "PERMISSION_DENIED", "message": "m"}, Rejected),
        (400, {"status": "FAILED_PRECONDITION", "message": "m"}, Rejected),
        (429, {"status": "RESOURCE_EXHAUSTED", "message": "m"}, Throttled),
        (503, {"status": "UNAVAILABLE", "message": "m"}, Unavailable),
        (500, {"status": "INTERNAL", "message": "m"}, Unavailable),
        (504, {"status": "DEADLINE_EXCEEDED", "message": "m"}, Unavailable),
        (403, {"status": "A NEW ONE", "message": "m"}, Rejected),
        (404, None, Gone),
        (429, None, Throttled),
        (502, None, Unavailable),
        (302, None, Unavailable),
        (599, None, Unavailable),
        (403, {"status": 7, "message": ["m"]}, Rejected),
    ],
)
def test_a_refusal(
    stub: Stub, rest: Rest, status: int, body: dict[str, Any] | None, meaning: type[RollbackError]
) -> None:
    """Its status says what it means; without Google's error form its code does."""
    content = b"<html>" if body is None else msgspec.json.encode({"error": body})
    stub.say(content, status, Location="http://127.0.0.1:1/")

    assert type(raised(rest)) is meaning
    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"status": "FAILED_PRECONDITION", "message": "[VERSION_MISMATCH]"}),
        (409, {"status": "ABORTED", "message": "m"}),
        (412, None),
    ],
)
def test_a_stale_etag(stub: Stub, rest: Rest, status: int, body: dict[str, Any] | None) -> None:
    """However it is refused: the template is another one by now."""
    content = b"" if body is None else msgspec.json.encode({"error": body})
    stub.say(content, status)

    with pytest.raises(Moved):
        FirebaseRemoteConfig(rest, "shop").publish("{}", "etag-1")

    assert len(stub.asked) == 1
    assert stub.asked[0][1]["If-Match"] == "etag-1"


def test_an_effect_that_is_answered_in_words_that_nobody_reads(stub: Stub, rest: Rest) -> None:
    """It may have taken effect, and is not sent again, not even for want of a token."""
    for status, content in ((200, b"<html>"), (200, b"{}"), (401, b"")):
        stub.say(content, status)

        with pytest.raises(Ambiguous if status == 200 else Rejected):
            FirebaseRules(rest, "shop").create_ruleset((RulesFile("rules", "closed"),))

    assert len(stub.asked) == 3


def test_an_effect_whose_answer_takes_too_long(
    stub: Stub, rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is known of it, and no further call is made: it would land too late."""
    monkeypatch.setattr(adapter, "EFFECT_TIMEOUT_SECONDS", 0.0)
    stub.say(b'{"name": "projects/shop/rulesets/r1"}')

    with pytest.raises(Ambiguous):
        FirebaseRules(rest, "shop").create_ruleset((RulesFile("rules", "closed"),))


def test_a_refusal_that_says_when_to_come_back(stub: Stub, rest: Rest) -> None:
    """The advice is taken from among the details."""
    details = [{"@type": "x"}, {"@type": "RetryInfo", "retryDelay": "7.5s"}]
    error = {"status": "RESOURCE_EXHAUSTED", "message": "m", "details": details}
    stub.say(msgspec.json.encode({"error": error}), 429)

    found = raised(rest)

    assert isinstance(found, Throttled)
    assert found.retry_after == timedelta(seconds=7.5)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"null"])
def test_an_answer_that_cannot_be_read(stub: Stub, rest: Rest, body: bytes) -> None:
    """Nothing is known."""
    stub.say(body)

    assert type(raised(rest)) is Unavailable


def test_an_answer_that_is_too_long(stub: Stub, rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read to its end."""
    monkeypatch.setattr(adapter, "MAX_ANSWER_BYTES", 1000)
    stub.say(b'{"a": "%s"}' % (b"x" * 2000))

    assert "more than 1000 bytes" in str(raised(rest))


def test_nobody_there(stub: Stub, rest: Rest) -> None:
    """No connection is no answer."""
    stub.close()

    assert type(raised(rest)) is Unavailable


def test_a_list_without_an_end(stub: Stub, rest: Rest) -> None:
    """So many pages are read and no more, and what was read is not taken for the whole."""
    stub.say(b'{"releases": [], "nextPageToken": "x"}')

    with pytest.raises(Unavailable):
        FirebaseRules(rest, "shop").releases()

    assert len(stub.asked) == MAX_PAGES


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b'{"channels": []}', lambda rest: FirebaseHosting(rest).site("shop")),
        (b'{"channels": [{}]}', lambda rest: FirebaseHosting(rest).site("shop")),
        (b'{"releases": [{"name": 1}]}', lambda rest: FirebaseRules(rest, "shop").releases()),
        (b'{"jobs": [{"name": "x"}]}', lambda rest: CloudScheduler(rest, "shop", "r").jobs()),
        (b'{"jobs": [{"name": 1}]}', lambda rest: CloudScheduler(rest, "shop", "r").jobs()),
    ],
)
def test_what_lacks_something(stub: Stub, rest: Rest, body: bytes, read: Callable[[Rest], object]) -> None:
    """A list without the live channel, or of what is nothing that we know: nothing is known."""
    stub.say(body)

    with pytest.raises(Unavailable):
        read(rest)


T = "projects/shop/locations/r/triggers/t"


@pytest.mark.parametrize(
    "body",
    [
        {"triggers": [{}]},
        {"triggers": [{"name": 1}]},
        {"triggers": [{"name": T, "eventFilters": [{"attribute": "type", "value": None}]}]},
        {"triggers": [{"name": T, "destination": {"cloudRun": "mailer"}}]},
        {"triggers": [{"name": T, "destination": {"httpEndpoint": {}}}]},
        {"triggers": {}},
        {"unreachable": ["projects/shop/locations/us-east1"]},
    ],
)
def test_triggers_in_part(stub: Stub, rest: Rest, body: dict[str, Any]) -> None:
    """On whichever page something is missing or is not understood: nothing is known."""
    pages = [{"triggers": [{"name": T}], "nextPageToken": "2"}, body]
    stub.answer = lambda path: (200, {}, msgspec.json.encode(pages["pageToken=2" in path]))

    with pytest.raises(Unavailable):
        EventarcTriggers(rest, "shop").list_triggers()
    assert len(stub.asked) == 2


@pytest.mark.parametrize(
    ("destination", "told"),
    [
        ({}, "something unknown (trigger t)"),
        ({"colour": {"name": "red"}, "networkConfig": {}}, "something unknown (trigger t)"),
        ({"httpEndpoint": {"uri": "mail"}}, "endpoint (trigger t)"),
        ({"httpEndpoint": {"uri": "http://10.0.0.7:80/x"}}, "endpoint 10.0.0.7:80 (trigger t)"),
        ({"httpEndpoint": {"uri": "https://a@b@c.example?k=1"}}, "endpoint c.example (trigger t)"),
        ({"workflow": "a\n[b]\u202e"}, "workflow a [b] (trigger t)"),
        ({"cloudFunction": "projects/shop/locations/r/functions/f"}, "function f (trigger t)"),
        ({"cloudRun": {"service": "s", "path": "/p", "region": "r"}}, "service s (trigger t)"),
    ],
)
def test_what_a_trigger_starts(stub: Stub, rest: Rest, destination: dict[str, Any], told: str) -> None:
    """By kind and name, of addresses the host alone, in one line; of what is new, that it is so."""
    body = {"triggers": [{"name": T, "destination": destination, "conditions": {"x": {}}}]}
    stub.say(msgspec.json.encode(body))

    assert [str(one) for one in EventarcTriggers(rest, "shop").list_triggers()] == [told]


def test_an_operator_that_is_not_known(stub: Stub, rest: Rest) -> None:
    """What it lets through may be anything."""
    said = [
        {"attribute": "type", "value": "t"},
        {"attribute": "document", "value": "a/{b}", "operator": "match-path-pattern"},
        {"attribute": "database", "value": "a|b", "operator": "match-either"},
    ]
    body = {"triggers": [{"name": T, "eventFilters": said}]}
    stub.say(msgspec.json.encode(body))

    filters = {"type": "t", "document": "a/{b}", "database": "**"}
    found = EventarcTriggers(rest, "shop").list_triggers()
    assert found == [EventarcTrigger(T, "something unknown", filters)]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with running() as cloud:
        yield cloud


def test_a_long_list(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page is read."""
    monkeypatch.setattr("shared.adapters.gcp.firebase.rules._PAGE", 2)

    with connected(rules.HOST, cloud.addresses["rest"]) as rest:
        found = FirebaseRules(rest, "shop").releases()

    assert set(found) == {"cloud.firestore", "cloud.firestore/orders", "firebase.storage/shop.appspot.com"}


def test_a_fault_of_the_embedded_cloud(cloud: Cloud) -> None:
    """A dropped connection is no answer; the next request is answered."""
    call = f"{rules.HOST}/projects.releases.list".encode()
    plan = b'{"calls": [{"call": "%s", "answer": "DROP", "times": 1}]}' % call
    cloud.injector.install(fault_plan.parse_plan(plan))
    with connected(rules.HOST, cloud.addresses["rest"]) as rest:
        with pytest.raises(Unavailable):
            FirebaseRules(rest, "shop").releases()

        assert FirebaseRules(rest, "shop").releases()
