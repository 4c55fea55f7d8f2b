"""What a notice says to whom: its facts, and which template words them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles
from typing import Any

from msgspec import Struct

from shared.core.durations import in_words
from shared.core.redaction import without_personal
from shared.domain.decision.history import suspected
from shared.domain.incidents.incident import (
    PUBLIC_WORDS,
    Incident,
    IncidentStatus,
    PublicState,
    public_state,
)
from shared.domain.notices.notice import Notice, Stage, stage
from shared.domain.policy.channels import Audience
from shared.domain.policy.model import Policy
from shared.domain.policy.severity import Severity
from shared.domain.presentation.status_page import BACK, HOW_BAD, IN_WORDS, concerned
from shared.domain.rollback.rollback import Rollback

ROLLING_BACK = PUBLIC_WORDS[IncidentStatus.ROLLING_BACK]
ENOUGH = 3
"""So many measured incidents make a spread; with fewer the target is said."""


class Ours(str):
    """Text of our own, said as it is; all other text is made harmless first."""

    __slots__ = ()


class About(Struct, frozen=True):
    """What is known when a notice of an incident is said."""

    policy: Policy
    incident: Incident | None
    """None: it is about something else, such as a refused message."""
    rollback: Rollback | None
    history: Sequence[PublicState]
    """Of the system's incidents, this one included."""
    now: datetime


def template_of(notice: Notice, audience: Audience, about: About) -> str:
    """The name of the template that words a notice for these people."""
    if about.incident is None:
        return "plain"
    if audience is Audience.TEAM:
        return "incident"
    if audience is Audience.STAKEHOLDERS:
        return "summary"
    if audience is Audience.CONCERNED:
        return "concerned"
    if stage(notice.event) is Stage.OVER:
        return "all-clear"
    return "planned" if _is_planned(about) else "users"


def facts(notice: Notice, about: About, *, repeated: bool) -> dict[str, Any]:
    """What the templates may say, by name; what is not `Ours` is foreign."""
    commands = tuple(dict.fromkeys((*notice.commands, *_prepared(notice))))
    headline, *said = [line for line in notice.text.split("\n") if line not in commands] or [""]
    told: dict[str, Any] = {
        "headline": headline.removeprefix(f"{notice.incident} {notice.severity}: "),
        "said": said,
        "commands": [Ours(one) for one in commands],
        "repeated": Ours(
            "This may be a repeat: an earlier attempt was not confirmed." if repeated else ""
        ),
        "system": about.policy.display_name or about.policy.system,
        "meant": str(notice.facts.get("meant", "")),
        "is_stuck": stage(notice.event) is Stage.STUCK,
    }
    if about.incident is not None:
        told |= _of_incident(about.incident, about)
    return told


def expected(history: Iterable[PublicState], severity: Severity, target: timedelta) -> str:
    """When it should be over, from what such incidents took, with the spread; else the target."""
    took = sorted(span for one in history if one.severity is severity and (span := restored(one)))
    if len(took) < ENOUGH:
        return f"not measured yet; the target is {in_words(target)} after detection"
    seconds = [one.total_seconds() for one in took]
    least, *_, most = quantiles(seconds, n=10, method="inclusive")
    low, middle, high = (in_words(timedelta(seconds=one)) for one in (least, median(seconds), most))
    return f"{middle} after detection; 8 of 10 took {low} to {high} ({len(took)} measured)"


def restored(state: PublicState) -> timedelta | None:
    """How long after its detection a rollback had it back; None: none had."""
    if not any(turn.word == ROLLING_BACK for turn in state.turns):
        return None
    back = next((turn.at for turn in state.turns if turn.word in BACK), None)
    return None if back is None else back - state.since


def _of_incident(incident: Incident, about: About) -> dict[str, Any]:
    policy, rollback = about.policy, about.rollback
    state = public_state(policy, incident, about.now)
    parts = concerned(state, policy) or (policy.display_name or policy.system,)
    others = [one for one in about.history if one.incident != incident.id]
    target = policy.targets.by_severity[incident.severity]
    how_bad = HOW_BAD[incident.severity].lower()
    return {
        "id": Ours(incident.id),
        "severity": Ours(incident.severity),
        "status": Ours(incident.status),
        "public_word": Ours(state.word),
        "public_words": Ours(IN_WORDS[state.word]),
        "how_bad": Ours(how_bad),
        "parts": ", ".join(parts),
        "impact": f"{how_bad}: {', '.join(parts)} ({incident.signal.replace('_', ' ')})",
        "expected": Ours(expected(others, incident.severity, target)),
        "since": Ours(_minute(incident.onset_at)),
        "until": Ours(_minute(incident.ended_at or about.now)),
        "timeline": [
            {"at": Ours(f"{one.at.astimezone(UTC):%H:%M}"), "note": without_personal(one.note)}
            for one in incident.timeline
        ],
        "cause": without_personal(_cause(incident, rollback)),
        "resolution": without_personal(_resolution(rollback)),
        "prevention": _prevention(incident),
        "asked": Ours(_ASKED[_need(incident)]),
    }


def _prepared(notice: Notice) -> tuple[str, ...]:
    """The commands that an escalation has prepared, or that answer a question."""
    found = (notice.facts.get(name) for name in ("prepared_shell", "prepared_command"))
    asked = notice.facts.get("commands")
    return (*(one for one in found if isinstance(one, str)), *(asked or ()))


def _is_planned(about: About) -> bool:
    """Whether a person has ordered it without haste: the runbook plans for MEDIUM and LOW."""
    small = about.incident is not None and about.incident.severity in (
        Severity.MEDIUM,
        Severity.LOW,
    )
    return small and about.rollback is not None and about.rollback.order is not None


def _cause(incident: Incident, rollback: Rollback | None) -> str:
    if incident.analysis is not None:
        return incident.analysis.cause
    why = suspected(rollback)
    return f"not proven yet; suspected: {why}" if why else "not known yet"


def _prevention(incident: Incident) -> str:
    known = incident.analysis.prevention if incident.analysis is not None else ""
    return without_personal(known) or Ours("to be written by a person, within 24 hours of the end")


def _resolution(rollback: Rollback | None) -> str:
    if rollback is None or rollback.plan is None:
        return "" if rollback is None else rollback.outcome
    back = f"back to {rollback.plan.target}"
    return f"{back}; {rollback.outcome}" if rollback.outcome else back


def _need(incident: Incident) -> str:
    if incident.ended_at is not None:
        return "over"
    return "stuck" if incident.status is IncidentStatus.ESCALATED else "under way"


_ASKED = {
    "over": "nothing; a report follows",
    "stuck": "nothing; a person of the response team has to decide, and was told",
    "under way": "nothing; it is handled automatically",
}


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
