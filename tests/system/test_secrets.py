"""Secrets and personal data go in on every path, and every output is searched for them."""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

import main
from cli.act.replay import Replay
from cli.support.exit_codes import INVALID_USAGE, REFUSED
from shared.adapters.audit_logging_store import AuditLoggingStore
from shared.adapters.prober import HttpProber
from shared.core import topics
from shared.core.errors import Rejected, Unavailable
from shared.core.redaction import has_web_token
from shared.domain.audit.system_chain import UNCLAIMED_SYSTEM
from shared.domain.policy.probes import ExpectedAnswer, Probe, ProbeAccount, ProbeMethod
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES
from shared.domain.signals.health import ProbeAnswer
from shared.domain.system_record import ALL_SYSTEMS
from shared.ports.messaging import DeadLetter
from shared.state.reader import StateReader
from tests.contracts.support.account_double import Toolkit, Vault
from tests.contracts.support.http_server import serving
from tests.support.cli.in_process import WorldPrompt
from tests.support.fakes.firestore.store import MemoryStore
from tests.support.fakes.pubsub.dead_letters import MemoryLetters
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.runtime.hooks import raise_error
from tests.support.faults.secret_samples import PERSONAL, SECRETS
from tests.support.runtime.entry_points import (
    ANY_SUBSCRIPTION,
    ENTRY_POINTS,
    EntryPointPorts,
    post_to_entry_point,
)
from tests.support.runtime.world import BOOKSHOP, World

OUTSIDE = (ALL_SYSTEMS, UNCLAIMED_SYSTEM)
POISON = {
    **SECRETS,
    "password in an address": "https://eve:secret@db.example/x",
    "named": "password=secret0secret",
    "bearer": "Bearer secret.secret.secret",
}
SAID = " and ".join([*POISON.values(), *PERSONAL.values()])
"""All of it in one text."""
TARGET = " and ".join(secret for secret in POISON.values() if not has_web_token(secret))[:200]
"""What a command may say: one with a web token outside its field is refused."""


NAMED = re.compile(r'secret_|old_secrets|"secrets"|\[removed\]')
"""Words of ours that hold that word."""


class Everything:
    """A world whose entry points are those of main.py, and all that can be seen of it."""

    def __init__(
        self, world: World, memory: MemoryStore, errors: Callable[[], str], prompt: WorldPrompt
    ) -> None:
        self.world = world
        self._prompt = prompt
        self._memory = memory
        self._errors = errors
        self._letters = ""

    def post(self, entry_point: str, body: bytes, headers: Mapping[str, str] | None = None) -> int:
        return post_to_entry_point(entry_point, body, headers)

    def push(self, entry_point: str, content: Any, attributes: Any = None) -> int:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        message = {
            "data": base64.b64encode(data).decode(),
            "messageId": f"m{self.world.ports.ids()}",
            "attributes": {"said": SAID, "token": "secret"} if attributes is None else attributes,
        }
        push = {"message": message, "subscription": ANY_SUBSCRIPTION.decode()}
        return self.post(entry_point, json.dumps(push).encode())

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

    def shown(self) -> dict[str, str]:
        """Everything that a person can have shown at the prompt, by the line that shows it."""
        return {" ".join(words): self.said(*words) for words in self._lines()}

    def said(self, *words: str) -> str:
        """What one line at the prompt prints; it ends with a yes or a no."""
        done = self.typed(*words)
        assert done.exit_code in (0, REFUSED), done.output
        return done.output

    def typed(self, *words: str) -> Result:
        """What becomes of one line at the prompt."""
        return self._prompt.say(*words)

    def _lines(self) -> Iterator[tuple[str, ...]]:
        looks = [("status",), ("deployments",), ("deploy-lock", BOOKSHOP.system)]
        looks += [("pins",), ("backups",)]
        known = StateReader(self.world.ports.store).deployments(BOOKSHOP.system)
        looks += [("deployments", "show", one.id) for one in known]
        looks += [("audit", "verify", "--all")]
        looks += [("audit", "show", "--system", system) for system in (BOOKSHOP.system, *OUTSIDE)]
        for one in self.world.rollbacks():
            looks += [("explain", one.incident), ("report", one.incident)]
            looks += [("audit", "show", one.id)]
            if one.status in ENDED_ROLLBACK_STATUSES:
                looks += [("watch", one.incident)]
        for words in looks:
            yield words
            yield (*words, "--json")
        yield from (("audit", "export", "--format", form) for form in ("ndjson", "csv"))


def _replayed(letters: list[Any]) -> str:
    """What `rollback replay` shows of the letters, to people and to programs."""
    import typer

    app = typer.Typer()
    kept = MemoryLetters({f"projects/p/topics/{topic}" for topic in topics.ALL_TOPICS})
    for one in letters:
        said = one.attributes
        source, reason = said["source_topic"], said["reason"]
        kept.keep(DeadLetter(one.id, "", source, reason, one.data, {"said": "x"}, START))

    @app.command()
    def show(as_json: bool = False) -> None:
        Replay(kept, "", "", yes=True, as_json=as_json).run()

    return CliRunner().invoke(app, []).output + CliRunner().invoke(app, ["--as-json"]).output


