"""What the public sees, from detection to ninety days later, whoever dies meanwhile."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from msgspec.structs import replace

from shared import handover, topics
from shared.audience import Component, StatusPage
from shared.incident import PublicState, PublicTurn
from shared.page_templates import hash_of
from shared.plain import one_line
from shared.severity import Severity
from shared.status_page import DAYS, Day, Mood, disruptions, downtime, is_shown, view
from shared.status_rendering import ATOM, JSON, PAGE, TEMPLATES, rendered
from tests.fakes.clock import START
from tests.fakes.hooks import no_hook
from tests.fakes.pages import MemoryPages
from tests.test_wording import ATTACKS
from tests.world import BOOKSHOP, World

SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)
BACK_SINCE = START - 200 * DAY
ADDRESS = "https://status.example/public/bookshop"
ATOM_SPACE = {"a": "http://www.w3.org/2005/Atom"}
PARTS = (Component("Shop"), Component("Signing in", ("authentication_failure",)))


def state(
    severity: Severity = Severity.CRITICAL,
    since: datetime = START,
    *turns: tuple[str, timedelta],
    ended: timedelta | None = None,
    **changes: object,
) -> PublicState:
    """An incident that was detected then, with what became of it, counted from there."""
    said = [PublicTurn("detected", since), *(PublicTurn(word, since + at) for word, at in turns)]
    made = PublicState(
        system="bookshop",
        display_name="Bookshop",
        word=said[-1].word,
        incident="INC-20260302-001",
        severity=severity,
        since=since,
        updated_at=said[-1].at,
        signal="function_failure_rate",
        onset_at=since - MINUTE,
        turns=said,
        ended_at=None if ended is None else since + ended,
    )
    return replace(made, **changes)


def page_world(**changes: object) -> World:
    world = World(policy=replace(BOOKSHOP, status_page=StatusPage(**changes)))  # type: ignore[arg-type]
    world.ports.pages = MemoryPages()
    return world


def page(world: World, name: str = PAGE) -> str:
    assert world.ports.pages is not None
    return world.ports.pages.kept[f"public/bookshop/{name}"][1].decode()


class Reader(HTMLParser):
    """Elements with their attributes, and the text that people read."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)


# The policy of what is shown

RULES = StatusPage(
    publish_after={Severity.CRITICAL: timedelta(0), Severity.HIGH: timedelta(seconds=90)}
)


@pytest.mark.parametrize(
    ("told", "after", "shown"),
    [
        (state(Severity.CRITICAL), timedelta(0), True),
        (state(Severity.HIGH), 89 * SECOND, False),
        (state(Severity.HIGH), 90 * SECOND, True),
        (state(Severity.HIGH, ended=89 * SECOND), DAY, False),
        (state(Severity.HIGH, ended=90 * SECOND), DAY, True),
        (state(Severity.MEDIUM), DAY, False),
        (state(Severity.MEDIUM, published=True), timedelta(0), True),
        (state(severity=None), DAY, False),  # type: ignore[arg-type]
    ],
)
def test_what_the_public_sees_and_when(told: PublicState, after: timedelta, shown: bool) -> None:
    """At once, after a while unless it was over by then, or when a person says so."""
    assert is_shown(told, RULES, START + after) is shown


# Uptime


@pytest.mark.parametrize(
    ("told", "spans"),
    [
        (state(), [(-MINUTE, HOUR)]),
        (state(ended=5 * MINUTE), [(-MINUTE, 5 * MINUTE)]),
        (state(Severity.HIGH, START, ("rolling back (monitoring)", MINUTE)), [(-MINUTE, MINUTE)]),
        (
            state(
                Severity.HIGH,
                START,
                ("rolling back (monitoring)", MINUTE),
                ("resolved", 31 * MINUTE),
                ("investigating", 40 * MINUTE),
            ),
            [(-MINUTE, MINUTE), (40 * MINUTE, HOUR)],
        ),
        (state(onset_at=None, turns=[]), [(timedelta(0), HOUR)]),
    ],
)
def test_when_it_did_not_work(told: PublicState, spans: list[tuple[timedelta, timedelta]]) -> None:
    """From the onset until it was back; anew when it came back; not while it is only watched."""
    found = [(began - START, ended - START) for began, ended in disruptions(told, START + HOUR)]

    assert found == spans


