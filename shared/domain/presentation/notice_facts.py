"""What a notice says to whom: its facts, and which template words them. Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from statistics import median, quantiles
from typing import Any

from shared.core.codec import FrozenStruct
from shared.core.durations import describe_duration, format_minute
from shared.domain.decision.recorded_decision import suspected_cause
from shared.domain.incidents import recovery_times
from shared.domain.incidents.incident import (
    PUBLIC_STATUS_NAMES,
    Incident,
    IncidentStatus,
    PublicState,
    StatusPageRecord,
    public_state,
)
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import incident_stage, redaction_for
from shared.domain.policy.channels import Audience, IncidentStage
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.presentation.status_page import (
    RESTORED_STATUS_NAMES,
    UNFAILED_NAMES,
    describe_condition,
    describe_parts,
    describe_status,
    disruption_spans,
    mark_rollback,
    told_components,
)
from shared.domain.rollback.rollback import Direction, Rollback, RollbackStatus
from shared.domain.signals.labels import signal_label, status_label

ROLLING_BACK_STATUS_NAME = PUBLIC_STATUS_NAMES[IncidentStatus.ROLLING_BACK]
UNDECIDED_STATUSES = frozenset({RollbackStatus.DECIDING, RollbackStatus.PARKED})
UNEXECUTED_STATUSES = UNDECIDED_STATUSES | {RollbackStatus.NOT_TAKEN}
LATE_AFTER = timedelta(minutes=1)
"""A notice that is sent so long after it was due says when it was written."""
MIN_MEASURED_INCIDENTS = 3
"""So many measured incidents make a spread; with fewer the target is said."""


class TrustedText(str):
    """Text of our own, said as it is; all other text is made harmless first."""

    __slots__ = ()


class NoticeContext(FrozenStruct):
    """What is known when a notice of an incident is said."""

    policy: Policy
    incident: Incident | None
    """None: it is about something else, such as a refused message."""
    rollbacks: Sequence[Rollback]
    """Of the incident, the first first."""
    history: Sequence[PublicState]
    """Of the system's incidents, this one included."""
    now: datetime
    record: StatusPageRecord = StatusPageRecord()
    hold: str = ""
    """The pause or freeze that holds the rollback, and how to lift it; empty: none does."""
    language: str = ""

    @property
    def rollback(self) -> Rollback | None:
        """Return the newest rollback of the incident."""
        return self.rollbacks[-1] if self.rollbacks else None


def template_name(notice: Notice, audience: Audience, about: NoticeContext) -> str:
    """The name of the template that words a notice for these people."""
    if about.incident is None:
        return "plain"
    if audience is Audience.TEAM:
        return "incident"
    if audience is Audience.STAKEHOLDERS:
        return "summary"
    if audience is Audience.CONCERNED:
        return "concerned"
    if incident_stage(notice.event) is IncidentStage.OVER and about.incident.ended_at is not None:
        return "all-clear"
    return "planned" if _is_planned(about) else "users"


def template_facts(
    notice: Notice, about: NoticeContext, *, repeated: bool, audience: Audience = Audience.PUBLIC
) -> dict[str, Any]:
    """Return what the templates may show, by name; a value that is not `TrustedText` is foreign."""
    commands = tuple(dict.fromkeys((*notice.commands, *_prepared_commands(notice))))
    headline, *said = [line for line in notice.text.split("\n") if line not in commands] or [""]
    told = {
        "headline": headline.removeprefix(f"{notice.incident} {notice.severity}: "),
        "said": said,
        "commands": [TrustedText(one) for one in commands],
        "repeated": TrustedText(_describe_delivery(notice, about.now, repeated=repeated)),
        "system": about.policy.display_name or about.policy.system,
        "meant": str(notice.facts.get("meant", "")),
        "has_recovered": about.incident is not None and about.incident.status is IncidentStatus.RESOLVED,
        "is_stuck": incident_stage(notice.event) is IncidentStage.STUCK,
    }
    if about.incident is not None:
        told |= _incident_facts(about.incident, about, redaction_for(audience), notice.event)
    return told


