"""What the public was told of an incident, and the page that says so."""

from datetime import datetime, timedelta
from html.parser import HTMLParser

from msgspec.structs import replace

from shared.core.codec import decode
from shared.domain.incidents.incident import PublicState, PublicStatusChange, public_state_path
from shared.domain.policy.channels import StatusPage
from shared.domain.policy.severity import Severity
from shared.domain.presentation.status_page_html import PAGE
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.storage.public_pages import MemoryPages
from tests.support.runtime.world import BOOKSHOP, World

SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)
BACK_SINCE = START - 200 * DAY
ADDRESS = "https://status.example/public/bookshop"
ATOM_SPACE = {"a": "http://www.w3.org/2005/Atom"}


def build_public_state(
    severity: Severity = Severity.CRITICAL,
    since: datetime = START,
    *turns: tuple[str, timedelta],
    ended: timedelta | None = None,
    **changes: object,
) -> PublicState:
    """An incident that was detected then, with what became of it, counted from there."""
    said = [
        PublicStatusChange("detected", since),
        *(PublicStatusChange(word, since + at) for word, at in turns),
    ]
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


def build_world_with_page(**changes: object) -> World:
    world = World(policy=replace(BOOKSHOP, status_page=StatusPage(**changes)))  # type: ignore[arg-type]
    world.ports.pages = MemoryPages()
    return world


def read_public_state(world: World) -> PublicState:
    """Return the public state of the newest incident."""
    fields = world.ports.store.get(public_state_path(world.incidents()[-1])).fields
    return decode(PublicState, fields)


def read_page(world: World, name: str = PAGE) -> str:
    assert world.ports.pages is not None
    return world.ports.pages.kept[f"public/bookshop/{name}"][1].decode()


class StatusPageReader(HTMLParser):
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
