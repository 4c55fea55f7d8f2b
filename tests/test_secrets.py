"""Secrets and personal data go in on every path, and every output is searched for them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import flask
import pytest
from typer.testing import CliRunner

import main
from cli.replay import Replay
from shared import topics
from shared.errors import Rejected, Unavailable
from shared.health import ProbeAnswer
from shared.logged import LoggedStore
from shared.policy import Policy
from shared.ports import Letter
from shared.redaction import holds_token
from tests.fakes.letters import MemoryLetters
from tests.fakes.store import MemoryStore
from tests.test_scrubbing import PERSONAL, SECRETS
from tests.world import BOOKSHOP, FakePorts, World

APP = flask.Flask("secrets")
POISON = {
    **SECRETS,
    "password in an address": "https://eve:secret@db.example/x",
    "named": "password=secret0secret",
    "bearer": "Bearer secret.secret.secret",
}
TOPICS = {
    "on_alert": topics.ALERTS,
    "on_command": topics.OVERRIDE,
    "on_deployment": topics.DEPLOYMENTS,
    "on_work": topics.WORK,
    "on_notice": topics.NOTICES,
}
SAID = " and ".join([*POISON.values(), *PERSONAL.values()])
"""All of it in one text."""
TARGET = " and ".join(secret for secret in POISON.values() if not holds_token(secret))[:200]
"""What a command may say: one with a web token outside its field is refused."""


class Everything:
    """A world whose entry points are those of main.py, and all that can be seen of it."""

    def __init__(self, world: World, memory: MemoryStore, errors: Callable[[], str]) -> None:
        self.world = world
        self._memory = memory
        self._errors = errors
        self._letters = ""

    def post(self, entry_point: str, body: bytes, headers: Mapping[str, str] | None = None) -> int:
        path = f"/projects/p/topics/{TOPICS[entry_point]}"
        with APP.test_request_context(path, method="POST", data=body, headers=headers or {}):
            answer: tuple[str, int] = getattr(main, entry_point)(flask.request)
        assert answer[0] == ""
        return answer[1]

    def push(self, entry_point: str, content: Any, attributes: Any = None) -> int:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        message = {
            "data": base64.b64encode(data).decode(),
            "messageId": f"m{self.world.ports.ids()}",
            "attributes": {"said": SAID, "token": "secret"} if attributes is None else attributes,
        }
        return self.post(entry_point, json.dumps({"message": message}).encode())

    def outputs(self) -> dict[str, str]:
        """Everything that anybody could read, by where it is read."""
        ports = self.world.ports
        letters = [one for one in ports.bus.messages if one.topic == topics.DEAD_LETTERS]
        documents = self._memory.documents
        return {
            "documents": json.dumps(documents, default=str, ensure_ascii=False),
            "notices": json.dumps(
                [one.notice for one in ports.sender.sent]
                + [fields for path, fields in documents.items() if path.startswith("notices/")],
                default=str,
                ensure_ascii=False,
            ),
            "dead letters": " ".join(f"{one.data!r} {one.attributes}" for one in letters),
            "log": self._errors(),
            "replay": _replayed(letters),
        }


def _replayed(letters: list[Any]) -> str:
    """What `rollback replay` shows of the letters, to people and to programs."""
    import typer

    app = typer.Typer()
    kept = MemoryLetters({f"projects/p/topics/{topic}" for topic in topics.ALL})
    for one in letters:
        said = one.attributes
        kept.keep(Letter(one.id, "", said["source_topic"], said["reason"], one.data, {"said": "x"}))

    @app.command()
    def show(as_json: bool = False) -> None:
        Replay(kept, "", "", yes=True, as_json=as_json).run()

    return CliRunner().invoke(app, []).output + CliRunner().invoke(app, ["--as-json"]).output


@pytest.fixture
def everything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Everything]:
    world = World()

    class Ports(FakePorts):
        policies: Mapping[str, Policy] = {BOOKSHOP.system: BOOKSHOP}

    memory = world.ports.store
    world.ports.store = LoggedStore(memory)  # type: ignore[assignment]
    world.ports.__class__ = Ports
    monkeypatch.setattr(main, "_wiring", lambda: world.ports)
    main._responder.cache_clear()
    capsys.readouterr()
    yield Everything(world, memory, lambda: capsys.readouterr().err)
    main._responder.cache_clear()


def require_clean(outputs: Mapping[str, str]) -> None:
    """No secret anywhere; nobody's address or number in what is logged or sent."""
    for where, text in outputs.items():
        for kind, secret in POISON.items():
            assert secret not in text, (where, kind)
        assert "secret" not in text.replace("secret_", "").replace("[removed]", ""), where
        if where in ("log", "notices"):
            for kind, said in PERSONAL.items():
                assert said not in text, (where, kind)


def command(**said: Any) -> dict[str, Any]:
    return {"version": 1, "reason": SAID, **said}


def deployment(**said: Any) -> dict[str, Any]:
    return {"version": 1, "system": BOOKSHOP.system, **said}


