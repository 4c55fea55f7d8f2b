"""The command `replay`, as a person runs it: over the wire, and its own part over a fake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from google.pubsub_v1 import types
from typer.testing import CliRunner, Result

from cli.app import app
from cli.replay import Replay
from local import delivery
from local.clock import CloudClock
from local.cloud import Cloud
from local.provisions import INSIDE
from shared import topics
from shared.errors import Unavailable
from shared.messages import Letter
from shared.settings import EMULATORS, LOCAL_CLOUD
from tests.contracts.letters import SHOP, pulled
from tests.fakes.letters import MemoryLetters

SEEN = "projects/shop-prod/subscriptions/seen"
COMMANDS = f"projects/shop-prod/topics/{topics.COMMANDS}"
ALERTS = f"projects/shop-prod/topics/{topics.ALERTS}"


class Unanswering(MemoryLetters):
    """Publishing gets no answer."""

    def resend(self, letter: Letter) -> None:
        raise Unavailable("no answer")


def letter(name: str, source: str = ALERTS, reason: str = "unknown state") -> Letter:
    return Letter(name, "", source, reason, b'{"a":1}', {"kind": "x"})


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An embedded cloud that this process's environment is wired to."""
    cloud = Cloud.start([SHOP], seed=1, clock=CloudClock(scale=20.0), alerter=False, ticks=False)
    delivery.keep_letters(cloud)
    seen = types.Subscription.pb()(name=SEEN, topic=COMMANDS)
    cloud.pubsub.subscriber.CreateSubscription(seen, INSIDE)
    for name in ("K_SERVICE", *EMULATORS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", cloud.home)
    monkeypatch.setenv(LOCAL_CLOUD, f"http://{cloud.addresses['control']}")
    yield cloud
    cloud.stop()


def refuse(cloud: Cloud, name: str, data: bytes, source: str = COMMANDS) -> None:
    """A dead letter, as the responders keep one."""
    said = {"source_topic": source, "message_id": name, "reason": f"no such thing as {name}"}
    request = types.PublishRequest.pb()(topic=f"projects/shop-prod/topics/{topics.DEAD_LETTERS}")
    request.messages.add(data=data, attributes=said)
    cloud.pubsub.publisher.Publish(request, INSIDE)


def kept(cloud: Cloud) -> set[str]:
    """The ids of what is still kept."""
    letters = pulled(cloud, f"projects/shop-prod/subscriptions/{topics.LETTERS_KEPT}")
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
    assert dict(message.attributes) == {"replayed_from": "one"}
    assert kept(cloud) == set()


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
    assert {line["message_id"]: line["replayed"] for line in lines(result)} == {
        "lost": False,
        "one": True,
    }
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

    with pytest.raises(Unavailable):
        Replay(letters, "", "", yes=True, as_json=True).run()

    assert [one.id for one in letters.pull(10)] == ["a"]