@pytest.mark.parametrize(
    ("spans", "minutes"),
    [
        ([], 0),
        ([(0, 10)], 10),
        ([(0, 10), (5, 15)], 15),
        ([(5, 15), (0, 20)], 20),
        ([(-10, 5)], 5),
        ([(55, 70)], 5),
        ([(-10, -1), (60, 61)], 0),
    ],
)
def test_overlapping_trouble_counts_once(spans: list[tuple[int, int]], minutes: int) -> None:
    """And only what lies within the time that is asked for."""
    real = [(START + began * MINUTE, START + ended * MINUTE) for began, ended in spans]

    assert downtime(real, START, START + HOUR) == minutes * MINUTE


def test_ninety_days_of_a_part() -> None:
    """Each day in UTC, the oldest first; an incident over midnight counts in both."""
    midnight = START.replace(hour=0)
    told = state(Severity.HIGH, midnight, ended=HOUR, onset_at=midnight - 30 * MINUTE)

    seen = view(BOOKSHOP, [told], BACK_SINCE, START)

    [part] = seen.parts
    yesterday, today = part.days[-2:]
    assert len(part.days) == DAYS
    assert yesterday == Day(midnight.date() - DAY, 30 * MINUTE, Mood.TROUBLED)
    assert today == Day(midnight.date(), HOUR, Mood.DOWN)
    assert {one.mood for one in part.days[:-2]} == {Mood.WORKING}
    assert part.uptime == 1 - 90 * MINUTE / (89 * DAY + 12 * HOUR)


def test_before_anybody_watched_nothing_is_claimed() -> None:
    """Unknown is not the same as up."""
    seen = view(BOOKSHOP, [], START - 3 * DAY, START)

    moods = [one.mood for one in seen.parts[0].days]
    assert moods == [Mood.UNKNOWN] * 86 + [Mood.WORKING] * 4
    assert view(BOOKSHOP, [], START, START).parts[0].uptime is None


@pytest.mark.parametrize("severity", [Severity.MEDIUM, Severity.LOW])
def test_small_trouble_is_shown_and_not_counted(severity: Severity) -> None:
    """Uptime is about what did not work."""
    seen = view(BOOKSHOP, [state(severity)], BACK_SINCE, START + HOUR)

    assert len(seen.active) == 1
    assert seen.parts[0].uptime == 1.0


# Words


@pytest.mark.parametrize(
    ("told", "mood", "words"),
    [
        ([], Mood.WORKING, "Working."),
        ([state()], Mood.DOWN, "Not working. We have seen trouble and look into it."),
        (
            [state(Severity.HIGH, START, ("rolling back", MINUTE))],
            Mood.TROUBLED,
            "Disrupted. We bring back the last version that worked.",
        ),
        (
            [state(Severity.HIGH, START, ("rolling back (monitoring)", MINUTE))],
            Mood.WATCHED,
            "It works again. We watch it for a while.",
        ),
        ([state(ended=MINUTE)], Mood.WORKING, "Working."),
        ([state(Severity.LOW), state()], Mood.DOWN, "Not working. We have seen"),
        ([replace(state(), severity=None, published=True)], Mood.TROUBLED, "Small trouble"),
    ],
)
def test_a_part_in_plain_words(told: list[PublicState], mood: Mood, words: str) -> None:
    """The worst that troubles it; what is over troubles nobody."""
    [part] = view(BOOKSHOP, told, BACK_SINCE, START + HOUR).parts

    assert part.mood is mood
    assert part.words.startswith(words)


