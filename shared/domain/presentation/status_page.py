"""What the public sees of one system: its parts, its incidents, 90 days of uptime. Pure."""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import reduce

from msgspec.structs import replace

from shared.core.codec import FrozenStruct
from shared.core.text import one_line
from shared.domain.incidents.incident import (
    CHANGED_STATUS_NAME,
    CHECKED_STATUS_NAME,
    RECHECKED_STATUS_NAME,
    ROLLBACK_STATUS_NAMES,
    UNCONFIRMED_STATUS_NAME,
    UNDO_REQUESTED_STATUS_NAME,
    UNDOING_STATUS_NAME,
    UNFAILED_STATUS_NAMES,
    UNPIN_STATUS_NAMES,
    AffectedPart,
    Incident,
    PublicState,
    PublicStatusChange,
    StatusPageRecord,
)
from shared.domain.incidents.overlap import ordered_functions
from shared.domain.policy.channels import Component
from shared.domain.policy.severity import Severity, worse_severity
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import Rollback
from shared.domain.signals.alert import Alert, IncidentScope, open_alerts
from shared.domain.signals.alert_conditions import UNCOUNTED_SOURCES
from shared.domain.signals.breadth import count_failing
from shared.domain.signals.registry import SignalSource, has_source

UPTIME_DAYS = 90
DAY = timedelta(days=1)
UNFAILED_NAMES = frozenset({*UNFAILED_STATUS_NAMES.values(), *UNPIN_STATUS_NAMES.values()})
UNFAILED_NAMES |= {UNCONFIRMED_STATUS_NAME, RECHECKED_STATUS_NAME}
UNFAILED_NAMES |= {ROLLBACK_STATUS_NAMES[word] for word in UNFAILED_NAMES & ROLLBACK_STATUS_NAMES.keys()}
"""Words of the time in which nothing was observed to fail, or one check alone did."""
UNDOING_NAMES = frozenset(
    {UNDO_REQUESTED_STATUS_NAME, UNDOING_STATUS_NAME, ROLLBACK_STATUS_NAMES[UNDOING_STATUS_NAME]}
)
"""Words of an undo, which restores nothing that works: parts stay as they were observed."""
FAILING_NAMES = frozenset({"detected", "investigating", "rolling back"})
"""Words of the time in which something was observed to fail."""
RESTORED_STATUS_NAMES = frozenset(
    {"rolling back (monitoring)", "resolved", CHANGED_STATUS_NAME, UNPIN_STATUS_NAMES[CHANGED_STATUS_NAME]}
)
"""Words of the time after the last shift, or after the end."""
UPTIME_SEVERITIES = frozenset({Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM})
"""Severities whose incidents count against the uptime: minor problems and maintenance do not."""
SEVERITY_LABELS = {
    Severity.CRITICAL: "Not working",
    Severity.HIGH: "Disrupted",
    Severity.MEDIUM: "Partly disrupted",
    Severity.LOW: "Minor problem",
}
UNOBSERVED_STATUS_NAME = "recovery not observed"
"""The word of an incident that ended although nobody observed that it recovered."""
MAINTENANCE_STATUS_NAME = "maintenance"
"""The public word of a fence, which is no incident."""
STATUS_SENTENCES = {
    "detected": "We are investigating a problem with {system}.",
    "investigating": "We are looking for the cause.",
    "rolling back": "We are restoring a previous version.",
    "rolling back (monitoring)": "It works again. We are monitoring it.",
    RECHECKED_STATUS_NAME: "A check failed. We are checking again.",
    "rolling back (paused)": "We have paused the restoration of a previous version.",
    UNDO_REQUESTED_STATUS_NAME: "We are checking or changing some parts.",
    UNDOING_STATUS_NAME: "We are undoing our last change.",
    "undoing (paused)": "We have paused the undoing of our last change.",
    CHECKED_STATUS_NAME: "We are checking {system} as a precaution.",
    UNCONFIRMED_STATUS_NAME: "We are checking a report of a problem with {system}.",
    "changing": "We are changing some parts of {system}.",
    "changing (paused)": "We have paused the change of some parts of {system}.",
    CHANGED_STATUS_NAME: "We have changed some parts of {system}. We are monitoring them.",
    "unpinning": "We are releasing a newer version.",
    "unpinning (paused)": "We have paused the release of a newer version.",
    "unpinning (monitoring)": "A newer version is released. We are monitoring it.",
    "resolved": "The incident is over.",
    UNOBSERVED_STATUS_NAME: "We closed the incident. We have not observed whether all parts work again.",
    MAINTENANCE_STATUS_NAME: "We have stopped some functions for a short time to protect data.",
}
"""What each public word means, as whole sentences; `describe_status` names the system in them."""


