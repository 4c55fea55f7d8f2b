"""Hostile messages at every entry point, through main.py as it stands, over a world of fakes.

`tests/fixtures/hostile` keeps inputs that once did harm or might: `*.data` is what a message holds,
`*.body` a whole request; `why.txt` says why each is kept.
"""

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, urlencode

import flask
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.test import create_environ

import main
from shared.core import topics
from tests.support.cli.browser import HOST, Browser
from tests.support.runtime.entry_points import (
    ANY_SUBSCRIPTION,
    APP,
    ENTRY_POINTS,
    EntryPointPorts,
    build_alert_push,
    build_push,
    name_subscription,
    post_to_entry_point,
    start_instance,
)
from tests.support.runtime.world import World

CORPUS = Path(__file__).parent.parent / "fixtures" / "hostile"
UNREAD = "on_clock"
"""The content of a tick says nothing: only its envelope can be wrong."""
SECRET = b"hunter2"
MEBIBYTE = 1024 * 1024
PEAK = 9
"""So many times its own size may a message take of memory: it is read, decoded and kept."""

EVERYWHERE = pytest.mark.parametrize("entry_point", ENTRY_POINTS)


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[EntryPointPorts]:
    with start_instance(monkeypatch) as ports:
        yield ports


def letters(ports: EntryPointPorts) -> list[bytes]:
    """What was dead-lettered, each with a reason."""
    kept = [one for one in ports.bus.messages if one.topic == topics.DEAD_LETTERS]
    assert all(one.attributes["reason"] for one in kept)
    return [one.data for one in kept]


def takes_alerts(ports: EntryPointPorts) -> bool:
    """Whether a real alert still opens an incident."""
    answer = post_to_entry_point("on_alert", build_alert_push(ports))
    return answer == 204 and "alerts/0.real:open" in ports.store.documents


def acted_on(ports: EntryPointPorts, before: set[str]) -> bool:
    """Whether anything but the trail of refusals and their notices was written."""
    new = set(ports.store.documents) - before
    return any(not path.startswith(("systems/unclaimed/audit/refused:", "notices/")) for path in new)


def test_the_corpus_is_explained() -> None:
    """Every kept input says in one line why it is kept."""
    why = dict(line.split(": ", 1) for line in (CORPUS / "why.txt").read_text().splitlines())

    assert set(why) == {file.name for file in CORPUS.iterdir()} - {"why.txt"}


@EVERYWHERE
@pytest.mark.parametrize("file", sorted(CORPUS.glob("*.*[ay]")), ids=lambda file: file.name)
def test_a_kept_input(entry_point: str, file: Path, ports: EntryPointPorts) -> None:
    """Never a crash, never a redelivery without end: acted on or dead-lettered, and then forgotten.

    Others are not blocked by it.
    """
    content = file.read_bytes()
    before = set(ports.store.documents)

    answer = post_to_entry_point(entry_point, content if file.suffix == ".body" else build_push(content))

    assert answer == 204
    hands_over = entry_point in ("on_work", "on_notice")
    assert letters(ports) or acted_on(ports, before) or entry_point == UNREAD or hands_over
    assert not any(SECRET in letter for letter in letters(ports))
    assert takes_alerts(ports)


@EVERYWHERE
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=st.binary(max_size=300))
def test_any_bytes_as_a_request(entry_point: str, body: bytes, ports: EntryPointPorts) -> None:
    """What is no message is a dead letter, and acknowledged."""
    before = len(letters(ports))

    assert post_to_entry_point(entry_point, body) == 204
    assert len(letters(ports)) == before + 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(max_size=12), parts, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        *("version", "incident", "command", "system", "reason", "kind", "id", "due_at", "at", "mode"),
        *("deployment", "stable", "batch_size", "functions", "groups", "target", "delay_seconds"),
    ]
)
VALUES = JSON | st.sampled_from(
    [1, "1.2", "bookshop", "rollback", "notice", "promote", "pause", "act", "a/b", "..", True, 5.0]
)


@EVERYWHERE
@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=st.dictionaries(FIELDS, VALUES, max_size=7))
def test_any_content_of_a_message(entry_point: str, content: dict[str, Any], ports: EntryPointPorts) -> None:
    """Fields of ours with anything in them never crash an instance, nor come again for ever."""
    assert post_to_entry_point(entry_point, build_push(json.dumps(content).encode())) == 204


@EVERYWHERE
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    name=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=300),
    source=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=300),
    time=st.sampled_from(["", "now", "9999-12-31T23:59:59.9Z", "2026-03-02T12:00:00Z"]),
)
def test_any_headers_of_an_event(
    entry_point: str, name: str, source: str, time: str, ports: EntryPointPorts
) -> None:
    """Id, source and time come from outside: none of them names a document or breaks a letter."""
    headers = {"ce-id": name, "ce-source": f"//x/projects/p/topics/{source}", "ce-time": time}

    assert post_to_entry_point(entry_point, build_push(b"{}", ""), headers) in (204, 403)