def test_a_part_that_the_signal_does_not_concern() -> None:
    """It works, and the page says that some parts do not."""
    policy = replace(BOOKSHOP, status_page=StatusPage(components=PARTS))

    seen = view(policy, [state()], BACK_SINCE, START)

    assert [one.mood for one in seen.parts] == [Mood.DOWN, Mood.WORKING]
    assert seen.mood is Mood.DOWN
    assert seen.active[0].parts == ("Shop",)


def test_trouble_of_no_part() -> None:
    """The page never says that all is well while an incident is open."""
    policy = replace(BOOKSHOP, status_page=StatusPage(components=PARTS[1:]))

    seen = view(policy, [state()], BACK_SINCE, START)

    assert (seen.mood, seen.parts[0].mood) == (Mood.TROUBLED, Mood.WORKING)


# The objects

HOSTILE = "<script>alert(1)</script> & \"'</style>]]>"


def hostile() -> dict[str, str]:
    policy = replace(
        BOOKSHOP,
        display_name=HOSTILE,
        status_page=StatusPage(components=(Component(HOSTILE),)),
    )
    seen = view(policy, [state(), state(ended=MINUTE)], BACK_SINCE, START + HOUR)
    return {name: made.content.decode() for name, made in rendered(seen, ADDRESS).items()}


def test_no_text_becomes_markup() -> None:
    """Whatever a name holds is read as it is written."""
    made = hostile()

    reader = Reader(made[PAGE])
    assert reader.open == []
    assert "script" not in {tag for tag, _ in reader.elements}
    assert any(HOSTILE in text for text in reader.text)
    feed = ElementTree.fromstring(made[ATOM])  # noqa: S314 - our own
    assert feed.findtext("a:title", namespaces=ATOM_SPACE) == f"{HOSTILE} status"
    assert json.loads(made[JSON])["title"] == f"{HOSTILE} status"


def test_the_page_runs_nothing_and_fetches_nothing() -> None:
    """No script, no style but its own by its hash, no form, no address of anybody else."""
    made = hostile()[PAGE]
    elements = Reader(made).elements
    [policy] = [
        str(given["content"])
        for tag, given in elements
        if tag == "meta" and given.get("http-equiv") == "Content-Security-Policy"
    ]
    [style] = re.findall(r"<style>(.*?)</style>", made, re.DOTALL)

    assert policy.startswith("default-src 'none'; ")
    assert f"style-src '{hash_of(style)}'" in policy
    assert "unsafe" not in policy
    assert {tag for tag, _ in elements}.isdisjoint({"script", "img", "iframe", "form", "object"})
    assert not [name for _, given in elements for name in given if name.startswith("on")]
    assert "style" not in {name for _, given in elements for name in given}
    links = {given["href"] for tag, given in elements if tag in ("a", "link")}
    assert links == {ATOM, JSON}
    assert "url(" not in (TEMPLATES / "page.css").read_text()


def test_the_page_can_be_heard_and_read_on_a_phone() -> None:
    """Language, title, one main heading, landmarks, headings in order, named sections, width."""
    elements = Reader(hostile()[PAGE]).elements
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
    text = " ".join("".join(Reader(hostile()[PAGE]).text).split())

    assert "Written at 2026-03-02 13:00 UTC. If that is older than five minutes, treat" in text


@pytest.mark.parametrize(
    ("share", "words"), [(1.0, "100.000 %"), (0.999999, "99.999 %"), (0.0, "0.000 %")]
)
def test_uptime_is_never_rounded_up(share: float, words: str) -> None:
    """What was not whole is not called whole."""
    seen = view(BOOKSHOP, [], BACK_SINCE, START)
    part = replace(seen.parts[0], uptime=share)

    made = rendered(replace(seen, parts=(part,)), ADDRESS)[PAGE].content.decode()

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
    seen = view(BOOKSHOP, [], since, START + HOUR)

    text = " ".join("".join(Reader(rendered(seen, ADDRESS)[PAGE].content.decode()).text).split())

    assert f"Uptime {words}: 100.000 %" in text


