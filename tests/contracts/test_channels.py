"""Each way to people, over its real client, to a server that takes down what it is told."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import pytest
from firebase_admin import credentials, messaging
from google.auth.credentials import AnonymousCredentials

from local import secrets as local_secrets
from local.clock import CloudClock
from local.faults import Faults
from local.journal import Journal
from local.rest import RestServer
from local.secrets import Secrets
from shared.apprised import tell
from shared.audience import Audience, Channel, ChannelKind
from shared.errors import Rejected, RollbackError, Unavailable
from shared.gcp.channels import Clients
from shared.gcp.push import FirebasePush
from shared.gcp.secret_values import HOST, SecretValues
from shared.messages import Sender
from shared.notice import Stage
from shared.sender import ChannelSender
from shared.spread import Fate
from shared.statuspage import Statuspage
from shared.worded import Worded
from shared.wording import facts, template_of
from shared.wording_rendering import NAMES, Templates
from tests.contracts.serving import serving
from tests.fakes.clock import START
from tests.fakes.sender import FakeSender
from tests.test_wording import ATTACKS, ID, MEANS_SOMETHING, about, notice

WORDS = Worded("The Bookshop: not working", "Shop: not working since 12:00 UTC.\n")
KEY = f"{ID}:detected:page"
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
USERS = Channel("users", ChannelKind.PUSH, audience=Audience.USERS)
TOLD = {
    "system": "bookshop",
    "incident": ID,
    "event": "detected",
    "subject": WORDS.subject,
    "body": WORDS.body,
}


class Server(ThreadingHTTPServer):
    """Plays every other side: answers with `status`, keeps incidents as Statuspage does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server_port}"
        self.status = 200
        self.told: list[tuple[str, str, dict[str, str], Any]] = []
        """Method, path, headers, content of whatever is no look."""
        self.incidents: list[dict[str, Any]] = []
        self.refusals: dict[str, tuple[int, str, str]] = {}
        """Of messages to devices, by token: status, its name, and FCM's own code."""

    def answer(self, method: str, path: str, said: Any) -> Any:
        if "/incidents" not in path:
            return {"name": "projects/p/messages/1"}
        if method == "GET":
            return self.incidents
        [_, _, *rest] = path.partition("/incidents/")
        if method == "POST":
            self.incidents.append({"id": "s1", "incident_updates": [], **said["incident"]})
        known = next(one for one in self.incidents if one["id"] == (rest[0] or "s1"))
        known["incident_updates"].append({"body": said["incident"]["body"]})
        return known