@pytest.fixture
def everything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Everything]:
    world = World()

    class Ports(EntryPointPorts):
        policies: Mapping[str, Policy] = {BOOKSHOP.system: BOOKSHOP}

    memory = world.ports.store
    world.ports.store = AuditLoggingStore(memory)  # type: ignore[assignment]
    world.ports.__class__ = Ports
    monkeypatch.setattr(main, "_wiring", lambda: world.ports)
    main._trigger.cache_clear()
    capsys.readouterr()
    errors = lambda: capsys.readouterr().err  # noqa: E731
    yield Everything(world, memory, errors, WorldPrompt(monkeypatch, tmp_path, world))
    main._trigger.cache_clear()


def assert_clean(outputs: Mapping[str, str]) -> None:
    """No secret anywhere; nobody's address or number in what is logged or sent."""
    for where, text in outputs.items():
        for kind, secret in POISON.items():
            assert secret not in text, (where, kind)
        assert "secret" not in NAMED.sub("", text), where
        if where in ("log", "notices"):
            for kind, said in PERSONAL.items():
                assert said not in text, (where, kind)


def command(**said: Any) -> dict[str, Any]:
    return {"version": 1, "reason": SAID, **said}


def deployment(**said: Any) -> dict[str, Any]:
    return {"version": 1, "system": BOOKSHOP.system, **said}


MESSAGES: dict[str, tuple[str, Any]] = {
    "a switch with its reason": ("on_override", command(command="pause")),
    "a switch by somebody": ("on_override", command(command="pause", actor=f"eve {SAID[:180]}")),
    "an unknown group": ("on_override", command(command="rollback", system=BOOKSHOP.system, groups=[SAID])),
    "an unknown verb": ("on_override", command(command=SAID)),
    "an unknown field": ("on_override", command(command="pause", idToken="secret", extra=SAID)),
    "a command of another type": ("on_override", [SAID]),
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

    assert_clean({**everything.outputs(), **everything.shown()})


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
        (b"{}", {"traceparent": SAID}),
    ],
)
@pytest.mark.parametrize("entry_point", [one for one in ENTRY_POINTS if one != "on_clock"])
def test_a_malformed_request_with_secrets(
    entry_point: str, body: bytes, headers: dict[str, str], everything: Everything
) -> None:
    """Kept as a dead letter without them, acknowledged, and told."""
    clean = {name: value.replace("\n", " ") for name, value in headers.items()}

    assert everything.post(entry_point, body, clean) == 204

    refused = everything.said("audit", "show", "--system", UNCLAIMED_SYSTEM)
    assert "message.refused" in refused
    assert_clean({**everything.outputs(), "audit": refused})


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
    order = {"command": "rollback", "system": BOOKSHOP.system, "actor": "eve", "reason": TARGET}
    everything.push("on_override", command(**order, target=TARGET))
    everything.push("on_override", command(**order, supersede=True))
    world.ports.prober.answers = dict(probes)
    world.pass_time(timedelta(minutes=45))

    found = everything.outputs()
    assert "incident.detected" in found["log"]
    assert f"is not known in {BOOKSHOP.system}" in found["log"]
    assert "rollback.ordered" in found["log"]
    assert_clean(found)
    shown = everything.shown()
    assert f"rollback accept {world.incidents()[-1].id} --reason WHY" in shown["status"]
    verbs = ("explain", "watch", "report")
    assert all(f"{verb} {world.incidents()[0].id}" in shown for verb in verbs)
    assert "events exported" in shown["audit export --format csv"]
    assert_clean(shown)


class SigningIn:
    """A Prober that signs in whatever it is asked, at a server that repeats what it was sent.

    Where it `calls`, the account posts to the probe's address too.
    """

    def __init__(self, toolkit: Toolkit, *, calls: bool) -> None:
        self._calls = calls
        vault = Vault({"password": SAID, "key": POISON["named"]})
        self._prober = HttpProber(lambda _: f"127.0.0.1:{toolkit.server_port}", secrets=lambda: vault)

    def ask(self, probe: Probe) -> ProbeAnswer:
        """As the port says."""
        account = ProbeAccount("probe@shop.example", "password", "key")
        if not self._calls:
            return self._prober.ask(replace(probe, url="", function=None, sign_in=account))
        expect = ExpectedAnswer(status=200, json={"result": "ok"})
        post = replace(probe, method=ProbeMethod.POST, body={"data": {}}, expect=expect)
        return self._prober.ask(replace(post, sign_in=account))


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, {"idToken": SAID, "refreshToken": SAID}),
        (400, {"error": {"message": f"{SAID} : {SAID}"}}),
        (200, {"mfaPendingCredential": SAID}),
        (400, {"error": {"message": f"TOO_MANY_ATTEMPTS_TRY_LATER : {SAID}"}}),
    ],
    ids=["signed in", "refused", "a second factor", "throttled"],
)
@pytest.mark.parametrize("calls", [False, True], ids=["alone", "with a call"])
def test_a_test_account_leaves_nothing_of_its_secrets(
    status: int, content: Any, calls: bool, everything: Everything
) -> None:
    """Whatever Google answers to password and key: looks, decisions and verification are clean."""
    world, toolkit = everything.world, Toolkit()
    toolkit.answer = (status, json.dumps(content).encode())
    with serving(toolkit):
        world.ports.prober = SigningIn(toolkit, calls=calls)  # type: ignore[assignment]
        world.deploy_bad()
        assert everything.push("on_alert", world.notification()) == 204
        world.settle()
        world.pass_time(timedelta(minutes=6))
    found = everything.outputs()

    keys = {key for _, path, key, _ in toolkit.seen if path.endswith("signInWithPassword")}
    assert keys == {POISON["named"]}
    assert toolkit.seen
    assert "incident.detected" in found["log"]
    assert_clean({**found, **everything.shown()})


