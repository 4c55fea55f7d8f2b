"""Pushes that do not come from our own subscriptions: rejected, reported, without effect."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import flask
import pytest
from msgspec.structs import replace

import main
from responders.support.push_authentication import REJECTED_EVENT, REMOVED_SIGNATURE
from shared.core import topics
from shared.core.errors import Unavailable
from shared.core.store import Query
from shared.domain.audit.system_chain import UNCLAIMED_SYSTEM
from shared.domain.commands.credential import PERSON_ISSUER_PREFIX
from shared.domain.system_record import GLOBAL_CONTROLS_PATH
from tests.support.runtime.entry_points import (
    APP,
    ENTRY_POINTS,
    PUSH_AUDIENCE,
    EntryPointPorts,
    build_push,
    name_subscription,
    post_to_entry_point,
    start_instance,
)
from tests.support.runtime.world import BOOKSHOP

PAUSE = json.dumps({"version": 1, "command": "pause", "reason": "a test", "actor": "eve"}).encode()
HOME = BOOKSHOP.project
OVERRIDE = "on_override"
TOPIC = "the push is of another topic or subscription than those of"
SIGNATURE = "the token's signature is not valid"


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[EntryPointPorts]:
    with start_instance(monkeypatch) as ports:
        yield ports


def post(
    path: str,
    token: str | None,
    *,
    entry_point: str = OVERRIDE,
    subscription: str = f"projects/{HOME}/subscriptions/rollback-override-push",
    headers: Mapping[str, str] | None = None,
) -> int:
    """The status that an entry point answers to somebody's request."""
    body = build_push(PAUSE).replace(b"projects/p/subscriptions/s", subscription.encode())
    sent = {**({} if token is None else {"Authorization": f"Bearer {token}"}), **(headers or {})}
    with APP.test_request_context(path, method="POST", data=body, headers=sent):
        answer: tuple[str, int] = getattr(main, entry_point)(flask.request)
    return answer[1]


def own(topic: str = topics.OVERRIDE) -> str:
    return f"/projects/{HOME}/topics/{topic}"


