"""What the public sees of one system: its parts, its incidents, 90 days of uptime. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import reduce

from msgspec import Struct

from shared.core.text import one_line
from shared.domain.incidents.incident import PUBLIC_STATUS_NAMES, IncidentStatus, PublicState
from shared.domain.policy.channels import Component, StatusPage
from shared.domain.policy.severity import Severity, worse_severity
from shared.domain.policy.system_policy import Policy

UPTIME_DAYS = 90
DAY = timedelta(days=1)
RESTORED_STATUS_NAMES = frozenset(
    {PUBLIC_STATUS_NAMES[IncidentStatus.WATCHING], PUBLIC_STATUS_NAMES[IncidentStatus.RESOLVED]}
)
"""Words that say that the system works again."""
UPTIME_SEVERITIES = frozenset({Severity.CRITICAL, Severity.HIGH})
"""Severities whose incidents count against the uptime."""
SEVERITY_LABELS = {
    Severity.CRITICAL: "Not working",
    Severity.HIGH: "Disrupted",
    Severity.MEDIUM: "Partly disrupted",
    Severity.LOW: "Small trouble",
}
MAINTENANCE_STATUS_NAME = "maintenance"
"""The public word of a fence, which is no incident."""
STATUS_SENTENCES = {
    "detected": "We have seen trouble and look into it.",
    "investigating": "We look for the cause.",
    "rolling back": "We bring back the last version that worked.",
    "rolling back (monitoring)": "It works again. We watch it for a while.",
    "resolved": "It is over.",
    "recovery not observed": "We have closed it. We have not observed whether all of it works again.",
    MAINTENANCE_STATUS_NAME: "Some of it is stopped for a short while, so that nothing is lost.",
}
"""The public words, as whole sentences."""


class ComponentStatus(StrEnum):
    """How a part of the system or a day is to look."""

    WORKING = "working"
    WATCHED = "watched"
    TROUBLED = "troubled"
    DOWN = "down"
    UNKNOWN = "unknown"


class StatusPageLine(Struct, frozen=True):
    """One line of an incident's story."""

    at: datetime
    words: str


class StatusPageIncident(Struct, frozen=True):
    """One incident, as it is shown."""

    id: str
    title: str
    began_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    parts: tuple[str, ...]
    lines: tuple[StatusPageLine, ...]
    """The newest first."""
    cause: str = ""
    """Where it came from, in the words of a person; empty: nobody has said."""


class StatusPageDay(Struct, frozen=True):
    """One day of a part, in UTC."""

    day: date
    down: timedelta | None
    """None: nothing was watched then."""
    mood: ComponentStatus


class StatusPagePart(Struct, frozen=True):
    """One part of the system, as it is shown."""

    name: str
    mood: ComponentStatus
    words: str
    uptime: float | None
    """Of the days that were watched, 0 to 1; None: none was."""
    days: tuple[StatusPageDay, ...]
    """The oldest first."""


class StatusPageView(Struct, frozen=True):
    """The whole page."""

    system: str
    title: str
    written_at: datetime
    mood: ComponentStatus
    words: str
    parts: tuple[StatusPagePart, ...]
    active: tuple[StatusPageIncident, ...]
    past: tuple[StatusPageIncident, ...]
    """The newest first."""
    since: datetime | None = None
    """From when on uptime is counted, where that is later than 90 days ago."""


TimeSpan = tuple[datetime, datetime]


def build_status_page(
    policy: Policy, states: Iterable[PublicState], since: datetime, now: datetime
) -> StatusPageView:
    """The page of a system now, from what is public of its incidents.

    `since`: from when on it was watched at all. What the policy does not show yet is not there.
    """
    rules = policy.status_page
    told = [one for one in states if is_public(one, rules, now) and one.updated_at > now - UPTIME_DAYS * DAY]
    told.sort(key=lambda one: one.since, reverse=True)
    components = rules.components or (Component(policy.display_name or policy.system),)
    parts = tuple(_build_part(one, told, since, now) for one in components)
    mood = max((one.mood for one in parts), key=_STATUSES_BY_GRAVITY.index, default=ComponentStatus.WORKING)
    active = tuple(_build_incident(one, components) for one in told if one.ended_at is None)
    if active and mood is ComponentStatus.WORKING:  # it concerns no part that is named here
        mood = ComponentStatus.TROUBLED
    return StatusPageView(
        system=policy.system,
        title=policy.display_name or policy.system,
        written_at=now,
        mood=mood,
        words=_OVERALL_SENTENCES[mood],
        parts=parts,
        active=active,
        past=tuple(_build_incident(one, components) for one in told if one.ended_at is not None),
        since=since if since > _first_day(now) else None,
    )


def is_public(state: PublicState, rules: StatusPage, now: datetime) -> bool:
    """Whether the public may see an incident now: a person says so, or the policy's time is over.

    What ended before its time is not shown: it was no trouble, or none that anybody has to know.
    """
    if state.published:
        return True
    after = rules.publish_after.get(state.severity) if state.severity else None
    return after is not None and (state.ended_at or now) >= state.since + after