class ComponentStatus(StrEnum):
    """How a part of the system or a day is to look, the worst last."""

    WORKING = "working"
    WATCHED = "watched"
    CHECKED = "checked"
    UNKNOWN = "unknown"
    TROUBLED = "troubled"
    DOWN = "down"


class StatusPageLine(FrozenStruct):
    """One line of an incident's story."""

    at: datetime
    words: str


class StatusPageIncident(FrozenStruct):
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


class StatusPageDay(FrozenStruct):
    """One day of a part, in UTC."""

    day: date
    down: timedelta | None
    """None: nothing was watched then."""
    mood: ComponentStatus


class StatusPagePart(FrozenStruct):
    """One part of the system, as it is shown."""

    name: str
    mood: ComponentStatus
    words: str
    uptime: float | None
    """Of the days that were watched, 0 to 1; None: none was."""
    days: tuple[StatusPageDay, ...]
    """The oldest first."""


class StatusPageView(FrozenStruct):
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
NO_RECORDS: Mapping[str, StatusPageRecord] = {}


def build_status_page(
    policy: Policy,
    states: Iterable[PublicState],
    since: datetime,
    now: datetime,
    records: Mapping[str, StatusPageRecord] = NO_RECORDS,
) -> StatusPageView:
    """The page of a system now, from what is public of its incidents.

    `since`: from when on it was watched at all. `records`: which parts each incident has affected.
    What the policy does not show yet is not there.
    """
    told = [
        (one, records.get(one.incident or "") or StatusPageRecord())
        for one in sorted(states, key=lambda one: (one.since, one.incident or ""), reverse=True)
        if one.updated_at > now - UPTIME_DAYS * DAY
    ]
    told = [(one, record) for one, record in told if is_public(one, policy, now, alerted=record.alerted)]
    parts = tuple(_build_part(policy, one, told, since, now) for one in _components(policy))
    mood = max((one.mood for one in parts), key=[*ComponentStatus].index, default=ComponentStatus.WORKING)
    active = [(one, record) for one, record in told if one.ended_at is None]
    if active and mood is ComponentStatus.WORKING:  # it concerns no part that is named here
        mood = max((_find_status(*one) for one in active), key=[*ComponentStatus].index)
    return StatusPageView(
        system=policy.system,
        title=policy.display_name or policy.system,
        written_at=now,
        mood=mood,
        words=_OVERALL_SENTENCES[mood],
        parts=parts,
        active=tuple(_build_incident(policy, one, record) for one, record in active),
        past=tuple(_build_incident(policy, one, record) for one, record in told if one.ended_at is not None),
        since=since if since > _first_day(now) else None,
    )


def mark_rollback(state: PublicState, rollback: Rollback | None) -> PublicState:
    """Return the public state with the word of a rollback that is held or checked again."""
    word = ROLLBACK_STATUS_NAMES.get(state.word)
    if rollback is None or rollback.ended_at is not None or word is None:
        return state
    since = rollback.ill_since if word == RECHECKED_STATUS_NAME else rollback.paused_since
    if since is None:
        return state
    return replace(state, word=word, turns=[*state.turns, PublicStatusChange(word, since)])


def is_public(state: PublicState, policy: Policy, now: datetime, *, alerted: bool) -> bool:
    """Whether the public may see an incident now: a person says so, or the policy's time is over.

    What ended before its time is not shown: it was no trouble, or none that anybody has to know.
    `alerted`: whether an alert belongs to it or a failure was observed; an order alone proves none.
    """
    if state.published:
        return True
    rules = policy.status_page
    times = rules.publish_after if alerted or state.signal in policy.signals else rules.publish_orders_after
    after = times.get(state.severity) if state.severity else None
    return after is not None and (state.ended_at or now) >= state.since + after