def test_a_service_that_repeats_secrets_while_a_message_is_taken(everything: Everything) -> None:
    """A failure that is only logged and redelivered quotes nothing of them."""
    everything.world.ports.bus.hook = raise_error("bus.publish", Unavailable(SAID))

    assert everything.push("on_override", command(command="pause")) in (204, 503)
    assert everything.push("on_alert", b"nonsense") == 503

    assert_clean(everything.outputs())


def test_personal_data_stays_where_a_person_is_meant(everything: Everything) -> None:
    """The trail and the team's notices name who ordered, and why; the log names the actor alone."""
    who, whom = PERSONAL["mail"], "joe@example.org"
    everything.push("on_override", command(command="pause", actor=who, reason=f"ask {whom}"))

    found = everything.outputs()

    assert who in found["documents"]
    assert whom in found["documents"]
    assert f"by override: {who}: ask {whom}" in found["notices"]
    assert who in found["log"]
    assert whom not in found["log"]


def test_a_dead_letter_is_the_message_and_what_we_say_of_it_names_nobody(everything: Everything) -> None:
    """Whoever may read dead letters, and replay, sees the data verbatim; our reason is ours."""
    whom, number = "joe@example.org", PERSONAL["phone"]
    everything.push(
        "on_override",
        {**command(command="pause", reason="a test"), "system": f"{whom} {number}", "actor": whom},
        attributes={},
    )

    [letter] = [one for one in everything.world.ports.bus.messages if one.topic == topics.DEAD_LETTERS]
    found = everything.outputs()

    assert letter.data.decode().count(whom) == 2
    assert found["replay"].count(whom) >= 1
    for one in (*letter.attributes.values(), found["notices"], found["log"]):
        assert whom not in one
        assert number not in one


ORDER = ("run", "--yes", "--no-follow", "--reason")
SPOKEN = (
    (("pause", "--all", "--reason", SAID[:900]), REFUSED),
    (("pause", "--all", "--reason", TARGET), 0),
    (("freeze", "--all", "--until", "2036-01-01T00:00:00Z", "--reason", TARGET), 0),
    ((*ORDER, TARGET), 0),
    ((*ORDER, TARGET, "--target", TARGET), REFUSED),
    ((*ORDER, "x", "--group", SAID), INVALID_USAGE),
    ((*ORDER, "x", "--scenario", SAID), INVALID_USAGE),
    ((*ORDER, "x", "--system", SAID), INVALID_USAGE),
    (("drill", "--reason", "x", "--function", SAID), INVALID_USAGE),
    (("ack", SAID), REFUSED),
    (("watch", TARGET), REFUSED),
    (("explain", SAID), REFUSED),
    (("status", "--system", SAID), INVALID_USAGE),
    (("audit", "show", SAID), REFUSED),
    (("audit", "verify", SAID), REFUSED),
    (("deployments", "show", SAID), INVALID_USAGE),
    (("deployments", "mark-bad", SAID, "--reason", "x"), INVALID_USAGE),
    (("audit", "export", "--since", SAID, "--reason", SAID), INVALID_USAGE),
    (("audit", "export", "--reason", TARGET), 0),
)
"""What may be said at the prompt, and its exit code."""


@pytest.mark.parametrize(("words", "code"), SPOKEN)
def test_what_is_said_at_the_prompt_holds_secrets(
    words: tuple[str, ...], code: int, everything: Everything
) -> None:
    """What a person types in the wrong place is neither kept nor said back to them."""
    done = everything.typed(*words)

    assert done.exit_code == code, done.output
    assert_clean({**everything.outputs(), "answer": done.output})


def test_an_error_text_never_holds_a_secret() -> None:
    """Whoever is quoted, in whatever kind of failure."""
    for failure in (Rejected(SAID), Unavailable(SAID)):
        assert_clean({"error": str(failure)})
