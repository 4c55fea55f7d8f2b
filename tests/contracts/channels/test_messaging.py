"""Messages to people's devices and addresses: each has a fate of its own."""

import io
import logging

import pytest

from shared.adapters.channels.sender import ChannelSender
from shared.adapters.gcp.firebase.messaging import FirebasePush
from shared.core.errors import Rejected, RollbackError, Unavailable
from shared.domain.notices.push_progress import PushResult
from shared.domain.policy.channels import Audience, Channel, ChannelKind
from shared.ports.messaging import Sender
from tests.contracts.support.channels import KEY, TOLD, USERS, WORDS, Known, Server
from tests.contracts.support.lost_answers import raises_exactly
from tests.support.fakes.sender import FakeSender

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
    "well": PushResult.TAKEN,
    "removed": PushResult.GONE,
    "of another": PushResult.GONE,
    "no token": PushResult.GONE,
    "apple says no": PushResult.REFUSED,
    "not permitted": PushResult.REFUSED,
    "too many": PushResult.NONE,
}


class InMemory:
    def __init__(self) -> None:
        self._fake = FakeSender()
        self._fake.fates = FATES
        self.sender: Sender = self._fake

    def got(self) -> list[str]:
        """The tokens of those that have taken a message, in any order."""
        return [one.token for one in self._fake.pushed]


class OverTheWire:
    def __init__(self, server: Server, push: FirebasePush) -> None:
        self._server = server
        server.refusals = {token: said for token, said in ANSWERS.items() if said is not None}
        self.sender: Sender = ChannelSender(secrets=Known(), push={"bookshop": push})

    def got(self) -> list[str]:
        told = (said["message"]["token"] for _, _, _, said in self._server.told)
        return [token for token in told if FATES[token] is PushResult.TAKEN]


Devices = InMemory | OverTheWire
"""A sender, and what its devices have got."""


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
    ("tokens", "meaning"), [(["too many"], Unavailable), (["not permitted", "apple says no"], Rejected)]
)
def test_what_all_devices_answer_is_the_channel_s(
    tokens: list[str], meaning: type[RollbackError], devices: Devices
) -> None:
    """No answer at all is tried again, a refusal of all is not; neither says whose it was."""
    with raises_exactly(meaning) as caught:
        devices.sender.send_each(USERS, KEY, TOLD, tokens)

    assert not any(token in str(caught.value) for token in tokens)
    assert devices.got() == []


def test_a_message_to_a_device(server: Server, push: FirebasePush) -> None:
    """It has the words and the key of one to a topic, and is for that device alone."""
    push.send_to_topic("outages", WORDS, KEY)
    push.send_to_devices(["well"], WORDS, KEY)

    [topic, device] = [said["message"] for _, _, _, said in server.told]
    assert topic.pop("topic") == "outages"
    assert device.pop("token") == "well"
    assert topic == device


def test_devices_that_cannot_be_reached_at_all(push: FirebasePush, server: Server) -> None:
    """No connection is no answer."""
    server.leave()

    with pytest.raises(Unavailable):
        push.send_to_devices(["well", "removed"], WORDS, KEY)


def test_a_rehearsal_reaches_no_device(server: Server, push: FirebasePush) -> None:
    """In an embedded cloud nobody's device is told, though there is a way."""
    sender = ChannelSender(lambda host: server.address, push={"bookshop": push})

    assert sender.send_each(USERS, KEY, TOLD, ["well"]) == [PushResult.TAKEN]
    assert server.told == []


def mailer(secret: str) -> ChannelSender:
    return ChannelSender(secrets=Known(mail=secret))


MAIL = Channel("mail", ChannelKind.APPRISE, secret="mail", audience=Audience.USERS)


@pytest.mark.parametrize("address", ["ada@hush.example", "+49 170 1234567", "a/../b?x=1&to=c@hush.example"])
def test_an_address_takes_its_place_in_the_secret(address: str, server: Server) -> None:
    """Each user's message leaves by itself, and an address changes nothing else of the secret."""
    sender = mailer(f"json://{server.address}/to?:who={{address}}")

    assert sender.send_each(MAIL, KEY, TOLD, [address]) == [PushResult.TAKEN]

    [(_, path, _, said)] = server.told
    assert path.partition("?")[0].strip("/") == "to"
    assert said["title"] == WORDS.subject
    assert said["who"] == address


def test_a_secret_without_a_place_for_the_address(server: Server) -> None:
    """It would tell the same few for each user: it is refused, and nothing leaves."""
    sender = mailer(f"json://{server.address}/hush")

    with pytest.raises(Rejected) as caught:
        sender.send_each(MAIL, KEY, TOLD, ["ada@hush.example"])

    assert "hush" not in str(caught.value)
    assert server.told == []


def test_an_address_that_is_not_taken(server: Server) -> None:
    """It is tried again; one that the provider cannot read never is."""
    sender = mailer(f"json://{server.address}/{{address}}")
    server.status = 503

    assert sender.send_each(MAIL, KEY, TOLD, ["ada@hush.example"]) == [PushResult.NONE]
    unknown = mailer("nothing-known://{address}")
    assert unknown.send_each(MAIL, KEY, TOLD, ["ada@hush.example"]) == [PushResult.GONE]


def test_an_address_is_not_logged(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library logs telephone numbers and addresses of servers: a handler of ours gets none."""
    root, written = logging.getLogger(), io.StringIO()
    monkeypatch.setattr(root, "handlers", [logging.StreamHandler(written)])
    monkeypatch.setattr(root, "level", logging.INFO)
    server.status = 503
    sender = mailer(f"json://{server.address}/{{address}}")

    sender.send_each(MAIL, KEY, TOLD, ["ada@hush.example"])

    assert server.told
    assert written.getvalue() == ""


def test_a_rehearsal_reaches_no_address(server: Server) -> None:
    """In an embedded cloud nobody gets mail."""
    sender = ChannelSender(lambda host: server.address)

    assert sender.send_each(MAIL, KEY, TOLD, ["ada@hush.example"]) == [PushResult.TAKEN]
    assert server.told == []