def _describe_delivery(notice: Notice, now: datetime, *, repeated: bool) -> str:
    """Return what a reader must know of the way of a notice: that it repeats, or comes late."""
    said = ["This may be a repeat: an earlier attempt was not confirmed."] if repeated else []
    if now - (notice.since or notice.created_at) > LATE_AFTER:
        said.append(f"This was written at {format_minute(notice.created_at)} UTC: a newer notice may follow.")
    return " ".join(said)


def describe_expected_duration(history: Iterable[PublicState], severity: Severity, target: timedelta) -> str:
    """When it should be over, from what such incidents took, with the spread; else the target."""
    took = sorted(span for one in history if one.severity is severity and (span := time_to_recover(one)))
    if len(took) < MIN_MEASURED_INCIDENTS:
        return f"not measured yet; the target is {describe_duration(target)} after detection"
    seconds = [one.total_seconds() for one in took]
    least, *_, most = quantiles(seconds, n=10, method="inclusive")
    low, middle, high = (describe_duration(timedelta(seconds=one)) for one in (least, median(seconds), most))
    return f"{middle} after detection; 8 of 10 took {low} to {high} ({len(took)} measured)"


def time_to_recover(state: PublicState) -> timedelta | None:
    """Return how long after detection it recovered for good by a rollback; None: it has not."""
    well = [*takewhile(lambda turn: turn.word in RESTORED_STATUS_NAMES, reversed(state.turns))]
    is_by_rollback = any(turn.word == ROLLING_BACK_STATUS_NAME for turn in state.turns)
    return well[-1].at - state.since if well and is_by_rollback else None


def _incident_facts(
    incident: Incident, about: NoticeContext, clean: Callable[[str], str], event: str
) -> dict[str, Any]:
    policy, rollback = about.policy, about.rollback
    state = mark_rollback(public_state(policy, incident, about.now), rollback)
    parts = told_components(policy, state, about.record) or (policy.display_name or policy.system,)
    named = ", ".join(describe_parts(parts, about.record))
    others = [one for one in about.history if one.incident != incident.id]
    scenario = recovery_times.find_scenario(policy, incident.signal, incident.severity, about.rollbacks)
    target = recovery_times.recovery_target(policy.targets, scenario, incident.severity)
    how_bad = describe_condition(state, incident.severity, about.record).lower()
    since = max((began for began, _ in disruption_spans(state, about.now)), default=incident.onset_at)
    return {
        "id": TrustedText(incident.id),
        "severity": TrustedText(incident.severity),
        "status": TrustedText(status_label(incident.status)),
        "public_word": TrustedText(state.word),
        "state": TrustedText("recovered" if incident.status is IncidentStatus.RECOVERED else state.word),
        "public_words": describe_status(state),
        "how_bad": TrustedText(how_bad),
        "is_raised": incident_stage(event) is IncidentStage.RAISED and incident.has_failed,
        "is_restored": state.word in RESTORED_STATUS_NAMES - UNFAILED_NAMES,
        "parts": named,
        "impact": f"{how_bad}: {named} ({signal_label(incident.signal)})",
        "expected": TrustedText(_expectation(incident, about.rollbacks, others, target)),
        "began": TrustedText(format_minute(incident.onset_at)),
        "since": TrustedText(format_minute(since)),
        "spells": _group_by_time(parts, about.record, since),
        "until": TrustedText(format_minute(incident.ended_at) if incident.ended_at else ""),
        "timeline": [
            {"at": TrustedText(f"{one.at.astimezone(UTC):%H:%M}"), "note": clean(one.note)}
            for one in incident.timeline
        ],
        "cause": clean(_cause(incident, about.rollbacks)),
        "resolution": clean(_resolution(incident, about.rollbacks)),
        "prevention": _prevention(incident, clean),
        "asked": TrustedText(_describe_request(incident, rollback, about.hold, event)),
        "hold": clean(about.hold),
    }


def _group_by_time(parts: Iterable[str], record: StatusPageRecord, since: datetime) -> list[dict[str, str]]:
    """Return the parts by the time from which on they fail; `since`: where none is recorded."""
    began = {one.name: one.since for one in record.parts if one.until is None}
    spells: dict[datetime, list[str]] = {}
    for part in parts:
        spells.setdefault(began.get(part, since), []).append(part)
    return [
        {"parts": ", ".join(describe_parts(names, record)), "since": TrustedText(format_minute(at))}
        for at, names in sorted(spells.items())
    ]