LARGE = {
    "letters": b'{"subscription":"%s","message":{"data":"%s"}}' % (ANY_SUBSCRIPTION, b"A" * (10 * MEBIBYTE)),
    "a full message": build_push(b"x" * 10_000_000),
    "lists": b"[" + b"[]," * (10 * MEBIBYTE // 3) + b"0]",
    "objects": b'{"a":[' + b"{}," * (10 * MEBIBYTE // 3) + b"0]}",
    "attributes": b'{"message":{"attributes":{'
    + b",".join(b'"%d":""' % number for number in range(900_000))
    + b"}}}",
    "lists in a message": build_push(b"[" + b"[]," * 3_000_000 + b"0]"),
}


@EVERYWHERE
@pytest.mark.parametrize("kind", LARGE)
def test_memory_of_the_largest_messages(entry_point: str, kind: str, ports: EntryPointPorts) -> None:
    """Ten megabytes take a small multiple of themselves, whatever is in them: no instance dies."""
    body = name_subscription(LARGE[kind], ENTRY_POINTS[entry_point])
    post_to_entry_point(entry_point, b"{}")  # everything is imported and built
    tracemalloc.start()
    try:
        assert post_to_entry_point(entry_point, body) == 204
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < PEAK * len(body)
    assert takes_alerts(ports)


PLACES = st.sampled_from(
    [
        *("/", "/sign-in", "/sign-out", "/say", "/said", "/deployments", "/backups", "/pins"),
        *("/audit", "/trends", "/incidents/", "/incidents/../x", "/incidents/x/report"),
        *("/assets/", "/assets/..", "/assets/\0", "/assets/console.html"),
    ]
)
SAID = st.text(max_size=30) | st.sampled_from(
    ["", "..", "\0", "\r\nX: y", "\ud800", "9" * 5000, "1e400", "2026-13-45", "//evil", "bookshop"]
)
WORDS = st.dictionaries(
    st.sampled_from(["to", "back", "command", "system", "incident", "id", "mark", "until", "mode"]) | SAID,
    SAID | st.sampled_from(["rollback", "pause", "promote", "approve", "act"]),
    max_size=4,
)


@pytest.fixture(scope="module")
def browser() -> Browser:
    """Of somebody who has signed in."""
    browser = Browser(World())
    browser.sign_in()
    return browser


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    method=st.sampled_from(["GET", "POST", "PUT"]),
    place=PLACES | SAID.map("/{}".format),
    query=WORDS,
    form=WORDS,
    cookie=st.none() | SAID,
    origin=st.booleans(),
)
def test_any_visit_of_the_console(
    browser: Browser,
    method: str,
    place: str,
    query: dict[str, str],
    form: dict[str, str],
    cookie: str | None,
    origin: bool,
) -> None:
    """Whoever asks for whatever gets a page, and no line of theirs becomes a header of ours."""
    known = browser.cookies if cookie is None else dict.fromkeys(browser.cookies, cookie)
    jar = "; ".join(f"{name}={quote(value, errors='replace')}" for name, value in known.items())
    headers = {"Host": HOST, "Cookie": jar}
    if origin:
        headers["Origin"] = f"https://{HOST}"
    asked = urlencode(query, errors="surrogatepass")
    path = place.encode(errors="surrogatepass").decode("latin-1")  # as a server hands it on
    sent = urlencode(form, errors="surrogatepass")
    kind = "application/x-www-form-urlencoded"
    with (
        APP.test_request_context(
            query_string=asked,
            method=method,
            data=sent,
            headers=headers,
            content_type=kind,
            environ_overrides={"PATH_INFO": path},
        ),
        patch.multiple(main, _policies_in_force=lambda: None, _console=lambda _: browser.console),
    ):
        _, status, answered = main.console(flask.request)

    assert status < 500
    assert not any("\r" in value or "\n" in value for value in answered.values())


@pytest.mark.parametrize("chunked", [False, True])
def test_memory_of_the_largest_form(browser: Browser, chunked: bool) -> None:
    """Who may not even sign in cannot fill the memory: no more of a form is read than ours have."""
    form = b"a=1&" * (10 * MEBIBYTE // 4)
    kind = "application/x-www-form-urlencoded"
    environ = create_environ("/sign-in", method="POST", content_type=kind, data=form)
    environ["wsgi.input_terminated"] = True
    if chunked:
        del environ["CONTENT_LENGTH"]
    tracemalloc.start()
    try:
        with (
            APP.request_context(environ),
            patch.multiple(main, _policies_in_force=lambda: None, _console=lambda _: browser.console),
            suppress(RequestEntityTooLarge),
        ):
            main.console(flask.request)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < len(form) / 2