def written(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def with_header(token: str, **changes: Any) -> str:
    """The token with other fields in its header; its signature is not made anew."""
    header, claims, signature = token.split(".")
    known = json.loads(base64.urlsafe_b64decode(header + "=="))
    return ".".join((written({**known, **changes}), claims, signature))


def without_signature(token: str) -> str:
    """The token as Cloud Run passes it on."""
    return token.rpartition(".")[0] + REMOVED_SIGNATURE


def deploy(ports: EntryPointPorts) -> None:
    """The instance runs on Cloud Run, which verifies tokens and removes their signatures."""
    ports.push_identity = replace(ports.push_identity, deployed=True)


def require_rejected(ports: EntryPointPorts, said: str, reason: str, entry_point: str = OVERRIDE) -> None:
    """Nothing was done, and log and audit log have the reason."""
    lines = [json.loads(line) for line in said.splitlines()]
    assert [(one["severity"], one["event"], one["entry_point"]) for one in lines] == [
        ("ERROR", REJECTED_EVENT, entry_point)
    ]
    assert lines[0]["reason"].startswith(reason)
    [event] = ports.store.query(Query(f"systems/{UNCLAIMED_SYSTEM}/audit"))
    assert (event.fields or {})["name"] == REJECTED_EVENT
    assert (event.fields or {})["facts"]["reason"].startswith(reason)
    assert set(ports.store.documents) == {event.path}
    assert ports.bus.messages == []


TOKENS: dict[str, tuple[Callable[[EntryPointPorts], str | None], str]] = {
    "no token": (lambda ports: None, "the push has no token"),
    "an empty one": (lambda ports: "", "the push has no token"),
    "no token at all in it": (lambda ports: "hunter2", "the token is malformed"),
    "another audience": (
        lambda ports: ports.push_token(OVERRIDE, audience="https://elsewhere.example.com"),
        "the token is for another audience than rollback-on-override",
    ),
    "the audience of another entry point": (
        lambda ports: ports.push_token("on_command"),
        "the token is for another audience than rollback-on-override",
    ),
    "the audience as it stands in the settings": (
        lambda ports: ports.push_token(OVERRIDE, audience=PUSH_AUDIENCE),
        "the token is for another audience than rollback-on-override",
    ),
    "another issuer": (
        lambda ports: ports.push_token(OVERRIDE, iss="https://evil.example.com"),
        "the token is of a foreign issuer or project",
    ),
    "another account": (
        lambda ports: ports.push_token(OVERRIDE, email="eve@evil.iam.gserviceaccount.com"),
        "the token belongs to another account than that of the subscription",
    ),
    "an address that nobody verified": (
        lambda ports: ports.push_token(OVERRIDE, email_verified=False),
        "the token has no verified e-mail address",
    ),
    "a person": (
        lambda ports: ports.sign_in.person(),
        "the token belongs to another account than that of the subscription",
    ),
    "a person of another project": (
        lambda ports: ports.sign_in.person(iss=f"{PERSON_ISSUER_PREFIX}evil", aud="evil"),
        "the token is of a foreign issuer or project",
    ),
    "expired": (
        lambda ports: ports.push_token(OVERRIDE, exp=int(ports.clock.now().timestamp()) - 60),
        "the token has expired",
    ),
    "issued in the future": (
        lambda ports: ports.push_token(OVERRIDE, iat=int(ports.clock.now().timestamp()) + 60),
        "the token was issued in the future",
    ),
    "unsigned": (
        lambda ports: with_header(ports.push_token(OVERRIDE), alg="none").rpartition(".")[0] + ".",
        "the token is malformed",
    ),
    "alg none beside a signature": (
        lambda ports: with_header(ports.push_token(OVERRIDE), alg="none"),
        "the token is not signed with RS256",
    ),
    "a symmetric signature": (
        lambda ports: with_header(ports.push_token(OVERRIDE), alg="HS256"),
        "the token is not signed with RS256",
    ),
    "an unknown key": (lambda ports: with_header(ports.push_token(OVERRIDE), kid="eve"), SIGNATURE),
    "a signature that somebody claims was removed": (
        lambda ports: without_signature(ports.push_token(OVERRIDE)),
        SIGNATURE,
    ),
}


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_that_is_not_ours(
    kind: str, ports: EntryPointPorts, capsys: pytest.CaptureFixture[str]
) -> None:
    """The right path does not help: without our own token nothing is done."""
    build, reason = TOKENS[kind]
    token = build(ports)
    capsys.readouterr()

    assert post(own(), token) == 403

    said = capsys.readouterr().err
    require_rejected(ports, said, reason)
    assert not token or token not in said


@pytest.mark.parametrize("entry_point", ["on_command", OVERRIDE])
def test_a_forged_path_without_a_token(
    entry_point: str, ports: EntryPointPorts, capsys: pytest.CaptureFixture[str]
) -> None:
    """A path gives no rights."""
    assert post("/projects/evil/topics/rollback-override", None, entry_point=entry_point) == 403

    require_rejected(ports, capsys.readouterr().err, "the push has no token", entry_point)


FORGED: dict[str, tuple[str, str, dict[str, str]]] = {
    "the topic of another project": (
        "/projects/evil/topics/rollback-override",
        f"projects/{HOME}/subscriptions/rollback-override-push",
        {},
    ),
    "another topic": (own(topics.COMMANDS), f"projects/{HOME}/subscriptions/rollback-override-push", {}),
    "no topic": ("/", f"projects/{HOME}/subscriptions/rollback-override-push", {}),
    "a subscription of another project": (own(), "projects/evil/subscriptions/rollback-override-push", {}),
    "another subscription": (own(), f"projects/{HOME}/subscriptions/eve", {}),
    "no subscription": (own(), "", {}),
    "an event of another topic": (
        own(),
        f"projects/{HOME}/subscriptions/rollback-override-push",
        {"ce-source": "//pubsub.googleapis.com/projects/evil/topics/rollback-override"},
    ),
}


@pytest.mark.parametrize("kind", FORGED)
def test_our_own_token_with_another_topic_or_subscription(
    kind: str, ports: EntryPointPorts, capsys: pytest.CaptureFixture[str]
) -> None:
    """Project, topic and subscription are compared exactly, whatever the token proves."""
    path, subscription, headers = FORGED[kind]
    token = ports.push_token(OVERRIDE)

    assert post(path, token, subscription=subscription, headers=headers) == 403

    require_rejected(ports, capsys.readouterr().err, TOPIC)


def test_an_override_is_not_carried_out_by_on_command(
    ports: EntryPointPorts, capsys: pytest.CaptureFixture[str]
) -> None:
    """on_command needs a token in the command: what its path says changes nothing."""
    token = ports.push_token("on_command")

    assert post(own(), token, entry_point="on_command") == 403

    require_rejected(ports, capsys.readouterr().err, TOPIC, "on_command")
    assert post_to_entry_point("on_command", build_push(PAUSE, "2")) == 204
    assert GLOBAL_CONTROLS_PATH not in ports.store.documents


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("other", ENTRY_POINTS)
def test_a_push_that_is_replayed_to_another_entry_point(
    entry_point: str, other: str, ports: EntryPointPorts
) -> None:
    """The token of each function is for that function alone, and its topic, too."""
    token = f"Bearer {ports.push_token(other)}"

    answer = post_to_entry_point(entry_point, build_push(b"{}"), {"Authorization": token})

    assert (answer == 403) is (entry_point != other)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_no_entry_point_accepts_a_push_without_a_token(entry_point: str, ports: EntryPointPorts) -> None:
    """It is the same for each; the audit log has one event an hour for each reason."""
    for number in range(3):
        answer = post_to_entry_point(entry_point, build_push(b"{}", f"{number}"), {"Authorization": ""})
        assert answer == 403

    assert len(ports.store.documents) == 1
    assert ports.bus.messages == []


def test_the_alerts_of_a_protected_project_arrive(ports: EntryPointPorts) -> None:
    """Topics of alerts may be in the applications' projects; no other topic may."""
    ports.push_identity = replace(ports.push_identity, projects=("ops-project", HOME))

    assert post_to_entry_point("on_alert", build_push(b"{}")) == 204
    for entry_point in [one for one in ENTRY_POINTS if one != "on_alert"]:
        assert post_to_entry_point(entry_point, build_push(b"{}")) == 403


def test_our_own_push_is_carried_out(ports: EntryPointPorts) -> None:
    """The token that Pub/Sub adds for our subscription is accepted."""
    assert post(own(), ports.push_token(OVERRIDE)) == 204

    assert GLOBAL_CONTROLS_PATH in ports.store.documents


def test_keys_that_cannot_be_fetched_lose_no_message(ports: EntryPointPorts) -> None:
    """Nobody knows whether the token is good: the message comes again."""
    token = ports.push_token(OVERRIDE)
    ports.sign_in.is_down = True
    assert post(own(), token) == 503
    ports.sign_in.is_down = False

    assert post(own(), token) == 204


REMOVED: dict[str, tuple[dict[str, Any], str]] = {
    "another audience": ({"audience": "https://elsewhere.example.com"}, "the token is for another audience"),
    "another issuer": ({"iss": "https://evil.example.com"}, "the token is of a foreign issuer"),
    "another account": (
        {"email": "eve@evil.iam.gserviceaccount.com"},
        "the token belongs to another account",
    ),
    "an address that nobody verified": ({"email_verified": False}, "the token has no verified e-mail"),
    "expired": ({"exp": 1}, "the token has expired"),
}


def test_cloud_run_has_verified_the_token_and_removed_its_signature(ports: EntryPointPorts) -> None:
    """Then the claims are compared, and no key is fetched."""
    deploy(ports)
    ports.sign_in.is_down = True

    assert post(own(), without_signature(ports.push_token(OVERRIDE))) == 204

    assert GLOBAL_CONTROLS_PATH in ports.store.documents


@pytest.mark.parametrize("kind", REMOVED)
def test_a_removed_signature_with_other_claims(
    kind: str, ports: EntryPointPorts, capsys: pytest.CaptureFixture[str]
) -> None:
    """Claims that are not ours are rejected on Cloud Run as everywhere."""
    deploy(ports)
    changes, reason = REMOVED[kind]

    assert post(own(), without_signature(ports.push_token(OVERRIDE, **changes))) == 403

    require_rejected(ports, capsys.readouterr().err, reason)


def test_a_removed_signature_beside_the_token_that_cloud_run_verified_instead(
    ports: EntryPointPorts, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two tokens Cloud Run verifies X-Serverless-Authorization: the other one is forged."""
    deploy(ports)
    token = without_signature(ports.push_token(OVERRIDE))

    assert post(own(), token, headers={"X-Serverless-Authorization": "Bearer anything"}) == 403

    require_rejected(ports, capsys.readouterr().err, "the push has a second token")


def test_no_push_is_accepted_without_settings(
    ports: EntryPointPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation that does not say whose pushes it accepts accepts none, and loses none."""

    def missing(self: EntryPointPorts) -> None:
        raise Unavailable("ROLLBACK_PUSH_ACCOUNT or ROLLBACK_PUSH_AUDIENCE is not set")

    monkeypatch.setattr(EntryPointPorts, "push_identity", property(missing))

    assert post(own(), ports.push_token(OVERRIDE)) == 503
    assert name_subscription(b"x", "y") == b"x"