def test_feeds_tell_of_each_incident_once() -> None:
    """By an id that stays, with its story, in Atom and in JSON alike."""
    told = state(Severity.HIGH, START, ("resolved", MINUTE), ended=MINUTE)
    made = rendered(view(BOOKSHOP, [told], BACK_SINCE, START + HOUR), ADDRESS)

    feed = ElementTree.fromstring(made[ATOM].content)  # noqa: S314 - our own
    [entry] = feed.findall("a:entry", ATOM_SPACE)
    [item] = json.loads(made[JSON].content)["items"]
    atom = [entry.findtext(f"a:{name}", namespaces=ATOM_SPACE) for name in ("id", "updated")]
    assert atom == [f"{ADDRESS}/index.html#INC-20260302-001", "2026-03-02T12:01:00Z"]
    assert [item["id"], item["date_modified"]] == atom
    assert item["content_text"].splitlines() == [
        "2026-03-02 12:01 UTC: It is over.",
        "2026-03-02 12:00 UTC: We have seen trouble and look into it.",
    ]
    assert feed.findtext("a:updated", namespaces=ATOM_SPACE) == "2026-03-02T12:01:00Z"


# The page through an incident


def test_the_page_lives_through_a_rollback() -> None:
    """Within a minute of detection it says so, then what is done, then that it is over."""
    world = page_world()
    world.pass_time(MINUTE)
    assert "All parts work." in page(world)
    world.command(command="promote", system="bookshop", mode="ask")
    world.settle()
    world.deploy_bad()
    world.alert()
    world.settle()
    [incident] = world.incidents()

    world.pass_time(MINUTE)
    written = re.findall(r"Written at <time datetime=\"([^\"]+)\"", page(world))
    assert incident.id in page(world)
    assert "Not working." in page(world)
    assert datetime.fromisoformat(written[0]) - incident.detected_at <= MINUTE
    world.command(command="approve", system="bookshop", incident=incident.id)

    world.pass_time(5 * MINUTE)
    assert "All parts work again. We watch them for a while." in page(world)

    world.pass_time(45 * MINUTE)
    assert "All parts work." in page(world)
    assert "It is over." in page(world)
    assert re.search(r"Uptime since .*2026-03-02 1\d:\d\d UTC</time>: \d\d\.\d{3} %", page(world))
    assert incident.id in page(world, ATOM)
    assert incident.id in page(world, JSON)


def test_nothing_personal_or_internal_is_on_it() -> None:
    """No name of a person, no reason, no function, no cause: only the prepared words."""
    world = page_world()
    world.deploy_bad()
    world.command(
        actor="anna@example.com",
        command="rollback",
        system="bookshop",
        reason="ring +49 30 1234567",
    )
    world.pass_time(5 * MINUTE)

    for name in (PAGE, ATOM, JSON):
        assert not re.search("anna|[^b]ring|1234567|payOrder|function|ordered", page(world, name))


def test_what_the_policy_holds_back_a_person_publishes() -> None:
    """Until then nothing of it is on the page; from then on it is, and a second word is refused."""
    world = page_world(publish_after={})
    world.deploy_bad()
    world.alert()
    world.pass_time(2 * MINUTE)
    [incident] = world.incidents()
    assert incident.id not in page(world)

    about = {"command": "publish", "system": "bookshop", "incident": incident.id}
    world.command(**about)
    world.command(**about)
    world.pass_time(MINUTE)

    assert incident.id in page(world)
    assert "INC-20260302-001:published:record" in {one.key for one in world.ports.sender.sent}
    [letter] = world.ports.bus.take(topics.DEAD_LETTERS)
    assert "is public by" in letter.attributes["reason"]


def test_a_false_alarm_that_was_over_in_time_is_never_shown() -> None:
    """The policy waits, and finds that there is nothing to say."""
    world = page_world(publish_after={Severity.CRITICAL: 10 * MINUTE})
    world.alert()
    world.alert(state="closed")
    world.pass_time(15 * MINUTE)

    [incident] = world.incidents()
    assert incident.ended_at is not None
    assert incident.id not in page(world)