def record_parts(
    policy: Policy,
    state: PublicState,
    record: StatusPageRecord,
    alerts: Sequence[Alert],
    rollback: Rollback | None,
    incident: Incident,
    now: datetime,
) -> StatusPageRecord:
    """Return the record of an incident with the parts that are observed to be affected now.

    Parts join as more fails; a part is affected until recovery of its functions is observed. Until
    it is observed which functions fail, an alert about all of them affects every part with one.
    Then it affects those that the rollback in progress restores; of a further part nothing is known
    until some function of it is observed to work.
    """
    restored = [one.at for one in state.turns if one.word in RESTORED_STATUS_NAMES]
    restored += [one.at for one in incident.timeline if one.works]
    recent = [one for one in alerts if one.is_open and all(one.received_at > at for at in restored)]
    standing, is_undoing = open_alerts(alerts), state.word in UNDOING_NAMES
    opened = [*recent] if is_undoing else [*standing, *recent]
    proven = [one for one in incident.scopes if one.proves_failure and incident.is_ordered]
    observed_at = incident.failure_observed_at
    alerted = record.alerted or bool(standing or opened or proven or observed_at)
    times = [*(one.received_at for one in (*standing, *opened)), *filter(None, [observed_at])]
    alerted_at = record.alerted_at or min(times, default=None)
    record = replace(record, alerted=alerted, alerted_at=alerted_at, unknown=())
    works = incident.newest_turn.works
    is_rechecked = state.word == RECHECKED_STATUS_NAME
    is_passive = state.word in UNFAILED_NAMES - {UNCONFIRMED_STATUS_NAME}
    if is_passive and (is_rechecked or not (incident.is_ordered or works)):
        doubted = {*rollback.failing} - {*incident.working} if is_rechecked and rollback else set()
        return _add_doubted_parts(policy, record, doubted, now)
    changed_at = state.turns[-1].at
    lasting = [one for one in standing if any(has_source(one.signal, each) for each in UNCOUNTED_SOURCES)]
    is_over = state.word == UNOBSERVED_STATUS_NAME and standing == lasting  # nobody observes their end
    if state.word in RESTORED_STATUS_NAMES or is_over or works:
        end = now if is_over else changed_at
        kept = (one for one in record.parts if one.until or one.since < end)  # a doubt that passed is none
        return replace(record, parts=tuple(one if one.until else replace(one, until=end) for one in kept))
    failing = {*(() if is_undoing else incident.failing), *(rollback.failing if rollback else ())}
    if is_undoing and not failing and not opened:
        return record
    reported = [*opened, *(() if is_undoing else proven)]
    newest: list[Alert | IncidentScope] = [*recent, *proven] if recent else reported
    is_wide = any(_is_about_any_function(policy, one) for one in newest)
    is_unknown = is_wide and not failing
    uncounted = [one for one in reported if not has_source(one.signal, SignalSource.REQUESTS)]
    working = {*incident.working} - _find_uncounted_functions(policy, uncounted)
    unjudged = any(not one.absorbed_by and _is_about_any_function(policy, one) for one in recent)
    seen = {*(rollback.working if rollback and not unjudged else ())}
    ordered = set() if is_undoing or proven else ordered_functions(incident.scopes, policy)
    ordered -= seen if failing else set()
    functions = failing | ordered | {one.function for one in reported}
    plan = rollback.plan if rollback is not None and rollback.ended_at is None and is_wide else None
    functions |= policy.functions.keys() & (plan.changed if plan is not None else ())
    functions = (functions | {*policy.functions} if is_unknown else functions) - working
    observed = (failing | {one.function for one in reported}) - working
    signals = {one.signal for one in reported} | (set() if is_undoing else {state.signal})
    if incident.failure_observed_at is not None:
        signals = {one for one in signals if not has_source(one, SignalSource.DECLARED)}
    since = now if record.parts else incident.failure_observed_at or state.onset_at
    known = {one.name: one for one in record.parts if one.until is None}
    unknown, counted = list[str](), working | seen
    parts = [one for one in record.parts if one.until is not None]
    for one in _components(policy):
        part, mine = known.get(one.name), _component_functions(policy, one)
        is_beyond = uncounted and _is_component_affected(policy, one, {by.signal for by in uncounted}, set())
        if working & mine and not functions & mine and not is_beyond:
            parts += [replace(part, until=now)] if part is not None else []
        elif _is_component_affected(policy, one, signals, functions):
            is_assumed = is_unknown or (bool(mine & ordered) and not mine & observed)
            part = part or AffectedPart(one.name, since, is_assumed=is_assumed)
            is_share = mine & observed < mine and not _naming_signals(one, mine, signals, functions)
            share = count_failing(mine, observed) if mine & observed and is_share else ""
            before = share if part.is_assumed or one.name not in known else part.worst_share
            worst = max(before, share, key=_parse_count) if before and share else ""
            is_assumed = part.is_assumed and not failing
            parts.append(replace(part, is_assumed=is_assumed, share=share, worst_share=worst))
        elif part is not None and not (part.is_assumed and failing):
            parts.append(part)
        elif is_wide and mine and not mine & counted:
            unknown.append(one.name)
    return replace(record, parts=tuple(parts), unknown=tuple(unknown))


