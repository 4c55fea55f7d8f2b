"""Our record of trouble in one system."""

import re
from datetime import datetime
from enum import StrEnum
from itertools import pairwise, takewhile

from msgspec.structs import replace

from shared.core.codec import FrozenStruct, StoredDocument, collections_below, documents_of
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.retention import PUBLIC_RETENTION, RECORD_RETENTION
from shared.domain.signals.alert import IncidentScope

INCIDENT_ID_PATTERN = re.compile(r"INC-[0-9]{8}-[0-9]{3,6}")
incident_path = documents_of("incidents")
page_start_path = documents_of("pages")
"""Where the time of the first status page of a system is kept."""
public_history_path = collections_below("public", "incidents")
"""The public states of a system's incidents, by incident."""
page_records_path = collections_below("pages", "incidents")
"""What the status page has shown, by incident."""
MAX_TIMELINE = 500
"""So many lines of the time line are kept beside the first one: the audit log has all of them."""


class IncidentStatus(StrEnum):
    """How far the response to an incident has come."""

    DETECTED = "DETECTED"
    INVESTIGATING = "INVESTIGATING"
    ROLLING_BACK = "ROLLING_BACK"
    UNPINNING = "UNPINNING"
    UNDO_REQUESTED = "UNDO_REQUESTED"
    """An operator has ordered an undo, which has not begun."""
    UNDOING = "UNDOING"
    VERIFYING = "VERIFYING"
    WATCHING = "WATCHING"
    RESOLVED = "RESOLVED"
    ESCALATED = "ESCALATED"
    RECOVERED = "RECOVERED"
    """The recovery was observed; a person must decide what a rollback left, or has not begun."""
    RECOVERY_NOT_OBSERVED = "RECOVERY_NOT_OBSERVED"
    """It ended, and nobody observed that its signals recovered."""


ENDED_INCIDENT_STATUSES = frozenset({IncidentStatus.RESOLVED, IncidentStatus.RECOVERY_NOT_OBSERVED})
DECIDED_BY_PERSON_STATUSES = frozenset({IncidentStatus.ESCALATED, IncidentStatus.RECOVERED})
"""A person must decide what happens next."""
WORKING_STATUSES = frozenset({IncidentStatus.WATCHING, IncidentStatus.RECOVERED})
"""It is open, and its recovery was verified or observed."""
WELL_STATUSES = WORKING_STATUSES | {IncidentStatus.RESOLVED}
"""Its recovery was verified or observed."""
PROCEEDING_STATUSES = frozenset(
    {
        IncidentStatus.DETECTED,
        IncidentStatus.INVESTIGATING,
        IncidentStatus.ROLLING_BACK,
        IncidentStatus.UNDO_REQUESTED,
        IncidentStatus.VERIFYING,
        IncidentStatus.ESCALATED,
    }
)
"""What works while it is in one of these, works until something is observed to fail."""

UNDO_REQUESTED_STATUS_NAME, UNDOING_STATUS_NAME = "undo requested", "undoing"
PUBLIC_STATUS_NAMES = {
    IncidentStatus.DETECTED: "detected",
    IncidentStatus.INVESTIGATING: "investigating",
    IncidentStatus.ROLLING_BACK: "rolling back",
    IncidentStatus.UNPINNING: "rolling back",
    IncidentStatus.UNDO_REQUESTED: UNDO_REQUESTED_STATUS_NAME,
    IncidentStatus.UNDOING: UNDOING_STATUS_NAME,
    IncidentStatus.VERIFYING: "rolling back",
    IncidentStatus.WATCHING: "rolling back (monitoring)",
    IncidentStatus.RESOLVED: "resolved",
    IncidentStatus.ESCALATED: "investigating",
    IncidentStatus.RECOVERED: "rolling back (monitoring)",
    IncidentStatus.RECOVERY_NOT_OBSERVED: "recovery not observed",
}
"""What the status page says of what was observed to fail."""
CHECKED_STATUS_NAME, CHANGED_STATUS_NAME = "under investigation", "changed (monitoring)"
UNCONFIRMED_STATUS_NAME = "checking a report"
"""What it says of a failure that the gates have not judged, or have ignored."""
UNFAILED_STATUS_NAMES = {
    "detected": CHECKED_STATUS_NAME,
    "investigating": CHECKED_STATUS_NAME,
    "rolling back": "changing",
    UNDO_REQUESTED_STATUS_NAME: CHECKED_STATUS_NAME,
    UNDOING_STATUS_NAME: "changing",
    "rolling back (monitoring)": CHANGED_STATUS_NAME,
}
"""What it says instead while nothing was observed to fail: of an order, or of a declaration."""
UNPIN_STATUS_NAMES = {"changing": "unpinning", CHANGED_STATUS_NAME: "unpinning (monitoring)"}
"""What it says instead of a change that an unpin makes."""


