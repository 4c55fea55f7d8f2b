"""The command `replay`, as a person runs it: over the wire, and its own part over a fake."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.pubsub_v1 import types
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from cli.act.replay import Replay
from cli.app import app
from local.cloud import Cloud
from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.installation import push_subscriptions
from local.installation.provisioning import NO_CALL_CONTEXT
from responders.support import dead_letters
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.pubsub.dead_letters import PubSubDeadLetters
from shared.adapters.gcp.pubsub.publisher import PubSubBus
from shared.core import topics
from shared.core.errors import Ambiguous, Unavailable
from shared.core.pubsub_message import PubSubMessage
from shared.ports.messaging import DeadLetter, DeadLetters
from shared.wiring.settings import EMULATOR_VARIABLES, LOCAL_CLOUD_VARIABLE
from tests.contracts.support.lost_answers import answer_once
from tests.contracts.support.subscriptions import SHOP, pulled
from tests.support.fakes.pubsub.dead_letters import MemoryLetters
from tests.support.runtime.world import BOOKSHOP, FakePorts

ROOT = Path(__file__).parent.parent.parent.parent
SEEN = "projects/shop-prod/subscriptions/seen"
COMMANDS = f"projects/shop-prod/topics/{topics.COMMANDS}"
ALERTS = f"projects/shop-prod/topics/{topics.ALERTS}"


SAID_AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Unanswering(MemoryLetters):
    """The answer to what is called `lost` is lost; what was asked for is done."""

    lost = "resend"

    def resend(self, letter: DeadLetter) -> None:
        super().resend(letter)
        if self.lost == "resend":
            raise Ambiguous("no answer")

    def acknowledge(self, letter: DeadLetter) -> None:
        if self.lost == "acknowledge":
            raise Unavailable("no answer")
        super().acknowledge(letter)


class Refusing(MemoryLetters):
    """Whoever gets what is sent again refuses it again at once, for another reason."""

    def resend(self, letter: DeadLetter) -> None:
        super().resend(letter)
        assert len(self.resent) < 10, "it has no end"
        self.keep(replace(letter, id=f"{letter.id}-again", reason="foreign"))


class Slow(MemoryLetters):
    """Whatever is sent takes so long that nothing is in hand any more."""

    def resend(self, letter: DeadLetter) -> None:
        super().resend(letter)
        self.lapse()


def letter(name: str, source: str = ALERTS, reason: str = "unknown state") -> DeadLetter:
    return DeadLetter(name, "", source, reason, b'{"a":1}', {"kind": "x"}, SAID_AT)


def all_of(letters: DeadLetters) -> Replay:
    """A run that asks nothing."""
    return Replay(letters, "", "", yes=True, as_json=True)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An embedded cloud that this process's environment is wired to."""
    cloud = Cloud.start([SHOP], seed=1, clock=CloudClock(scale=10.0), alerter=False, ticks=False)
    push_subscriptions.create_dead_letter_subscription(cloud)
    seen = types.Subscription.pb()(name=SEEN, topic=COMMANDS)
    cloud.pubsub.subscriber.CreateSubscription(seen, NO_CALL_CONTEXT)
    for name in ("K_SERVICE", *EMULATOR_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", cloud.home)
    monkeypatch.setenv(LOCAL_CLOUD_VARIABLE, f"http://{cloud.addresses['control']}")
    yield cloud
    cloud.stop()


def refuse(cloud: Cloud, name: str, data: bytes, source: str = COMMANDS) -> None:
    """A dead letter, as the responders keep one."""
    said = {"source_topic": source, "message_id": name, "reason": f"no such thing as {name}"}
    request = types.PublishRequest.pb()(topic=f"projects/shop-prod/topics/{topics.DEAD_LETTERS}")
    request.messages.add(data=data, attributes=said)
    cloud.pubsub.publisher.Publish(request, NO_CALL_CONTEXT)


def kept(cloud: Cloud) -> set[str]:
    """The ids of what is still kept."""
    letters = pulled(cloud, f"projects/shop-prod/subscriptions/{topics.DEAD_LETTER_SUBSCRIPTION}")
    return {str(one.attributes["message_id"]) for one in letters}


def run(*arguments: str, answers: str = "") -> Result:
    return CliRunner().invoke(app, ["replay", *arguments], input=answers)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_everything_comes_back(cloud: Cloud) -> None:
    """With --yes each letter is on its topic again, marked with its id, and kept no longer."""
    refuse(cloud, "one", b'{"version":1}')

    result = run("--yes")

    assert result.exit_code == 0, result.output
    [message] = pulled(cloud, SEEN)
    assert message.data == b'{"version":1}'
    marked = dict(message.attributes)
    assert marked.pop("replayed_from") == "one"
    age = cloud.clock.now() - datetime.fromisoformat(marked.pop("first_published_at"))
    assert (marked, age < timedelta(minutes=10)) == ({}, True)
    assert kept(cloud) == set()


def test_what_the_responders_refuse_comes_back_as_it_was_at_first(cloud: Cloud) -> None:
    """However often it is refused, it has one id and one age, and nothing else is added to it."""
    clients = Clients({"pubsub": cloud.addresses["pubsub"]}, deployed=False)
    ports = FakePorts(BOOKSHOP)
    ports.bus = PubSubBus(clients.publisher, "shop-prod")  # type: ignore[assignment]
    message = PubSubMessage("7", COMMANDS, b'{"version":1}', {"kind": "x"}, SAID_AT)

    for name in ("8", "9"):
        dead_letters.dead_letter_message(message, "no reason", ports, None)
        result = run("--yes", "--topic", topics.COMMANDS)
        assert result.exit_code == 0, result.output
        [back] = pulled(cloud, SEEN)
        assert back.data == message.data
        assert dict(back.attributes) == {
            "replayed_from": "7",
            "first_published_at": "2026-03-02T12:00:00+00:00",
        }
        arrived = cloud.clock.now()
        message = replace(message, id=name, attributes=dict(back.attributes), published_at=arrived)
    clients.close()


def test_a_person_chooses(cloud: Cloud) -> None:
    """Each is shown with source, reason and beginning; what is declined stays."""
    refuse(cloud, "one", b"x" * 900)
    refuse(cloud, "two", b"{}")

    result = run(answers="n\ny\n")

    assert result.exit_code == 0, result.output
    assert COMMANDS in result.output
    assert "no such thing as one" in result.output
    assert "x" * 200 in result.output
    assert "x" * 201 not in result.output
    assert len(pulled(cloud, SEEN)) == 1
    assert len(kept(cloud)) == 1


def test_json_and_secrets(cloud: Cloud) -> None:
    """One line per letter, and never the value of a token field or a sign that moves a cursor."""
    refuse(cloud, "one", b'{"deep":[{"fcmToken":"hunter2"}],"colour":"\\u001b[31m"}')
    refuse(cloud, "two\x1b[2J", b"\x1b[2J")

    result = run("--yes", "--json")

    assert result.exit_code == 0, result.output
    assert "hunter2" not in result.output
    assert "\x1b" not in result.output
    one, two = sorted(lines(result), key=lambda line: str(line["message_id"]))
    assert (one["message_id"], one["source_topic"], one["replayed"]) == ("one", COMMANDS, True)
    assert "[removed]" in one["data"]
    assert two["data"] == "\\x1b[2J"


def test_a_letter_whose_topic_is_gone(cloud: Cloud) -> None:
    """Exit code 1: it is still kept, and the others are back."""
    refuse(cloud, "lost", b"{}", source="projects/shop-prod/topics/gone")
    refuse(cloud, "one", b"{}")

    result = run("--yes", "--json")

    assert result.exit_code == 1
    assert {line["message_id"]: line["replayed"] for line in lines(result)} == {"lost": False, "one": True}
    assert kept(cloud) == {"lost"}


def test_settings_that_are_not_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, with what is missing."""
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)

    result = run("--yes")

    assert result.exit_code == 2
    assert "GOOGLE_CLOUD_PROJECT is not set" in result.output


def test_filters() -> None:
    """Only what comes from the topic and has the reason is touched."""
    letters = MemoryLetters({ALERTS, COMMANDS})
    for one in (letter("a"), letter("b", COMMANDS), letter("c", reason="foreign")):
        letters.keep(one)

    Replay(letters, topics.ALERTS, "unknown", yes=True, as_json=True).run()

    assert [one.id for one in letters.resent] == ["a"]
    assert [one.id for one in letters.pull(10)] == ["b", "c"]


def test_a_publish_without_an_answer() -> None:
    """Acknowledged only after the publish: what may be lost is kept, and free for the next try."""
    letters = Unanswering({ALERTS})
    letters.keep(letter("a"))

    with pytest.raises(Unavailable, match="a is stored, and may be replayed as well"):
        all_of(letters).run()

    assert [one.id for one in letters.pull(10)] == ["a"]


def test_an_acknowledgement_without_an_answer() -> None:
    """It is said that the letter is back; once more it comes back as the same message."""
    letters = Unanswering({ALERTS})
    letters.lost = "acknowledge"
    letters.keep(letter("a"))

    with pytest.raises(Unavailable, match="a is replayed, and may still be stored"):
        all_of(letters).run()
    letters.lost = ""
    again = all_of(letters).run()

    assert (again, letters.kept) == (0, [])
    first, second = letters.resent
    assert first.attributes == second.attributes
    assert first.attributes["replayed_from"] == "a"


def test_a_letter_that_was_replayed_before() -> None:
    """It comes back as what it was at first, and as old: however often, it is one message."""
    letters = MemoryLetters({ALERTS})
    said = {"replayed_from": "first", "first_published_at": "9999-12-31T00:00:00Z"}
    letters.keep(replace(letter("second"), attributes=said))

    assert all_of(letters).run() == 0

    known = {"replayed_from": "first", "first_published_at": "2026-03-02T12:00:00+00:00"}
    assert [one.attributes for one in letters.resent] == [known]


def test_letters_that_are_refused_again_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Each is sent once in a run, said to be refused again, and kept: no run is without end."""
    letters = Refusing({ALERTS})
    for one in (letter("a"), letter("b")):
        letters.keep(one)

    stuck = all_of(letters).run()

    assert stuck == 2
    assert [one.id for one in letters.resent] == ["a", "b"]
    assert [one.id for one in letters.pull(10)] == ["a-again", "b-again"]
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["message_id"], one["fault"]) for one in told] == [
        ("a", None),
        ("b", None),
        ("a-again", "it was refused again"),
        ("b-again", "it was refused again"),
    ]