def _add_doubted_parts(
    policy: Policy, record: StatusPageRecord, doubted: Set[str], now: datetime
) -> StatusPageRecord:
    """Return the record with the parts of functions that fail in a check that is repeated."""
    known, parts = {one.name for one in record.parts if one.until is None}, [*record.parts]
    for one in _components(policy):
        mine = _component_functions(policy, one)
        if mine & doubted and one.name not in known:
            share = count_failing(mine, doubted) if mine - doubted else ""
            parts.append(AffectedPart(one.name, now, share=share, worst_share=share))
    return replace(record, parts=tuple(parts))


def _parse_count(share: str) -> int:
    return int(share.partition(" ")[0])


def affected_components(policy: Policy, state: PublicState, record: StatusPageRecord) -> tuple[str, ...]:
    """The parts of the system that an incident has affected."""
    names = {one.name for one in record.parts}
    return tuple(
        one.name
        for one in _components(policy)
        if (one.name in names if names else _is_component_affected(policy, one, {state.signal}, set()))
    )


def describe_status(state: PublicState) -> str:
    """The sentence of an incident's public word."""
    return STATUS_SENTENCES[state.word].format(system=state.display_name)


def told_components(policy: Policy, state: PublicState, record: StatusPageRecord) -> tuple[str, ...]:
    """Return the parts that an open incident still affects; all, if it ended or none is left."""
    standing = {one.name for one in record.parts if one.until is None}
    affected = affected_components(policy, state, record)
    return affected if state.ended_at or not standing else tuple(one for one in affected if one in standing)


def describe_parts(names: Iterable[str], record: StatusPageRecord) -> tuple[str, ...]:
    """Return the names of parts, each with how many of its functions fail or failed, if not all."""
    shares = {one.name: one.worst_share if one.until else one.share for one in record.parts}
    return tuple(f"{shares[one]} of {one}" if shares.get(one) else one for one in names)


def describe_condition(state: PublicState, severity: Severity, record: StatusPageRecord) -> str:
    """Return what is wrong with the parts of an incident, or was, by its newest word of that."""
    over = (UNOBSERVED_STATUS_NAME, "resolved", "rolling back (monitoring)")
    failed = [one.word for one in state.turns if state.ended_at and one.word in FAILING_NAMES]
    word = (failed or [one.word for one in state.turns if one.word not in over] or [state.word])[-1]
    works = _find_status(state, record) is ComponentStatus.CHECKED
    checked = {CHECKED_STATUS_NAME, UNCONFIRMED_STATUS_NAME, RECHECKED_STATUS_NAME}
    planned = UNFAILED_NAMES - checked | {MAINTENANCE_STATUS_NAME}
    if word in (planned | UNDOING_NAMES if works else planned):
        return "Maintenance"
    return "Under investigation" if works or word in checked else SEVERITY_LABELS[severity]