_CHANGING_STATUS_NAMES = ("rolling back", UNDOING_STATUS_NAME, "changing", "unpinning")
RECHECKED_STATUS_NAME = "rolling back (checking again)"
ROLLBACK_STATUS_NAMES = {word: f"{word} (paused)" for word in _CHANGING_STATUS_NAMES}
ROLLBACK_STATUS_NAMES |= {"rolling back (monitoring)": RECHECKED_STATUS_NAME}
"""By public word, the word while its rollback is held, or while a failed check is repeated."""


class TimelineEvent(FrozenStruct):
    """One line of an incident's time line."""

    status: IncidentStatus
    at: datetime
    note: str
    works: bool = False
    """Whether a recovery was observed before, and nothing to fail since, whatever is done now."""

    @property
    def is_well(self) -> bool:
        """Return whether a recovery was observed by then, and nothing to fail since."""
        return self.works or self.status in WELL_STATUSES


class RootCauseAnalysis(FrozenStruct):
    """What a person found an incident to come from."""

    cause: str
    by: str
    at: datetime
    prevention: str
    """What keeps it from coming again; empty: nobody has said yet."""
    public: str
    """What the status page says of it, in the person's words; empty: nothing."""


RIGHT, WRONG = "right", "wrong"
"""The verdicts of a mark; `wrong` limits automation."""


class IncidentMark(FrozenStruct):
    """Whether a rollback was the right answer to an incident, as a person sees it afterwards."""

    verdict: str
    by: str
    reason: str

    def __str__(self) -> str:
        return f"marked {self.verdict} by {self.by}: {self.reason}"


class Incident(StoredDocument):
    """Trouble in one system, from its detection to its end."""

    id: str
    """Public: INC-YYYYMMDD-NNN."""
    system: str
    severity: Severity
    signal: str
    status: IncidentStatus
    onset_at: datetime
    """When the trouble began, as the alert or the person says."""
    detected_at: datetime
    """When we committed it: the runbook's times count from here."""
    timeline: list[TimelineEvent]
    rollbacks: int = 1
    """How many responses it has had; further ones are numbered from 2."""
    respond_by: datetime | None = None
    """When its system must have recovered; a breach is notified."""
    acknowledged_by: str = ""
    """Who has it in hand; empty: nobody, and the on-call ladder goes on."""
    acknowledged_at: datetime | None = None
    unanswered_at: datetime | None = None
    """When Cloud Monitoring notifies its pager channels, unless it is acknowledged; None: never."""
    published_by: str = ""
    """Who has shown it on the status page; empty: nobody, and the policy says when it is."""
    analysis: RootCauseAnalysis | None = None
    """None: nobody has recorded the root cause."""
    mark: IncidentMark | None = None
    """None: nobody has marked it right or wrong."""
    held_by: str = ""
    """Who keeps it beyond its time, by a legal hold; empty: nobody."""
    is_observed_only: bool = False
    """Whether automation only observes it: then the policy says whether on-call is escalated to."""
    scopes: tuple[IncidentScope, ...] = ()
    """What its alerts and its order are about: a further alert joins only where it overlaps."""
    due_at: datetime | None = None
    """When the recovery is checked next; None: a rollback is in progress, or the incident ended."""
    failing: tuple[str, ...] = ()
    """Functions that a check has observed to fail, and no later one to work."""
    working: tuple[str, ...] = ()
    """Functions that a check has observed to work, and no later one to fail."""
    is_undoable: bool = True
    """Whether the newest rollback that ended left something that an undo restores."""
    failure_observed_at: datetime | None = None
    """When something was first observed to fail, where an order or a declaration opened it."""
    unobserved_since: datetime | None = None
    """Since when nothing is observed to fail, and not all is observed to have recovered."""
    unconfirmed_until: datetime | None = None
    """When it counts as an outage although no second source confirms it; None: not recorded."""
    ended_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def newest_turn(self) -> TimelineEvent:
        """The last entry of its time line."""
        return self.timeline[-1]

    def is_unanswered(self, now: datetime) -> bool:
        """Return whether nobody has acknowledged a severe incident that has not recovered."""
        is_severe = self.severity in (Severity.CRITICAL, Severity.HIGH)
        is_open = self.ended_at is None and not self.newest_turn.is_well
        is_late = self.unanswered_at is not None and self.unanswered_at <= now
        return is_severe and is_open and is_late and not self.acknowledged_by

    @property
    def is_unconfirmed(self) -> bool:
        """Return whether neither a second source, a person nor the time to decide confirms it."""
        unjudged = {IncidentStatus.DETECTED, *ENDED_INCIDENT_STATUSES}
        is_judged = any(one.status not in unjudged for one in self.timeline)
        is_waiting = self.unconfirmed_until is not None or not is_judged
        return self.has_failed and is_waiting and not self.published_by

    def is_confirmation_overdue(self, now: datetime) -> bool:
        """Return whether it counts as an outage by now, without a second source."""
        return self.unconfirmed_until is not None and now >= self.unconfirmed_until

    @property
    def beginning(self) -> str:
        """Return how it began, in a word: ordered, until something is observed to fail."""
        return "ordered" if self.is_ordered and not self.has_failed else "detected"

    @property
    def response_suffix(self) -> str:
        """Return what tells the notices of a further response from those of the first."""
        return f"-r{self.rollbacks}" if self.rollbacks > 1 else ""

    @property
    def rollback_ids(self) -> list[str]:
        """Return the ids of its rollbacks, the first first."""
        return [rollback_id(self.id, number + 1) for number in range(self.rollbacks)]

    @property
    def is_decided_by_person(self) -> bool:
        """Whether a person must decide what happens next."""
        return self.status in DECIDED_BY_PERSON_STATUSES

    @property
    def is_ordered(self) -> bool:
        """Return whether an operator's order opened it, and neither an alert nor a declaration."""
        return not self.scopes[0].signal

    @property
    def has_failed(self) -> bool:
        """Return whether anything was observed to fail; orders and declarations prove nothing."""
        is_proven = any(one.proves_failure for one in self.scopes)
        return is_proven or self.failure_observed_at is not None

    @property
    def is_awaiting_recovery(self) -> bool:
        """Whether nothing is in progress or to be decided: only its recovery is observed."""
        return self.due_at is not None and not self.is_decided_by_person