def _prepared_commands(notice: Notice) -> tuple[str, ...]:
    """The commands that an escalation has prepared, or that answer a question."""
    found = (notice.facts.get(name) for name in ("prepared_shell", "prepared_command"))
    return (*(one for one in found if isinstance(one, str)), *(notice.facts.get("commands") or ()))


def _is_planned(about: NoticeContext) -> bool:
    """Whether a person has ordered it without haste: the runbook plans for MEDIUM and LOW."""
    incident, rollback = about.incident, about.rollback
    if incident is None or incident.has_failed or incident.severity not in (Severity.MEDIUM, Severity.LOW):
        return False
    return rollback is not None and rollback.order is not None and rollback.way is Direction.BACK


def _cause(incident: Incident, rollbacks: Sequence[Rollback]) -> str:
    if incident.analysis is not None:
        return incident.analysis.cause
    why = suspected_cause(rollbacks)
    return f"not proven yet; suspected: {why}" if why else "not known yet"


def _prevention(incident: Incident, clean: Callable[[str], str]) -> str:
    known = incident.analysis.prevention if incident.analysis is not None else ""
    return clean(known) or TrustedText("to be added within 24 hours of the end")


def _expectation(
    incident: Incident, rollbacks: Sequence[Rollback], others: Iterable[PublicState], target: timedelta
) -> str:
    """Return when it should be over; of what has recovered, or has ended, say that."""
    recovered_at = recovery_times.find_recovered_at(incident, rollbacks)
    if recovered_at is not None:
        names = recovery_times.choose_time_names(incident)
        return f"{names.recovered} {describe_duration(recovered_at - incident.detected_at)} {names.since}"
    if not incident.has_failed:
        return recovery_times.NOTHING_FAILED_TEXT
    if incident.ended_at is not None:
        return "recovery was not observed"
    return describe_expected_duration(others, incident.severity, target)


def _resolution(incident: Incident, rollbacks: Sequence[Rollback]) -> str:
    """Return what the newest rollback with a plan did, and that a later one changed nothing."""
    executed = [one for one in rollbacks if one.plan and one.status not in UNEXECUTED_STATUSES]
    done = _describe_changes(executed[-1], is_newest=executed[-1] is rollbacks[-1]) if executed else ""
    if not rollbacks or rollbacks[-1] in executed or rollbacks[-1].status in UNDECIDED_STATUSES:
        return done
    if incident.ended_at is not None:
        return done or incident.newest_turn.note
    unchanged = f"{done}; nothing more" if done else "nothing"
    return f"{unchanged} was changed: {rollbacks[-1].outcome}"


def _describe_changes(rollback: Rollback, *, is_newest: bool) -> str:
    """Return what became of a rollback with a plan; what is still to be done is not done."""
    target, outcome = rollback.plan.target if rollback.plan else "", rollback.outcome
    is_back = rollback.way in (Direction.BACK, Direction.REPAIR)
    change = f"{'back' if is_back else rollback.way} to {target}"
    match rollback.status:
        case RollbackStatus.RUNNING:
            return f"{'in progress' if rollback.paused_since is None else 'paused'}: {change}"
        case RollbackStatus.FAILED | RollbackStatus.CANCELLED:
            return f"the {'rollback' if is_back else rollback.way} to {target} did not complete: {outcome}"
    return f"{change}; {outcome}" if outcome and is_newest else change


def _describe_request(incident: Incident, rollback: Rollback | None, hold: str, event: str) -> str:
    if incident.ended_at is not None:
        if incident_stage(event) is not IncidentStage.REPORTED:
            return "nothing; a report follows"
        return "nothing; the report is written" if event.startswith("report") else "nothing"
    if hold:
        return "nothing; the rollback is on hold, and the response team knows"
    if (rollback is not None and rollback.is_awaiting_approval) or incident.is_decided_by_person:
        return "nothing; the response team has been notified and must decide"
    if incident.due_at is not None or incident.is_observed_only:
        return "nothing; the response team investigates it"
    return "nothing; it is handled automatically"