def disruption_spans(state: PublicState, now: datetime) -> list[TimeSpan]:
    """Return when an incident kept the system from working: from its onset until it was back.

    While nothing was observed to fail, it did not.
    """
    spans = []
    began = None if state.turns[0].word in UNFAILED_NAMES else state.onset_at
    for turn in state.turns:
        if turn.word in RESTORED_STATUS_NAMES:
            if began is not None:
                spans.append((began, max(began, turn.at)))
            began = None
        elif began is None and turn.word in FAILING_NAMES:
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


ToldIncident = tuple[PublicState, StatusPageRecord]


def _build_part(
    policy: Policy, component: Component, told: Sequence[ToldIncident], since: datetime, now: datetime
) -> StatusPagePart:
    mine = [
        (state, replace(record, parts=tuple(one for one in record.parts if one.name == component.name)))
        for state, record in told
        if component.name in affected_components(policy, state, record)
    ]
    spans = [
        span
        for state, record in mine
        if state.severity in UPTIME_SEVERITIES
        for span in _part_spans(state, record, now)
    ]
    starts = [_first_day(now) + ahead * DAY for ahead in range(UPTIME_DAYS)]
    days = tuple(_build_day(start, spans, since, now) for start in starts)
    watched = now - max(since, starts[0])
    down = sum((one.down for one in days if one.down is not None), timedelta(0))
    uptime = 1 - down / watched if watched > timedelta(0) else None
    mood, words = _component_status(mine)
    if mood is ComponentStatus.WORKING and any(component.name in record.unknown for _, record in told):
        mood, words = ComponentStatus.UNKNOWN, _OVERALL_SENTENCES[ComponentStatus.UNKNOWN]
    return StatusPagePart(component.name, mood, words, uptime, days)


def _part_spans(state: PublicState, record: StatusPageRecord, now: datetime) -> list[TimeSpan]:
    """When an incident kept a part from working; as a whole, where no parts are recorded."""
    whole = disruption_spans(state, now)
    if not (whole and record.parts):
        return whole
    failed_at = whole[0][0]
    doubted = state.word == RECHECKED_STATUS_NAME
    known = (one for one in record.parts if failed_at < (one.until or now) and (one.until or not doubted))
    return [(max(one.since, failed_at), one.until or state.ended_at or now) for one in known]


def _is_current(state: PublicState, record: StatusPageRecord) -> bool:
    """Whether an active incident still says something about a part that it has affected."""
    still = not record.parts or any(not one.until for one in record.parts)
    shown = RESTORED_STATUS_NAMES | UNDOING_NAMES | {RECHECKED_STATUS_NAME}
    return state.ended_at is None and (still or state.word in shown)


def _components(policy: Policy) -> tuple[Component, ...]:
    return policy.status_page.components or (Component(policy.display_name or policy.system),)


