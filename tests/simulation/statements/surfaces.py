"""What people read, rendered by the product's own code from what is stored."""

from __future__ import annotations

import html
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from cli.look import explain as explain_command
from cli.look import status as status_command
from cli.support import response_time
from cli.support.incident_follower import FollowedIncident, render_incident
from responders.console.pages import ConsolePages
from shared.core.codec import decode, encode
from shared.core.store import Document, Query
from shared.domain.incidents.incident import (
    PublicState,
    StatusPageRecord,
    page_record_path,
    public_history_path,
)
from shared.domain.incidents.recovery_times import RecoveryTimes, measure_recovery
from shared.domain.presentation import console_html, status_page, status_page_html
from shared.domain.presentation.status_page import StatusPageView
from shared.domain.reports.filed_report import FiledReport
from shared.state.reader import StateReader
from shared.state.system_status import SystemStatus, read_system_status
from tests.simulation.scenes.bookshop import LONG_AGO, SYSTEM

if TYPE_CHECKING:
    from tests.simulation.world import World


class ShownIncident(NamedTuple):
    """An incident as the page's HTML shows it."""

    id: str
    title: str
    newest: str


class PageText(NamedTuple):
    """What the public page and its feeds say, read from what browsers get."""

    overall: str
    now: tuple[ShownIncident, ...]
    parts: tuple[tuple[str, str], ...]
    past: tuple[ShownIncident, ...]
    quiet: tuple[bool, bool]
    """Whether "No incident." stands in what is now, and in what was."""
    feeds: tuple[str, ...]
    """What the feeds say otherwise than the page."""


DAYS_OF_A_WORLD = 1
"""The page counts uptime of so many days: no world lasts longer."""
_TAG = re.compile(r"<[^>]+>")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_NUMBERS = re.compile(r"\d+")
_ARTICLE = re.compile(
    r'<article id="([^"]*)".*?<h3[^>]*>(.*?)</h3>.*?<li><time[^>]*>[^<]*</time> (.*?)</li>', re.DOTALL
)
_PART = re.compile(r'<li>\s*<h3>(.*?)</h3>\s*<p class="state [^"]*">(.*?)</p>')
_OVERALL = re.compile(r'<p class="overall [^"]*">(.*?)</p>')
_ENTRY = re.compile(r"<entry>\s*<title>(.*?)</title>")
_CONSOLE_PAGES: dict[tuple[object, ...], str] = {}
_WATCHED: dict[tuple[object, ...], str] = {}
_PAGES: dict[tuple[object, ...], PageText] = {}
_HISTORY = re.compile(r'<section aria-labelledby="(?:decided-1|alerts)"')
"""Where the console's page begins to tell of the past."""
_SPACES = re.compile(r"\s+")


class QuietStore:
    """The same documents, read by nobody of the world: no fault, no time, no trace."""

    def __init__(self, world: World) -> None:
        self._world = world

    def get(self, path: str) -> Document:
        """The document, present or not."""
        return self._world.store.look_at(path)

    def query(self, query: Query) -> list[Document]:
        """What matches, in Firestore's order."""
        return self._world.store.look_for(query)