MESSAGES: dict[str, tuple[str, Any]] = {
    "a switch with its reason": ("on_command", command(command="pause")),
    "a switch by somebody": ("on_command", command(command="pause", actor=f"eve {SAID[:180]}")),
    "an unknown group": (
        "on_command",
        command(command="rollback", system=BOOKSHOP.system, groups=[SAID]),
    ),
    "an unknown verb": ("on_command", command(command=SAID)),
    "an unknown field": ("on_command", command(command="pause", idToken="secret", extra=SAID)),
    "a command of another type": ("on_command", [SAID]),
    "a deployment with a barrier": ("on_deployment", deployment(barrier=SAID[:500])),
    "an unknown system": ("on_deployment", deployment(system=SAID)),
    "a deployment with a token": ("on_deployment", deployment(token="secret", deployment=SAID)),
    "work of nobody": ("on_work", {"kind": SAID, "id": SAID, "due_at": SAID}),
    "a notice of nobody": ("on_notice", {"kind": "notice", "id": SAID, "due_at": "never"}),
    "no JSON": ("on_alert", SAID.encode()),
    "an alert of no kind": ("on_alert", {"incident": {"incident_id": "1", "state": SAID}}),
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_message_with_secrets(kind: str, everything: Everything) -> None:
    """Whether it is carried out or refused: acknowledged, and nothing of them is anywhere."""
    entry_point, content = MESSAGES[kind]

    assert everything.push(entry_point, content) == 204
    everything.world.settle()

    require_clean(everything.outputs())


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (SAID.encode(), {}),
        (json.dumps({"message": {"data": SAID}}).encode(), {}),
        (json.dumps({"message": SAID}).encode(), {}),
        (json.dumps({"message": {"attributes": {"a": [SAID]}}}).encode(), {}),
        (
            json.dumps(
                {
                    "message": {
                        "data": base64.b64encode(f'{{"x": "{SAID}"}}'.encode()).decode(),
                        "attributes": [],
                    }
                }
            ).encode(),
            {},
        ),
        (json.dumps({"specversion": "1.0", "type": SAID}).encode(), {}),
        (b"{}", {"ce-id": SAID, "ce-type": SAID, "ce-source": SAID, "ce-time": SAID}),
        (b"{}", {"traceparent": SAID, "X-Cloud-Trace-Context": SAID}),
    ],
)
@pytest.mark.parametrize("entry_point", TOPICS)
def test_a_malformed_request_with_secrets(
    entry_point: str, body: bytes, headers: dict[str, str], everything: Everything
) -> None:
    """Kept as a dead letter without them, acknowledged, and told."""
    clean = {name: value.replace("\n", " ") for name, value in headers.items()}

    assert everything.post(entry_point, body, clean) == 204

    require_clean(everything.outputs())


def test_a_rollback_whose_every_word_holds_secrets(everything: Everything) -> None:
    """Alert, order, probes, platform and channels all say them; the rollback goes its way."""
    world = everything.world
    world.deploy_bad()
    labels = {"project_id": BOOKSHOP.project, "said": SAID}
    said: dict[str, Any] = {"summary": SAID, "policy_name": SAID, "condition_name": SAID}
    notification = world.notification(**said, resource={"type": SAID, "labels": labels})
    probes = {probe.name: ProbeAnswer(False, None, SAID) for probe in BOOKSHOP.probes}
    failures = iter([Rejected(SAID), Unavailable(SAID)])

    def fail(verb: str, side: str) -> None:
        if (verb, side) in (("platform.shift", "before"), ("sender.send", "before")):
            failure = next(failures, None)
            if failure is not None:
                raise failure

    world.ports.world.hook = world.ports.sender.hook = fail

    assert everything.push("on_alert", notification) == 204
    world.settle()
    everything.push(
        "on_command",
        command(
            command="rollback", system=BOOKSHOP.system, actor="eve", target=TARGET, reason=TARGET
        ),
    )
    world.ports.prober.answers = dict(probes)
    world.pass_time(timedelta(minutes=45))

    found = everything.outputs()
    assert "incident.detected" in found["log"]
    assert "rollback.ordered" in found["log"]
    require_clean(found)


def test_a_service_that_repeats_secrets_while_a_message_is_taken(everything: Everything) -> None:
    """A failure that is only logged and redelivered quotes nothing of them."""

    def fail(verb: str, side: str) -> None:
        if (verb, side) == ("bus.publish", "before"):
            raise Unavailable(SAID)

    everything.world.ports.bus.hook = fail

    assert everything.push("on_command", command(command="pause")) in (204, 503)
    assert everything.push("on_alert", b"nonsense") == 503

    require_clean(everything.outputs())


def test_personal_data_stays_where_a_person_is_meant(everything: Everything) -> None:
    """The trail names who ordered, in their own words; the log names the actor alone."""
    who, whom = PERSONAL["mail"], "joe@example.org"
    everything.push("on_command", command(command="pause", actor=who, reason=f"ask {whom}"))

    found = everything.outputs()

    assert who in found["documents"]
    assert whom in found["documents"]
    assert who in found["log"]
    assert whom not in found["log"]


def test_an_error_text_never_holds_a_secret() -> None:
    """Whoever is quoted, in whatever kind of failure."""
    for failure in (Rejected(SAID), Unavailable(SAID)):
        require_clean({"error": str(failure)})