def _first_day(now: datetime) -> datetime:
    """When the oldest of the days that are shown began."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - (UPTIME_DAYS - 1) * DAY


def _is_about_any_function(policy: Policy, alert: Alert | IncidentScope) -> bool:
    """Whether an alert names neither a function nor, by its signal, a part; and not data."""
    if alert.function is not None or any(has_source(alert.signal, one) for one in UNCOUNTED_SOURCES):
        return False
    is_named = any(alert.signal in one.signals for one in _components(policy))
    return has_source(alert.signal, SignalSource.REQUESTS) or not is_named


def _component_functions(policy: Policy, component: Component) -> set[str]:
    """Return the functions of a part: named, of its group, or all; none, where signals name it."""
    own_name = () if component.functions else (component.name.lower().replace(" ", "-"),)
    groups = [group for name in component.groups or own_name for group in policy.groups_by_name(name)]
    found = {*component.functions, *(name for one in groups for name in policy.groups[one].functions)}
    return found or (set() if component.signals else {*policy.functions})


def _find_uncounted_functions(policy: Policy, uncounted: Sequence[Alert | IncidentScope]) -> set[str | None]:
    """Return the functions of these alerts: their successful requests prove no recovery."""
    if any(_is_about_any_function(policy, one) for one in uncounted):
        return {*policy.functions}
    return {one.function for one in uncounted}


def _is_component_affected(
    policy: Policy, component: Component, signals: Set[str], functions: Set[str | None]
) -> bool:
    """Whether what fails belongs to a part; to one without a mapping everything belongs."""
    is_mapped = component.signals or component.groups or component.functions
    mine = _component_functions(policy, component)
    return bool(mine & functions or _naming_signals(component, mine, signals, functions) or not is_mapped)


def _naming_signals(
    component: Component, mine: Set[str], signals: Set[str], functions: Set[str | None]
) -> set[str]:
    """Return the signals that name a part; no count of requests does, if it is known what fails."""
    is_counted = mine and functions - {None}
    named = signals & {*component.signals}
    return {one for one in named if not (is_counted and has_source(one, SignalSource.REQUESTS))}


def _component_status(told: Sequence[ToldIncident]) -> tuple[ComponentStatus, str]:
    active = [one for one in told if _is_current(*one)]
    troubled = [one for one in active if _find_status(*one) is ComponentStatus.TROUBLED]
    if troubled:
        state, record = troubled[0]
        worst = reduce(worse_severity, (one.severity or Severity.LOW for one, _ in troubled))
        mood = ComponentStatus.DOWN if worst is Severity.CRITICAL else ComponentStatus.TROUBLED
        return mood, f"{describe_condition(state, worst, record)}. {describe_status(state)}"
    if any(is_unobserved(*one) for one in told):
        return ComponentStatus.UNKNOWN, _OVERALL_SENTENCES[ComponentStatus.UNKNOWN]
    unfailed = [one for one in active if _find_status(*one) is ComponentStatus.CHECKED]
    if unfailed:
        state, record = unfailed[0]
        label = describe_condition(state, Severity.LOW, record)
        return ComponentStatus.CHECKED, f"{label}. {describe_status(state)}"
    if active:
        return ComponentStatus.WATCHED, describe_status(active[0][0])
    return ComponentStatus.WORKING, "Working."


def _find_status(state: PublicState, record: StatusPageRecord) -> ComponentStatus:
    """Return how parts look by the public word of an incident, and by what is recorded of them."""
    if state.word in UNFAILED_NAMES:
        return ComponentStatus.CHECKED
    if state.word in RESTORED_STATUS_NAMES:
        return ComponentStatus.WATCHED
    are_over = record.parts and all(one.until for one in record.parts)
    return ComponentStatus.CHECKED if are_over and state.ended_at is None else ComponentStatus.TROUBLED


def is_unobserved(state: PublicState, record: StatusPageRecord) -> bool:
    """Return whether an incident ended while what it affected was still reported as failing."""
    return state.word == UNOBSERVED_STATUS_NAME and any(one.until is None for one in record.parts)


def _build_day(start: datetime, spans: Sequence[TimeSpan], since: datetime, now: datetime) -> StatusPageDay:
    begin, end = max(start, since), min(start + DAY, now)
    if end <= begin and start + DAY <= since:
        return StatusPageDay(start.date(), None, ComponentStatus.UNKNOWN)
    down = downtime(spans, begin, end)
    mood = ComponentStatus.WORKING
    if down:
        mood = ComponentStatus.DOWN if down >= timedelta(hours=1) else ComponentStatus.TROUBLED
    return StatusPageDay(start.date(), down, mood)


def _build_incident(policy: Policy, state: PublicState, record: StatusPageRecord) -> StatusPageIncident:
    severity = state.severity or Severity.LOW
    lines = [
        StatusPageLine(turn.at, describe_status(replace(state, word=turn.word)))
        for turn in reversed(state.turns)
    ]
    recovered = state.ended_at is None and state.word in RESTORED_STATUS_NAMES
    return StatusPageIncident(
        id=state.incident or "",
        title="Monitoring" if recovered else describe_condition(state, severity, record),
        began_at=state.onset_at,
        updated_at=state.updated_at,
        ended_at=state.ended_at,
        parts=describe_parts(told_components(policy, state, record), record),
        lines=tuple(lines),
        cause=one_line(state.cause),
    )


_OVERALL_SENTENCES = {
    ComponentStatus.WORKING: "All parts work.",
    ComponentStatus.WATCHED: "All parts work again. We are monitoring them.",
    ComponentStatus.CHECKED: "We are checking or changing some parts.",
    ComponentStatus.TROUBLED: "Some parts are disrupted.",
    ComponentStatus.DOWN: "Some parts do not work.",
    ComponentStatus.UNKNOWN: "The status is not known.",
}