class Surfaces:
    """The surfaces of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        store: Any = QuietStore(world)  # nothing writes here
        self._store = store
        self._reading = StateReader(self._store)

    def page(self) -> StatusPageView:
        """The public page."""
        now = self._world.clock.now()
        policy, history = self._world.policy, self._store.query(Query(public_history_path(SYSTEM)))
        states = [self._reading.mark_rollback(decode(PublicState, one.fields)) for one in history]
        records: dict[str, StatusPageRecord] = {}
        for state in states:
            name = state.incident or ""
            path = page_record_path(SYSTEM, name)
            before = self._world.store.peek(path)
            known = decode(StatusPageRecord, before) if before else StatusPageRecord()
            records[name] = self._reading.observe_parts(policy, state, known, now)
            if records[name] != known:  # as the page's writer does, without its time
                self._world.store.keep(path, encode(records[name]))
        with _replaced((status_page,), "UPTIME_DAYS", DAYS_OF_A_WORLD):
            return status_page.build_status_page(policy, states, LONG_AGO, now, records)

    @staticmethod
    def read_page(view: StatusPageView) -> PageText:
        """The page as it is rendered; pages that differ in nothing but times are rendered once."""
        key = (
            status_page_html.render_objects,  # a mutant renders them otherwise
            status_page_html._json_feed,
            view.words,
            tuple((one.name, one.words) for one in view.parts),
            *(
                tuple((one.id, one.title, one.parts, one.lines[0].words) for one in some)
                for some in (view.active, view.past)
            ),
        )
        if key not in _PAGES:
            _PAGES[key] = _read_objects(view)
        return _PAGES[key]

    def times(self, incident: str) -> RecoveryTimes | None:
        """The two durations of an incident."""
        found = self._reading.incident(incident)
        if found is None:
            return None
        return measure_recovery(self._world.policy, found, self._reading.rollbacks(found))

    def status(self) -> tuple[SystemStatus, str]:
        """`rollback status`, typed and as it is printed."""
        now = self._world.clock.now()
        seen = read_system_status(self._reading, self._world.policy, self._reading.active_rollbacks(), now)
        return seen, _printed(seen, now)

    def console(self, seen: SystemStatus) -> str:
        """The console's page of the incident that the status shows, as text.

        Pages that differ in nothing but times and numbers say the same, and are rendered once.
        """
        key = _likeness(seen)
        if key not in _CONSOLE_PAGES:
            _CONSOLE_PAGES[key] = self._console(seen.incident.id if seen.incident else "")
        return _CONSOLE_PAGES[key]

    def watched(self, seen: SystemStatus) -> str:
        """`rollback watch` of the incident that the status shows; rendered as the console is."""
        incident, rollback, times, response = seen.incident, seen.rollback, seen.times, seen.response
        if not (incident and rollback and times and response and rollback.id.startswith(incident.id)):
            return ""
        key = _likeness(seen)
        if key not in _WATCHED:
            steps, now = list(seen.steps), self._world.clock.now()
            shown = render_incident(
                FollowedIncident(incident, rollback, steps, times, response, now, seen.outlook)
            )
            _WATCHED[key] = "\n".join(str(one) for one in shown.renderables[:-1])
        return _WATCHED[key]

    def explained(self, incident: str) -> str:
        """`rollback explain`."""
        said: list[str] = []
        wiring = SimpleNamespace(clock=self._world.clock)
        ours = SimpleNamespace(incident=self._reading.incident, reading=self._reading, wiring=wiring)

        def keep(text: str, style: str = "") -> None:
            said.append(text)

        with (
            _replaced((explain_command,), "print_line", keep),
            _replaced((explain_command,), "print_table", lambda *facts: None),
            _replaced((explain_command,), "print_plan", lambda *facts: None),
            _replaced((explain_command,), "open_operations", lambda: nullcontext(ours)),
        ):
            explain_command.explain(incident)
        return "\n".join(said)

    def _console(self, incident: str) -> str:
        world = self._world
        ports: Any = SimpleNamespace(
            store=self._store, clock=world.clock, buckets=SimpleNamespace(anchors=world.anchors)
        )
        policies = {SYSTEM: world.policy}
        visit: Any = SimpleNamespace(path=f"/incidents/{incident}" if incident else "/", query={})
        pages = ConsolePages(ports, policies)
        facts = pages.incident(visit) if incident else pages.systems(visit)
        beside = {
            "who": SimpleNamespace(name="eve"),
            "role": "admin",
            "speaks_until": None,
            "mark": "",
            "here": visit.path,
            "policies": policies,
            "now": world.clock.now(),
        }
        page = console_html.render_page("incident" if incident else "systems", {**beside, **facts})
        [_, live] = page.split('id="live"', 1)
        return text_of(_HISTORY.split(live, maxsplit=1)[0])


def _likeness(seen: SystemStatus) -> tuple[object, ...]:
    """All that decides on the words of the console's page, without times and numbers."""
    incident, rollback, response, times = seen.incident, seen.rollback, seen.response, seen.times
    return (
        incident and (incident.status, incident.severity, incident.ended_at is None),
        rollback and (rollback.status, rollback.plan is None, _NUMBERS.sub("", rollback.outcome)),
        response and (response.recovered_at is None, response.is_breached, response.respond_by is None),
        times and (times.names, times.kind, times.has_target, times.ended_at is None),
        times and (times.traffic_restored_at is None, times.recovered_at is None),
        response and (bool(response.acknowledged_by), response.next_call is None),
        seen.outlook is None,
    )


def _read_objects(view: StatusPageView) -> PageText:
    made = {name: one.content.decode() for name, one in status_page_html.render_objects(view, "").items()}
    page, feed = made[status_page_html.PAGE], json.loads(made[status_page_html.JSON])
    head, _, rest = page.partition('<h2 id="now">')
    now, _, rest = rest.partition('<h2 id="parts">')
    parts, _, past = rest.partition('<h2 id="past">')
    [overall] = map(html.unescape, _OVERALL.findall(head))
    shown, ended = (
        tuple(ShownIncident(*map(html.unescape, one)) for one in _ARTICLE.findall(text))
        for text in (now, past)
    )
    named = tuple((html.unescape(name), html.unescape(words)) for name, words in _PART.findall(parts))
    titles = [one.title for one in (*shown, *ended)]
    said = {
        "feed.json": [one["title"] for one in feed["items"]],
        "feed.atom": [*map(html.unescape, _ENTRY.findall(made[status_page_html.ATOM]))],
    }
    feeds = [f"{name} is titled {', '.join(one)}" for name, one in said.items() if one != titles]
    if [(one["name"], one["words"]) for one in feed["_status"]["parts"]] != [*named]:
        feeds.append("feed.json says something else of the parts")
    if f"status: {overall}</title>" not in page:
        feeds.append("the title says something else")
    quiet = ("No incident." in now, "No incident." in past)
    return PageText(overall, shown, named, ended, quiet, tuple(feeds))


def report_text(fields: dict[str, Any]) -> str:
    """A filed report."""
    return zlib.decompress(decode(FiledReport, fields).markdown).decode()


def text_of(page: str) -> str:
    """What a page says, without its markup."""
    return _SPACES.sub(" ", html.unescape(_TAG.sub(" ", page)))


def moment_in(text: str) -> datetime | None:
    """The first moment that a text names."""
    found = _MOMENT.search(text)
    return datetime.fromisoformat(found.group()).replace(tzinfo=UTC) if found else None


@contextmanager
def _replaced(modules: tuple[Any, ...], name: str, value: object) -> Iterator[None]:
    """As `patch.object`, which takes ten times as long."""
    honest = [getattr(one, name) for one in modules]
    for one in modules:
        setattr(one, name, value)
    try:
        yield
    finally:
        for one, before in zip(modules, honest, strict=True):
            setattr(one, name, before)


def _printed(seen: SystemStatus, now: datetime) -> str:
    said: list[str] = []

    def keep(text: str, style: str = "") -> None:
        said.append(text)

    with _replaced((status_command, response_time), "print_line", keep):
        status_command._show_system(seen, now)
    return "\n".join(said)