def test_what_was_refused_again_is_shown_and_not_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever has said yes to it once sees why that was not enough."""
    letters = Refusing({ALERTS})
    letters.keep(letter("a"))
    answers = iter([True])
    monkeypatch.setattr("typer.confirm", lambda *_, **__: next(answers))

    assert Replay(letters, "", "", yes=False, as_json=False).run() == 1

    told = capsys.readouterr().out
    assert "a-again" in told
    assert "foreign" in told
    assert "not replayed: it was refused again" in told


def test_a_letter_that_nothing_tells_the_source_of(capsys: pytest.CaptureFixture[str]) -> None:
    """It is shown, and kept for whoever finds out."""
    letters = MemoryLetters({ALERTS})
    letters.keep(letter("a", source=""))

    assert all_of(letters).run() == 1

    assert "its topic is unknown" in capsys.readouterr().out
    assert [one.id for one in letters.pull(10)] == ["a"]


def test_what_was_refused_again_is_told_whatever_was_asked_for() -> None:
    """Its reason may be another one now than that by which it was chosen."""
    letters = Refusing({ALERTS})
    letters.keep(letter("a", reason="not known"))
    run = Replay(letters, "", "not known", yes=True, as_json=True)

    assert (run.run(), run.chosen) == (1, 2)


def test_a_message_that_is_kept_twice() -> None:
    """A refusal that is repeated leaves two letters: one message comes back."""
    letters = MemoryLetters({ALERTS, COMMANDS})
    for one in (letter("a"), letter("a"), letter("a", COMMANDS)):
        letters.keep(one)

    assert all_of(letters).run() == 0

    assert [one.source for one in letters.resent] == [ALERTS, COMMANDS]
    assert letters.kept == []


def test_letters_that_were_too_long_in_hand() -> None:
    """They are met again in the same run: what is back is let go, not sent again."""
    letters = Slow({ALERTS})
    for one in (letter("a"), letter("b"), letter("gone", source="")):
        letters.keep(one)

    assert all_of(letters).run() == 1

    assert [one.id for one in letters.resent] == ["a", "b"]
    assert [one.id for one in letters.pull(10)] == ["gone"]


def test_a_person_who_thinks_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each is asked for, no other letter's time in hand runs; nothing is asked twice."""
    letters = MemoryLetters({ALERTS})
    for name in ("a", "b", "c"):
        letters.keep(letter(name))
    asked: list[str] = []
    free: list[list[str]] = []

    def thinks(question: str, **_: bool) -> bool:
        asked.append(question)
        free.append([one.id for one in letters.pull(10)])
        letters.lapse()
        return False

    monkeypatch.setattr("typer.confirm", thinks)

    assert Replay(letters, "", "", yes=False, as_json=False).run() == 0

    assert asked == ["Replay a?", "Replay b?", "Replay c?"]
    assert free == [["b", "c"], ["c"], []]