class Handler(BaseHTTPRequestHandler):
    server: Server

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Every method is answered in the same way."""
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self._respond

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = json.loads(body) if body else None
        if self.command != "GET":
            self.server.told.append((self.command, self.path, dict(self.headers), said))
        status, answer = self._judged(said)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _judged(self, said: Any) -> tuple[int, Any]:
        message = said.get("message") if isinstance(said, dict) else None
        token = message.get("token", "") if isinstance(message, dict) else ""
        if token in self.server.refusals:
            status, name, code = self.server.refusals[token]
            details = [{"@type": FCM_ERROR, "errorCode": code}]
            error = {"status": name, "message": f"{token} is refused", "details": details}
            return status, {"error": error}
        if self.server.status != 200:
            return self.server.status, {}
        return 200, self.server.answer(self.command, self.path, said)

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the base's name


class Refreshable(AnonymousCredentials):  # type: ignore[misc]
    def refresh(self, request: object) -> None: ...


class Anonymous(credentials.Base):  # type: ignore[misc]
    def get_credential(self) -> Any:
        return Refreshable()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    with serving(server):
        yield server


@pytest.fixture
def push(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FirebasePush]:
    there = f"http://{server.address}/v1/projects/{{0}}/messages:send"
    monkeypatch.setattr(messaging._MessagingService, "FCM_URL", there)
    made = FirebasePush("shop", Anonymous())
    yield made
    made.close()


class Known:
    """Secrets, by name."""

    def __init__(self, **values: str) -> None:
        self._values = values

    def read(self, name: str) -> str:
        return self._values[name]


def ways(server: Server, push: FirebasePush) -> dict[str, Callable[[Worded], None]]:
    page = Statuspage("p1", "key\n", f"http://{server.address}")
    return {
        "apprise": lambda words: tell(f"json://{server.address}/", words, "chat"),
        "push": lambda words: push.tell("outages", words, KEY),
        "statuspage": lambda words: page.tell(ID, Stage.BEGUN, words, KEY),
    }


@pytest.mark.parametrize("way", ["apprise", "push", "statuspage"])
def test_the_words_arrive_as_they_are(way: str, server: Server, push: FirebasePush) -> None:
    """Subject and body, and nothing added or turned into markup."""
    ways(server, push)[way](WORDS)

    [(method, _, headers, said)] = server.told
    body = WORDS.body.strip()
    assert method == "POST"
    if way == "apprise":
        assert (said["title"], said["message"].strip()) == (WORDS.subject, body)
    elif way == "push":
        shown = said["message"]["notification"]
        assert (shown["title"], shown["body"]) == (WORDS.subject, body)
        assert said["message"]["topic"] == "outages"
        assert said["message"]["android"]["collapse_key"] == KEY
    else:
        told = said["incident"]
        assert told == {
            "name": f"{WORDS.subject} ({ID})",
            "body": body,
            "status": "investigating",
        }
        assert headers["Idempotency-Key"] == KEY
        assert headers["Authorization"] == "OAuth key"


@pytest.mark.parametrize("way", ["push", "statuspage"])
@pytest.mark.parametrize(
    ("status", "meaning"), [(400, Rejected), (404, Rejected), (429, Unavailable)]
)
def test_what_a_refusal_means(
    way: str, status: int, meaning: type[RollbackError], server: Server, push: FirebasePush
) -> None:
    """What will not change is no; everything else is tried again. No error quotes a key."""
    server.status = status

    with pytest.raises(RollbackError) as caught:
        ways(server, push)[way](WORDS)

    assert type(caught.value) is meaning
    assert "key" not in str(caught.value).lower()


def test_apprise_does_not_say_why(server: Server) -> None:
    """So whatever it is, it is tried again, and given up by the limit."""
    server.status = 404
    with pytest.raises(Unavailable) as caught:
        tell(f"json://user:hush@{server.address}/", WORDS, "chat")

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("addresses", ["", "\n", "nothing-known://hush", "hush"])
def test_a_secret_without_an_address(addresses: str) -> None:
    """It never will be one, and what it holds is said to nobody."""
    with pytest.raises(Rejected) as caught:
        tell(addresses, WORDS, "chat")

    assert "hush" not in str(caught.value)


def test_several_addresses_in_one_secret(server: Server) -> None:
    """Each is told."""
    tell(f"json://{server.address}/a\njson://{server.address}/b\n", WORDS, "chat")

    assert sorted(path.strip("/") for _, path, _, _ in server.told) == ["a", "b"]


def test_an_incident_on_the_page_goes_on(server: Server) -> None:
    """It is begun once, and each turn is one update, however often its message comes."""
    page = Statuspage("p1", "key", f"http://{server.address}")
    over = Worded("The Bookshop: all clear", "It works again.\n")

    for _ in range(2):
        page.tell(ID, Stage.BEGUN, WORDS, "a")
    for _ in range(2):
        page.tell(ID, Stage.OVER, over, "b")

    assert [(method, path) for method, path, _, _ in server.told] == [
        ("POST", "/v1/pages/p1/incidents"),
        ("PATCH", "/v1/pages/p1/incidents/s1"),
    ]
    assert server.told[1][3]["incident"]["status"] == "resolved"


def test_a_page_that_cannot_be_looked_at_is_not_written(server: Server) -> None:
    """Not found is not the same as could not look: a second incident is not begun."""
    server.status = 503
    with pytest.raises(Unavailable):
        Statuspage("p1", "key", f"http://{server.address}").tell(ID, Stage.BEGUN, WORDS, "a")

    assert server.told == []


def test_the_sender_takes_each_way(server: Server, push: FirebasePush) -> None:
    """By the kind of the channel, with what its secret holds."""
    known = Known(chat=f"json://{server.address}/chat", atlassian="key")
    sender = ChannelSender(
        secrets=known, push={"bookshop": push}, statuspage=f"http://{server.address}"
    )

    for channel in (
        Channel("chat", ChannelKind.APPRISE, secret="chat"),
        Channel("users", ChannelKind.PUSH, target="outages"),
        Channel("page", ChannelKind.STATUSPAGE, secret="atlassian", target="p1"),
    ):
        sender.send(channel, KEY, TOLD)

    assert [path for _, path, _, _ in server.told] == [
        "/chat",
        "/v1/projects/shop/messages:send",
        "/v1/pages/p1/incidents",
    ]


# Devices of users

ANSWERS = {
    "well": None,
    "removed": (404, "NOT_FOUND", "UNREGISTERED"),
    "of another": (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
    "no token": (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
    "apple says no": (401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
    "not permitted": (403, "PERMISSION_DENIED", ""),
    "too many": (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
}
FATES = {
    "well": Fate.TAKEN,
    "removed": Fate.GONE,
    "of another": Fate.GONE,
    "no token": Fate.GONE,
    "apple says no": Fate.REFUSED,
    "not permitted": Fate.REFUSED,
    "too many": Fate.NONE,
}


class Devices(Protocol):
    """A sender, and what its devices have got."""

    sender: Sender

    def got(self) -> list[str]:
        """The tokens of those that have taken a message, in any order."""
        ...


class InMemory:
    def __init__(self) -> None:
        self._fake = FakeSender()
        self._fake.fates = FATES
        self.sender: Sender = self._fake

    def got(self) -> list[str]:
        return [one.token for one in self._fake.pushed]


class OverTheWire:
    def __init__(self, server: Server, push: FirebasePush) -> None:
        self._server = server
        server.refusals = {token: said for token, said in ANSWERS.items() if said is not None}
        self.sender: Sender = ChannelSender(secrets=Known(), push={"bookshop": push})

    def got(self) -> list[str]:
        told = (said["message"]["token"] for _, _, _, said in self._server.told)
        return [token for token in told if FATES[token] is Fate.TAKEN]


@pytest.fixture(params=["memory", "wire"])
def devices(request: pytest.FixtureRequest, server: Server, push: FirebasePush) -> Devices:
    return InMemory() if request.param == "memory" else OverTheWire(server, push)


def test_each_device_has_a_fate_of_its_own(devices: Devices) -> None:
    """In the order of the tokens: one that leads nowhere is no failure of the channel."""
    fates = devices.sender.send_each(USERS, KEY, TOLD, list(FATES))

    assert dict(zip(FATES, fates, strict=True)) == FATES
    assert devices.got() == ["well"]


def test_no_device(devices: Devices) -> None:
    """Nobody is told, and nothing is wrong."""
    assert devices.sender.send_each(USERS, KEY, TOLD, []) == []


@pytest.mark.parametrize(
    ("tokens", "meaning"),
    [
        (["too many"], Unavailable),
        (["not permitted", "apple says no"], Rejected),
    ],
)
def test_what_all_devices_answer_is_the_channel_s(
    tokens: list[str], meaning: type[RollbackError], devices: Devices
) -> None:
    """No answer at all is tried again, a refusal of all is not; neither says whose it was."""
    with pytest.raises(RollbackError) as caught:
        devices.sender.send_each(USERS, KEY, TOLD, tokens)

    assert type(caught.value) is meaning
    assert not any(token in str(caught.value) for token in tokens)
    assert devices.got() == []


def test_a_message_to_a_device(server: Server, push: FirebasePush) -> None:
    """It has the words and the key of one to a topic, and is for that device alone."""
    push.tell("outages", WORDS, KEY)
    push.tell_each(["well"], WORDS, KEY)

    [topic, device] = [said["message"] for _, _, _, said in server.told]
    assert topic.pop("topic") == "outages"
    assert device.pop("token") == "well"
    assert topic == device


def test_devices_that_cannot_be_reached_at_all(push: FirebasePush, server: Server) -> None:
    """No connection is no answer."""
    server.shutdown()
    server.server_close()

    with pytest.raises(Unavailable):
        push.tell_each(["well", "removed"], WORDS, KEY)


def test_a_rehearsal_reaches_no_device(server: Server, push: FirebasePush) -> None:
    """In an embedded cloud nobody's device is told, though there is a way."""
    sender = ChannelSender(lambda host: server.address, push={"bookshop": push})

    assert sender.send_each(USERS, KEY, TOLD, ["well"]) == [Fate.TAKEN]
    assert server.told == []