def affected_components(state: PublicState, policy: Policy) -> tuple[str, ...]:
    """The parts of the system that an incident concerns; () where it is one."""
    parts = policy.status_page.components
    return tuple(one.name for one in parts if _is_component_affected(state, one))


def disruption_spans(state: PublicState, now: datetime) -> list[TimeSpan]:
    """When an incident kept the system from working: from its onset until it was back."""
    spans: list[TimeSpan] = []
    began: datetime | None = state.onset_at or state.since
    for turn in state.turns:
        if turn.word in RESTORED_STATUS_NAMES:
            if began is not None:
                spans.append((began, max(began, turn.at)))
            began = None
        elif began is None:
            began = turn.at
    if began is not None:
        spans.append((began, max(began, state.ended_at or now)))
    return spans


def downtime(spans: Iterable[TimeSpan], start: datetime, end: datetime) -> timedelta:
    """How much of the time between the two the spans cover; what overlaps counts once."""
    total, until = timedelta(0), start
    for began, ended in sorted(spans):
        begin, stop = max(began, until), min(ended, end)
        if stop > begin:
            total += stop - begin
            until = stop
    return total


def _build_part(
    component: Component, told: Sequence[PublicState], since: datetime, now: datetime
) -> StatusPagePart:
    mine = [one for one in told if _is_component_affected(one, component)]
    spans = [span for one in mine if one.severity in UPTIME_SEVERITIES for span in disruption_spans(one, now)]
    starts = [_first_day(now) + ahead * DAY for ahead in range(UPTIME_DAYS)]
    days = tuple(_build_day(start, spans, since, now) for start in starts)
    watched = now - max(since, starts[0])
    down = sum((one.down for one in days if one.down is not None), timedelta(0))
    uptime = 1 - down / watched if watched > timedelta(0) else None
    mood, words = _component_status([one for one in mine if one.ended_at is None])
    return StatusPagePart(component.name, mood, words, uptime, days)


def _first_day(now: datetime) -> datetime:
    """When the oldest of the days that are shown began."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return today - (UPTIME_DAYS - 1) * DAY


def _is_component_affected(state: PublicState, component: Component) -> bool:
    return not component.signals or state.signal in component.signals


def _component_status(active: Sequence[PublicState]) -> tuple[ComponentStatus, str]:
    """How a part is, by the incidents that concern it."""
    troubled = [one for one in active if one.word not in RESTORED_STATUS_NAMES]
    if troubled:
        worst = reduce(worse_severity, (one.severity or Severity.LOW for one in troubled))
        mood = ComponentStatus.DOWN if worst is Severity.CRITICAL else ComponentStatus.TROUBLED
        return mood, f"{_incident_title(troubled[0], worst)}. {STATUS_SENTENCES[troubled[0].word]}"
    if active:
        return ComponentStatus.WATCHED, STATUS_SENTENCES[active[0].word]
    return ComponentStatus.WORKING, "Working."


def _build_day(start: datetime, spans: Sequence[TimeSpan], since: datetime, now: datetime) -> StatusPageDay:
    begin, end = max(start, since), min(start + DAY, now)
    if end <= begin and start + DAY <= since:
        return StatusPageDay(start.date(), None, ComponentStatus.UNKNOWN)
    down = downtime(spans, begin, end)
    mood = ComponentStatus.WORKING
    if down:
        mood = ComponentStatus.DOWN if down >= timedelta(hours=1) else ComponentStatus.TROUBLED
    return StatusPageDay(start.date(), down, mood)


def _build_incident(state: PublicState, components: Sequence[Component]) -> StatusPageIncident:
    severity = state.severity or Severity.LOW
    lines = [StatusPageLine(turn.at, STATUS_SENTENCES[turn.word]) for turn in reversed(state.turns)]
    return StatusPageIncident(
        id=state.incident or "",
        title=_incident_title(state, severity),
        began_at=state.onset_at or state.since,
        updated_at=state.updated_at,
        ended_at=state.ended_at,
        parts=tuple(one.name for one in components if _is_component_affected(state, one)),
        lines=tuple(lines),
        cause=one_line(state.cause),
    )


def _incident_title(state: PublicState, severity: Severity) -> str:
    """What is the matter, in a word or two."""
    planned = any(turn.word == MAINTENANCE_STATUS_NAME for turn in state.turns)
    return "Maintenance" if planned else SEVERITY_LABELS[severity]


_STATUSES_BY_GRAVITY = [
    ComponentStatus.UNKNOWN,
    ComponentStatus.WORKING,
    ComponentStatus.WATCHED,
    ComponentStatus.TROUBLED,
    ComponentStatus.DOWN,
]
_OVERALL_SENTENCES = {
    ComponentStatus.WORKING: "All parts work.",
    ComponentStatus.WATCHED: "All parts work again. We watch them for a while.",
    ComponentStatus.TROUBLED: "Some parts are disrupted.",
    ComponentStatus.DOWN: "Some parts do not work.",
    ComponentStatus.UNKNOWN: "Nothing is known.",
}