class PublicStatusChange(FrozenStruct):
    """When an incident came to be what the public word says."""

    word: str
    at: datetime


class PublicState(StoredDocument):
    """What the status page is written from: no names, no causes, nothing internal."""

    system: str
    display_name: str
    word: str
    incident: str | None
    severity: Severity | None
    since: datetime
    updated_at: datetime
    signal: str
    onset_at: datetime
    """When the trouble began."""
    turns: list[PublicStatusChange]
    """One for each change of the word, the first first; there is at least one."""
    ended_at: datetime | None = None
    published: bool = False
    """Whether a person has said that it is to be shown."""
    cause: str = ""
    """What a person has written for the public of where it came from; empty: nothing."""
    expires_at: datetime | None = None


class AffectedPart(FrozenStruct):
    """A part of the status page that an incident affects."""

    name: str
    since: datetime
    until: datetime | None = None
    """When its recovery was observed; None: it was not."""
    is_assumed: bool = False
    """Whether no check had observed which functions fail."""
    share: str = ""
    """How many of its functions fail, such as "1 of 14 functions"; empty: all, or not known."""
    worst_share: str = ""
    """The share when the most of them failed; empty: all, or not known."""


class StatusPageRecord(FrozenStruct):
    """What is recorded of an incident on the status page."""

    written_at: datetime | None = None
    """When the first page that shows it was written; None: none was."""
    parts: tuple[AffectedPart, ...] = ()
    unknown: tuple[str, ...] = ()
    """The parts that its alerts may be about, and of which no check has observed a function."""
    alerted: bool = False
    """Whether an alert belongs to it, or to what it continues, or a failure was observed."""
    alerted_at: datetime | None = None
    """When its first alert was received or its failure observed, as far as the page knows."""
    expires_at: datetime | None = None


def public_status_changes(incident: Incident) -> list[PublicStatusChange]:
    """Return each change of the public word; what follows an unpin is none of a rollback.

    While a change is monitored, the first observed failure ends the word of that, until the next
    status. Until the gates have judged a failure, the public reads that it is checked.
    """
    turns: list[PublicStatusChange] = []
    unpins, fails, failed_in = False, False, None
    for moment in incident.timeline:
        if moment.status in (IncidentStatus.ROLLING_BACK, IncidentStatus.UNPINNING, IncidentStatus.UNDOING):
            unpins = moment.status is IncidentStatus.UNPINNING
        word = PUBLIC_STATUS_NAMES[moment.status]
        fails = fails or moment.at >= (incident.failure_observed_at or moment.at)  # clocks differ
        works = moment.works and moment.status is not IncidentStatus.UNDO_REQUESTED
        if incident.is_unconfirmed and moment.status not in ENDED_INCIDENT_STATUSES:
            word = UNCONFIRMED_STATUS_NAME
        elif works or not fails or not incident.has_failed:
            word = UNFAILED_STATUS_NAMES.get(word, word)
            word = UNPIN_STATUS_NAMES.get(word, word) if unpins else word
        elif unpins and word == PUBLIC_STATUS_NAMES[IncidentStatus.ROLLING_BACK]:
            word = PUBLIC_STATUS_NAMES[IncidentStatus.INVESTIGATING]
        is_first_failure = moment.at == incident.failure_observed_at
        failed_in = moment.status if is_first_failure or moment.status is failed_in else None
        if failed_in is IncidentStatus.WATCHING:
            word = PUBLIC_STATUS_NAMES[IncidentStatus.INVESTIGATING]
        if not turns or turns[-1].word != word:
            turns.append(PublicStatusChange(word, moment.at))
    return turns


