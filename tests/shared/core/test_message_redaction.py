"""Texts without secrets, and without personal data: what goes, and what stays."""

import base64
import json
from typing import Any

import pytest

from shared.core.message_redaction import redact_message
from shared.core.redaction import REDACTION_MARK, is_secret_field, redact_personal_data, redact_secrets
from shared.domain.audit.chain import create_event
from tests.support.fakes.runtime.clock import START
from tests.support.faults.secret_samples import JWT, PERSONAL, SECRETS

INNOCENT = (
    "step functions/processCV: ABORTED: 409 etag changed",
    "2026-03-01T12:00:00.000000+00:00 in 2 min 5 s",
    "projects/p/secrets/stripe/versions/3 is disabled",
    "secret: projects/p/secrets/stripe/versions/3",
    "us-docker.pkg.dev/p/app@sha256:1234567890abcdef",
    "on-work@rollback-ops.iam.gserviceaccount.com may not",
    "deploy_20250821_143022 at a1b2c3d4e5f6, INC-20260302-001-r2",
    "https://europe-west1-shop.cloudfunctions.net/placeOrder?page=2",
    "0.abc:open 1234567890123456 127.0.0.1:8080",
    "the password page fails; sign-in tokens expire early",
    "basic authentication",
    "sign-in: only 0 sign-ins were counted",
)


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("around", ["{}", "it says {}!", 'x="{}"', "https://a.example/?k={}&b=1"])
def test_a_secret_in_a_text_goes(kind: str, around: str) -> None:
    """Whatever stands around it."""
    clean = redact_secrets(around.format(SECRETS[kind]))

    assert SECRETS[kind] not in clean
    assert "secret" not in clean
    assert REDACTION_MARK in clean


@pytest.mark.parametrize(
    ("said", "clean"),
    [
        ("Bearer abcdefgh12345678", "[removed]"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: [removed]"),
        ("https://eve:hunter2@a.example/x", "https://[removed]@a.example/x"),
        ("https://hunter2@a.example/x", "https://[removed]@a.example/x"),
        ("password: hunter2, then", "password: [removed], then"),
        ("PASSWORD=hunter2", "PASSWORD=[removed]"),
        ('{"api_key": "hunter2"}', '{"api_key": "[removed]"}'),
        ("?access_token=hunter2&page=2", "?access_token=[removed]&page=2"),
        ("X-Goog-Signature=hunter2", "X-Goog-Signature=[removed]"),
    ],
)
def test_a_secret_goes_and_its_place_stays(said: str, clean: str) -> None:
    """A reader sees what was there, and not its value; once more changes nothing."""
    assert redact_secrets(said) == clean
    assert redact_secrets(clean) == clean


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_stays(text: str) -> None:
    """Names, times, ids, digests and errors are what a trail is for."""
    assert redact_personal_data(text) == text


@pytest.mark.parametrize("kind", PERSONAL)
def test_personal_data_goes_where_it_is_not_meant(kind: str) -> None:
    """From logs and notices; in the trail a person's own words stay."""
    said = f"call {PERSONAL[kind]} now"

    assert redact_personal_data(said) == f"call {REDACTION_MARK} now"
    assert redact_secrets(said) == said


def test_a_message_without_secrets_stays_as_it_is_to_the_byte() -> None:
    """Also where it is no JSON, no text, or JSON in an unusual form."""
    for data in (b'{ "a" : 1.0 }', b"", b"\xff\xfe\x00", b"nonsense", b'{"a":"\\u0041"}'):
        assert redact_message(data) is data


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_anywhere_in_a_message_goes(kind: str) -> None:
    """As a value, in a list, as a key, escaped, in base64, in base64 of base64, in no JSON."""
    secret = SECRETS[kind]
    inner = json.dumps({"reason": secret}).encode()
    escaped = "".join(f"\\u{ord(sign):04x}" for sign in secret)
    for data in (
        json.dumps({"a": [{"b": f"it was {secret}"}]}).encode(),
        json.dumps({secret: 1}).encode(),
        f'{{"a": "{escaped}"}}'.encode(),
        json.dumps({"message": {"data": base64.b64encode(inner).decode()}}).encode(),
        json.dumps({"d": base64.urlsafe_b64encode(base64.b64encode(inner)).decode()}).encode(),
        b"\xff not JSON: " + secret.encode(),
        json.dumps({"a": json.dumps({"b": json.dumps({"c": secret})})}).encode(),
        f'{{"a": "{secret}", "a": 1}}'.encode(),
        f'{{"a": [{{"b": "{escaped}", "b": 1}}]}}'.encode(),
    ):
        clean = redact_message(data).decode("latin-1")
        assert secret not in clean
        assert escaped not in clean
        assert REDACTION_MARK in clean or b'": 1}' in data
        assert base64.b64encode(inner).decode() not in clean


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("token", True),
        ("idToken", True),
        ("Authorization", True),
        ("client-secret", True),
        ("token_sha256", False),
        ("secret_versions", False),
        ("reason", False),
    ],
)
def test_a_field_that_holds_a_secret_by_its_name(name: str, secret: bool) -> None:
    """Its value goes, whatever it looks like; the hash of one is none."""
    assert is_secret_field(name) is secret
    clean = json.loads(redact_message(json.dumps({"x": [{name: {"deep": "hunter2"}}]}).encode()))
    assert clean["x"][0][name] == (REDACTION_MARK if secret else {"deep": "hunter2"})


