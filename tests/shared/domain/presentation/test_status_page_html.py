"""The page and its feeds: plain text, for everybody, with nothing fetched."""

import json
import re
import xml.etree.ElementTree as ElementTree
from datetime import datetime
from itertools import pairwise

import pytest
from msgspec.structs import replace

from shared.domain.incidents.incident import PublicState
from shared.domain.policy.channels import Component, StatusPage
from shared.domain.policy.severity import Severity
from shared.domain.presentation.html_templates import style_hash
from shared.domain.presentation.status_page import build_status_page
from shared.domain.presentation.status_page_html import ATOM, JSON, PAGE, TEMPLATE_FOLDER, render_objects
from tests.support.fakes.runtime.clock import START
from tests.support.notices.status_page import (
    ADDRESS,
    ATOM_SPACE,
    BACK_SINCE,
    DAY,
    HOUR,
    MINUTE,
    StatusPageReader,
    build_public_state,
)
from tests.support.runtime.world import BOOKSHOP

HOSTILE = "<script>alert(1)</script> & \"'</style>]]>"


def hostile() -> dict[str, str]:
    policy = replace(BOOKSHOP, display_name=HOSTILE, status_page=StatusPage(components=(Component(HOSTILE),)))
    seen = build_status_page(
        policy, [build_public_state(), build_public_state(ended=MINUTE)], BACK_SINCE, START + HOUR
    )
    return {name: made.content.decode() for name, made in render_objects(seen, ADDRESS).items()}


def test_no_text_becomes_markup() -> None:
    """Whatever a name holds is read as it is written."""
    made = hostile()

    reader = StatusPageReader(made[PAGE])
    assert reader.open == []
    assert "script" not in {tag for tag, _ in reader.elements}
    assert any(HOSTILE in text for text in reader.text)
    feed = ElementTree.fromstring(made[ATOM])  # noqa: S314 - our own
    assert feed.findtext("a:title", namespaces=ATOM_SPACE) == f"{HOSTILE} status"
    assert json.loads(made[JSON])["title"] == f"{HOSTILE} status"


def test_the_page_runs_nothing_and_fetches_nothing() -> None:
    """No script, no style but its own by its hash, no form, no address of anybody else."""
    made = hostile()[PAGE]
    elements = StatusPageReader(made).elements
    [policy] = [
        str(given["content"])
        for tag, given in elements
        if tag == "meta" and given.get("http-equiv") == "Content-Security-Policy"
    ]
    [style] = re.findall(r"<style>(.*?)</style>", made, re.DOTALL)

    assert policy.startswith("default-src 'none'; ")
    assert f"style-src '{style_hash(style)}'" in policy
    assert "unsafe" not in policy
    assert {tag for tag, _ in elements}.isdisjoint({"script", "img", "iframe", "form", "object"})
    assert not [name for _, given in elements for name in given if name.startswith("on")]
    assert "style" not in {name for _, given in elements for name in given}
    links = {given["href"] for tag, given in elements if tag in ("a", "link")}
    assert links == {ATOM, JSON}
    assert "url(" not in (TEMPLATE_FOLDER / "page.css").read_text()


def test_the_page_can_be_heard_and_read_on_a_phone() -> None:
    """Language, title, one main heading, landmarks, headings in order, named sections, width."""
    elements = StatusPageReader(hostile()[PAGE]).elements
    tags = [tag for tag, _ in elements]
    ids = [given["id"] for _, given in elements if "id" in given]
    headings = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]

    assert elements[0] == ("html", {"lang": "en"})
    assert [tags.count(one) for one in ("title", "h1", "header", "main", "footer")] == [1] * 5
    assert headings[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))
    named = [given["aria-labelledby"] for _, given in elements if "aria-labelledby" in given]
    assert set(named) <= set(ids)
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in [
        given for tag, given in elements if tag == "meta"
    ]
    assert all(given.get("scope") == "col" for tag, given in elements if tag == "th")


def test_it_says_when_it_was_written_and_how_long_that_holds() -> None:
    """Whoever reads it knows by themselves whether it is still true."""
    text = " ".join("".join(StatusPageReader(hostile()[PAGE]).text).split())

    assert "Written at 2026-03-02 13:00 UTC. If this time is more than five minutes ago," in text


@pytest.mark.parametrize(("share", "words"), [(1.0, "100.000 %"), (0.999999, "99.999 %"), (0.0, "0.000 %")])
def test_uptime_is_never_rounded_up(share: float, words: str) -> None:
    """What was not whole is not called whole."""
    seen = build_status_page(BOOKSHOP, [], BACK_SINCE, START)
    part = replace(seen.parts[0], uptime=share)

    made = render_objects(replace(seen, parts=(part,)), ADDRESS)[PAGE].content.decode()

    assert f"Uptime of 90 days: {words}" in made


@pytest.mark.parametrize(
    ("since", "words"),
    [
        (START, "since 2026-03-02 12:00 UTC"),
        (START.replace(hour=0) - 89 * DAY + MINUTE, "since 2025-12-03 00:01 UTC"),
        (START.replace(hour=0) - 89 * DAY, "of 90 days"),
        (BACK_SINCE, "of 90 days"),
    ],
)
def test_uptime_says_of_which_time_it_is(since: datetime, words: str) -> None:
    """A page that is new does not speak for days that nobody watched."""
    seen = build_status_page(BOOKSHOP, [], since, START + HOUR)

    text = " ".join(
        "".join(StatusPageReader(render_objects(seen, ADDRESS)[PAGE].content.decode()).text).split()
    )

    assert f"Uptime {words}: 100.000 %" in text


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ([], ["No incident.", "No incident."]),
        ([build_public_state(Severity.HIGH, START)], ["No earlier incident."]),
    ],
)
def test_the_past_does_not_deny_an_open_incident(states: list[PublicState], said: list[str]) -> None:
    seen = build_status_page(BOOKSHOP, states, BACK_SINCE, START + HOUR)

    page = render_objects(seen, ADDRESS)[PAGE].content.decode()

    assert re.findall(r"<p>(No [^<]*)</p>", page) == said


def test_feeds_tell_of_each_incident_once() -> None:
    """By an id that stays, with its story, in Atom and in JSON alike."""
    told = build_public_state(Severity.HIGH, START, ("resolved", MINUTE), ended=MINUTE)
    made = render_objects(build_status_page(BOOKSHOP, [told], BACK_SINCE, START + HOUR), ADDRESS)

    feed = ElementTree.fromstring(made[ATOM].content)  # noqa: S314 - our own
    [entry] = feed.findall("a:entry", ATOM_SPACE)
    [item] = json.loads(made[JSON].content)["items"]
    atom = [entry.findtext(f"a:{name}", namespaces=ATOM_SPACE) for name in ("id", "updated")]
    assert atom == [f"{ADDRESS}/index.html#INC-20260302-001", "2026-03-02T12:01:00Z"]
    assert [item["id"], item["date_modified"]] == atom
    assert item["content_text"].splitlines() == [
        "2026-03-02 12:01 UTC: The incident is over.",
        "2026-03-02 12:00 UTC: We are investigating a problem with Bookshop.",
    ]
    assert feed.findtext("a:updated", namespaces=ATOM_SPACE) == "2026-03-02T12:01:00Z"