def test_a_dead_bucket_delays_nothing() -> None:
    """The rollback ends in its time; the page is right again half a minute after the bucket is."""
    world = page_world()
    pages = world.ports.pages
    assert pages is not None

    def refuse(verb: str, side: str) -> None:
        del side
        raise ConnectionError(verb)

    stable = world.live
    pages.hook = refuse
    world.deploy_bad()
    world.alert()
    with pytest.raises(ConnectionError):
        world.pass_time(MINUTE)
    pages.hook = no_hook
    world.pass_time(5 * MINUTE)

    assert world.live == stable
    assert "We watch them" in page(world)


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("verb", ["store.commit", "pages.generation", "pages.put"])
def test_a_writer_that_dies_anywhere(verb: str, side: str) -> None:
    """Its redelivery writes the page, and the time since when is watched stays what it was."""

    class Died(BaseException):
        pass

    world = page_world()
    pages, deaths = world.ports.pages, [verb]
    assert pages is not None

    def die(asked: str, at: str) -> None:
        if deaths and (asked, at) == (verb, side):
            deaths.clear()
            raise Died

    due = [*world.waiting()]
    now = world.ports.clock.now()
    handover.publish(world.ports.bus, handover.PAGE, "bookshop", now)
    [message] = [one for one in world.waiting() if one not in due]
    pages.hook = world.ports.store.hook = die
    with pytest.raises(Died):
        world.deliver(message)
    pages.hook = world.ports.store.hook = no_hook
    world.start_instances()
    world.ports.clock.advance(10 * SECOND)

    assert world.deliver(message)
    assert "All parts work." in page(world)
    since = world.ports.store.documents["pages/bookshop"]["since"]
    assert since == now + (10 * SECOND if (verb, side) in LOST else timedelta(0))


LOST = {("store.commit", "before"), ("pages.generation", "before"), ("pages.generation", "after")}


def test_a_slow_writer_does_not_undo_a_newer_page() -> None:
    """What was read before the other's write is not put in its place."""
    world = page_world()
    pages = world.ports.pages
    assert pages is not None
    handover.publish(world.ports.bus, handover.PAGE, "bookshop", world.ports.clock.now())
    [message] = world.waiting()
    slow = [True]

    def overtake(verb: str, side: str) -> None:
        if slow and (verb, side) == ("pages.put", "before"):
            slow.clear()
            world.ports.clock.advance(MINUTE)
            assert world.deliver(message)

    pages.hook = overtake
    assert world.deliver(message)

    assert f'Written at <time datetime="{START + MINUTE:%Y-%m-%dT%H:%M}' in page(world)


@pytest.mark.parametrize(("late", "written"), [(5 * MINUTE, True), (5 * MINUTE + SECOND, False)])
def test_a_request_for_a_page_that_comes_late(late: timedelta, written: bool) -> None:
    """Later ones have asked for it again: a storm of old ones writes nothing."""
    world = page_world()
    handover.publish(world.ports.bus, handover.PAGE, "bookshop", world.ports.clock.now() - late)

    world.settle()

    assert world.ports.pages is not None
    assert bool(world.ports.pages.kept) is written


@pytest.mark.parametrize("attack", [*ATTACKS.values(), "<img src=x onerror=alert(1)>\x1b\x00"])
def test_what_a_person_has_written_for_the_public_is_text(attack: str) -> None:
    """On the page and in both feeds, whatever it is."""
    told = state(Severity.CRITICAL, START, ("resolved", HOUR), ended=HOUR, cause=attack)

    made = rendered(view(BOOKSHOP, [told], BACK_SINCE, START + HOUR), ADDRESS)

    page = made[PAGE].content.decode()
    assert not re.search(r"<(script|img|iframe)|\son\w+=\"", page.partition("</head>")[2])
    feed = ElementTree.fromstring(made[ATOM].content)  # noqa: S314 - our own
    text = feed.findtext("a:entry/a:content", namespaces=ATOM_SPACE) or ""
    [item] = json.loads(made[JSON].content)["items"]
    for said in (text, item["content_text"]):
        assert one_line(attack) in said
        assert len(said.strip().splitlines()) == 3