NESTED: Any = {"token": {"x": "hunter2"}}
for _ in range(4):
    NESTED = {"a": json.dumps(NESTED)}


@pytest.mark.parametrize(
    "data",
    [
        b'{"token": "hunter2", "token": ""}',
        b'{"a": {"token": "hunter2"}, "a": 1}',
        b'[{"a": 1}, {"token": "hunter2", "token": 1}]',
        json.dumps({"a": base64.b64encode(b'{"password": "hunter2", "password": 1 }').decode()}).encode(),
        json.dumps(NESTED).encode(),
        json.dumps([json.dumps({"b": json.dumps({"c": json.dumps({"token": "hunter2"})})})]).encode(),
    ],
)
def test_a_secret_that_a_reader_of_the_message_does_not_see_goes(data: bytes) -> None:
    """Of a key that stands twice, both values; in JSON within JSON, at any depth."""
    clean = redact_message(data)

    assert b"hunter2" not in clean
    assert base64.b64encode(b'{"password": "hunter2"')[:20] not in clean
    assert redact_message(clean) == clean


@pytest.mark.parametrize(
    ("nested", "expected"),
    [
        ('{"apiKeyId":98765}', '{"apiKeyId":98765}'),
        ('{"a": "b", "secretVersion": 1234, "x": 1}', '{"a": "b", "secretVersion": 1234, "x": 1}'),
        (
            '{"n":{"apiKeyId":98765},"token":12345}',
            f'{{"n":{{"apiKeyId":98765}},"token":"{REDACTION_MARK}"}}',
        ),
        ('{no JSON: password: "häßlich123", x', f'{{no JSON: password: "{REDACTION_MARK}", x'),
    ],
)
def test_json_within_json_stays_json(nested: str, expected: str) -> None:
    """Only the values of its secret fields go; a text that is no JSON is searched as a text."""
    assert json.loads(redact_message(json.dumps({"t": nested}).encode())) == {"t": expected}


def test_no_event_is_ever_made_with_a_secret() -> None:
    """The one place where events are made cleans actor and facts, however deep."""
    told = create_event("x", START, f"eve {JWT}", note=f"said {JWT}", deep=[{"token": "abc", "a": (JWT,)}])

    assert JWT not in str(told)
    assert told.facts["deep"] == [{"token": REDACTION_MARK, "a": [REDACTION_MARK]}]


@pytest.mark.parametrize(
    "pattern",
    ["eyJ", "token", "a@", "a.", "+1 ", "://a", "-----BEGIN PRIVATE KEY-----", "x=", "Bearer ", "(650) "],
)
def test_a_hostile_text_takes_linear_time(pattern: str) -> None:
    """A megabyte of beginnings of secrets is read before the test is given up, not in hours."""
    text = pattern * (1024 * 1024 // len(pattern))

    assert redact_personal_data(text)