@pytest.mark.parametrize("kind", [ChannelKind.APPRISE, ChannelKind.PUSH, ChannelKind.STATUSPAGE])
def test_a_rehearsal_reaches_nobody(kind: ChannelKind, server: Server, push: FirebasePush) -> None:
    """In an embedded cloud nothing leaves, though every way would lead somewhere."""
    sender = ChannelSender(
        lambda host: server.address, push={"bookshop": push}, statuspage=f"http://{server.address}"
    )

    sender.send(
        Channel("x", kind, secret="x", target="x"),
        KEY,
        {"system": "bookshop", "incident": ID, "event": "detected", "subject": "x", "body": "x"},
    )

    assert server.told == []


HANDED_OVER = {
    ChannelKind.APPRISE: lambda said: [said["title"], said["message"]],
    ChannelKind.PUSH: lambda said: [
        said["message"]["notification"][one] for one in ("title", "body")
    ],
    ChannelKind.STATUSPAGE: lambda said: [said["incident"]["name"], said["incident"]["body"]],
    ChannelKind.WEBHOOK: lambda said: [said["subject"], said["body"]],
}


@pytest.mark.parametrize("kind", HANDED_OVER)
@pytest.mark.parametrize("template", NAMES)
def test_no_way_makes_more_of_text_of_others(
    template: str, kind: ChannelKind, server: Server, push: FirebasePush
) -> None:
    """For each template on each kind of channel: what arrives is as harmless as what was worded."""
    foreign = " ".join(ATTACKS.values())[:400] + "\r\nBcc: x\r\n"
    words = Templates().written(
        template, facts(notice(f"{ID} CRITICAL: {foreign}"), about(foreign), repeated=True)
    )
    known = Known(chat=f"json://{server.address}/", atlassian="key")
    sender = ChannelSender(
        secrets=known, push={"bookshop": push}, statuspage=f"http://{server.address}"
    )
    channel = Channel(
        "x",
        kind,
        f"http://{server.address}/hook",
        secret="chat" if kind is ChannelKind.APPRISE else "atlassian",
        target="outages",
    )
    sender.send(
        channel,
        KEY,
        TOLD | {"subject": words.subject, "body": words.body},
    )

    if kind is ChannelKind.PUSH:
        sender.send_each(channel, KEY, TOLD | {"subject": words.subject, "body": words.body}, ["t"])
    assert len(server.told) == (2 if kind is ChannelKind.PUSH else 1)
    for _, _, headers, said in server.told:
        subject, body = HANDED_OVER[kind](said)
        assert "Bcc" not in headers
        assert "\n" not in subject
        for what, pattern in MEANS_SOMETHING.items():
            assert not re.search(pattern, f"{subject}\n{body}"), what