def public_state(policy: Policy, incident: Incident, now: datetime) -> PublicState:
    """What the status page may say of the incident now."""
    turns = public_status_changes(incident)
    return PublicState(
        system=policy.system,
        display_name=policy.display_name or policy.system,
        word=turns[-1].word,
        incident=incident.id,
        severity=incident.severity,
        since=incident.detected_at,
        updated_at=now,
        signal=incident.signal,
        onset_at=incident.onset_at,
        turns=turns,
        ended_at=incident.ended_at,
        published=bool(incident.published_by),
        cause=incident.analysis.public if incident.analysis is not None else "",
        expires_at=now + PUBLIC_RETENTION,
    )


def acknowledge(incident: Incident, actor: str, at: datetime) -> Incident:
    """Return the incident with that owner, unless it has one or nobody is named."""
    is_owned = not actor or incident.acknowledged_by
    return incident if is_owned else replace(incident, acknowledged_by=actor, acknowledged_at=at)


def observe_failure(incident: Incident, at: datetime) -> Incident:
    """Return the incident with its first observed failure, or the first after a recovery."""
    if incident.has_failed and not incident.newest_turn.works:
        return incident
    observed = TimelineEvent(incident.status, at, "a failure is observed")
    first = incident.failure_observed_at if incident.has_failed else at
    return replace(incident, failure_observed_at=first, timeline=[*incident.timeline, observed])


def well_since(incident: Incident) -> datetime | None:
    """Return since when recovery has been observed without a failure; None: it is not."""
    well = takewhile(lambda one: one.is_well, reversed(incident.timeline))
    return min((one.at for one in well), default=None)


def failing_again_at(incident: Incident) -> datetime | None:
    """Return when an incident stopped being well for the last time; None: it never was."""
    turns = [two.at for one, two in pairwise(incident.timeline) if one.is_well and not two.is_well]
    return turns[-1] if turns else None


def change_status(
    incident: Incident,
    status: IncidentStatus,
    now: datetime,
    note: str,
    severity: Severity | None = None,
    *,
    works: bool | None = None,
) -> Incident:
    """The incident in its new status, with one line more in its time line.

    `works`: whether a recovery was observed, and nothing to fail since; None: as it was.
    """
    works = incident.newest_turn.works if works is None else works
    kept = [*incident.timeline[:1], *incident.timeline[1:][-MAX_TIMELINE:]]
    became = replace(
        incident,
        status=status,
        severity=severity or incident.severity,
        timeline=[*kept, TimelineEvent(status, now, note, works and status in PROCEEDING_STATUSES)],
    )
    if status not in ENDED_INCIDENT_STATUSES:
        return became
    expires_at = None if incident.held_by else now + RECORD_RETENTION
    return replace(became, ended_at=now, expires_at=expires_at, due_at=None)


def has_ended_since(incident: Incident, moment: datetime) -> bool:
    """Whether it has ended after that moment, and come back with timers of its own."""
    return any(one.status in ENDED_INCIDENT_STATUSES and one.at > moment for one in incident.timeline)


def has_been_escalated(incident: Incident, reopened_at: datetime) -> bool:
    """Whether it waited for a person when it came to be judged again at that moment."""
    before, begun = [*incident.timeline], (IncidentStatus.DETECTED, IncidentStatus.INVESTIGATING)
    while before and (before[-1].at != reopened_at or before[-1].status not in begun):
        before.pop()
    return len(before) > 1 and before[-2].status in DECIDED_BY_PERSON_STATUSES


def rollback_id(incident: str, number: int) -> str:
    """The id of an incident's first, second, … rollback."""
    return incident if number == 1 else f"{incident}-r{number}"


def public_state_path(incident: Incident) -> str:
    """Return where the public state of an incident is kept."""
    return f"{public_history_path(incident.system)}/{incident.id}"


def page_record_path(system: str, incident: str) -> str:
    """Where it is kept what the status page has shown of an incident."""
    return f"{page_records_path(system)}/{incident}"