def test_a_run_that_is_stopped(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C: exit code 130; what is not back is kept, and nobody has it in hand."""
    refuse(cloud, "one", b"{}")
    refuse(cloud, "two", b"{}")

    def pressed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PubSubDeadLetters, "acknowledge", pressed)
    result = run("--yes")

    assert result.exit_code == 130
    assert "the other messages stay stored" in result.output
    assert kept(cloud) == {"one", "two"}


KILLED = """
import os, signal
from shared.adapters.gcp.pubsub.dead_letters import PubSubDeadLetters
from cli.app import app

PubSubDeadLetters.acknowledge = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
app(["replay", "--yes"])
"""
"""A run that dies between the publish and the acknowledgement."""


def test_a_run_that_is_killed(cloud: Cloud) -> None:
    """What it had in hand is there again after ten minutes, and comes back as the same message."""
    refuse(cloud, "one", b"{}")
    refuse(cloud, "two", b"{}")

    line = [sys.executable, "-c", KILLED]
    died = subprocess.run(line, cwd=ROOT, timeout=60, check=False)  # noqa: S603 - our own
    assert died.returncode == -signal.SIGKILL
    [sent] = pulled(cloud, SEEN)
    assert run("--yes").output == "no refused message is stored\n"
    cloud.clock.advance(topics.ACK_DEADLINE)
    result = run("--yes")

    assert result.exit_code == 0, result.output
    back = [one.attributes["replayed_from"] for one in pulled(cloud, SEEN)]
    assert sorted(back) == sorted(["one", "two", sent.attributes["replayed_from"]])
    assert kept(cloud) == set()


@pytest.mark.parametrize("code", ["PERMISSION_DENIED", "NOT_FOUND"])
def test_letters_that_are_not_to_be_had(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Who has no right to take them, or has no subscription: exit code 3, with Pub/Sub's words."""
    if code == "PERMISSION_DENIED":
        answer = StatusError(grpc.StatusCode.PERMISSION_DENIED, "not yours")
        answer_once(cloud.faults, "Pull", answer)
    else:
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "another")

    result = run("--yes")

    assert result.exit_code == 3
    assert f"no answer: {code}: " in result.output


def test_no_letters(cloud: Cloud) -> None:
    """Said in a word, and well."""
    result = run("--yes")

    assert (result.exit_code, result.output) == (0, "no refused message is stored\n")


def test_a_letter_without_its_token(cloud: Cloud) -> None:
    """What is missing in it is said before it is sent, with its age."""
    refuse(cloud, "one", b'{"command":"pause","token":"[removed]"}')
    refuse(cloud, "two", b'{"command":"pause"}')

    result = run(answers="n\nn\n")

    assert result.output.count("a command without its token is refused") == 1
    assert f" of {cloud.clock.now():%Y-%m-%d} " in result.output