# Secrets


@pytest.fixture
def vault() -> Iterator[tuple[Secrets, SecretValues, Any]]:
    made = Secrets(CloudClock(START, scale=0), Journal())
    served = RestServer({local_secrets.HOST: made.calls()}, Faults())
    clients = Clients({"rest": served.address}, deployed=False)
    rest = clients.rest(HOST)
    made.found("ops", "chat", START)
    yield made, SecretValues(rest, "ops"), rest
    clients.close()
    served.close()


def add(rest: Any, content: bytes) -> None:
    payload = {"payload": {"data": base64.b64encode(content).decode()}}
    rest.post("/v1/projects/ops/secrets/chat:addVersion", payload, dict)


def test_the_newest_value_of_a_secret(vault: tuple[Secrets, SecretValues, Any]) -> None:
    """What was added last, at once."""
    _, values, rest = vault
    for content in ("slack://a", "slack://b\nmailto://é"):
        add(rest, content.encode())
        assert values.read("chat") == content


@pytest.mark.parametrize("trouble", ["absent", "disabled", "no text"])
def test_a_secret_that_says_nothing(trouble: str, vault: tuple[Secrets, SecretValues, Any]) -> None:
    """The answer is no, and quotes nothing."""
    _, values, rest = vault
    add(rest, b"\xff\xfehush" if trouble == "no text" else b"hush")
    if trouble == "disabled":
        rest.post("/v1/projects/ops/secrets/chat/versions/2:disable", {}, dict)

    with pytest.raises(Rejected) as caught:
        values.read("nowhere" if trouble == "absent" else "chat")

    assert "hush" not in str(caught.value)


def test_every_audience_has_its_words() -> None:
    """No channel of a policy is without a template."""
    assert {template_of(notice(), one, about()) for one in Audience} <= set(NAMES)
