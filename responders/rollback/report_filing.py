"""What was counted while a system did not work: requests, and users who met a failure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from responders.support.parallel_calls import ask_all, or_none
from shared.core.codec import decode, encode
from shared.core.store import Document, Put, Update, Write
from shared.domain.audit.chain import event
from shared.domain.audit.system_chain import write_down
from shared.domain.incidents import incident as incidents
from shared.domain.incidents.incident import Incident
from shared.domain.notices.notice import Notice, Unless, notices, scheduled
from shared.domain.policy.model import Policy
from shared.domain.reports import filing
from shared.domain.reports.filing import COUNTED_WITHIN, REMINDED_AFTER, Filed
from shared.domain.reports.html import html
from shared.domain.reports.impact import Counts, impact, in_one_line
from shared.domain.reports.markdown import markdown
from shared.domain.reports.monthly_stats import tally
from shared.domain.reports.report import Report, ReportFacts, report
from shared.domain.retention import KEPT_FOR
from shared.domain.signals.health import summed
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.audit_reader import Trail
from shared.state.reader import Reading
from shared.state.report_source import gathered

MINUTE = timedelta(minutes=1)


def counted(
    ports: Ports, policy: Policy, incident: Incident, known: Counts, now: datetime
) -> Counts:
    """What is known already, and what of the rest Monitoring tells now.

    It counts by whole minutes: each counts that the trouble has touched, or a short one would have
    failed nobody. What gives no answer, or none to whoever asks, stays unknown.
    """
    metrics = ports.system(policy.system).metrics
    restored_at = impact(policy, incident, known, now).restored_at or now
    since, until = _minute(incident.onset_at), min(_minute(restored_at) + MINUTE, now)
    calls: dict[str, Callable[[], Any]] = {}
    if known.requests is None:
        calls["requests"] = partial(metrics.requests, since, until)
    if known.users is None and policy.outage is not None and policy.outage.users:
        calls["users"] = partial(metrics.counted, policy.outage.users, since, until)
    answers = ask_all(ports, calls)
    requests = or_none(answers.get("requests"))
    return Counts(
        requests=known.requests if requests is None else summed(requests.values()),
        users=known.users if "users" not in answers else or_none(answers["users"]),
    )


def _minute(moment: datetime) -> datetime:
    """The whole minute that it lies in."""
    return moment.replace(second=0, microsecond=0)


ACTOR: Final = "on_work"
LOOK_AGAIN: Final = timedelta(minutes=1)
"""Where Monitoring has given no answer."""


def due(incident: Incident) -> list[Write]:
    """The write by which an incident's report is due, where it is over."""
    if incident.ended_at is None:
        return []
    return [Put(filing.report_path(incident.id), encode(filing.begun(incident, incident.ended_at)))]


def due_again(ports: Ports, incident: Incident, now: datetime) -> list[Write]:
    """The write by which a report that is filed already is written anew."""
    document = ports.store.get(filing.report_path(incident.id))
    if document.fields is None or document.fields["written_at"] is None:
        return []
    return [Update(document.path, {"due_at": now}, document.version)]


def file(ports: Ports, policies: Mapping[str, Policy], incident: str) -> None:
    """Return once the report is filed, or due again later; a redelivery files it once.

    Raises: Moved, Unavailable.
    """
    document = ports.store.get(filing.report_path(incident))
    if document.fields is None:
        return
    record, now = decode(Filed, document.fields), document.read_at
    if record.due_at is None or record.due_at > now or record.system not in policies:
        return
    policy = policies[record.system]
    found = decode(Incident, ports.store.get(incidents.incident_path(incident)).fields)
    if found.ended_at is None:  # it is not over after all, and its next end makes it due
        ports.store.commit([Update(document.path, {"due_at": None}, document.version)])
        return
    counts = counted(ports, policy, found, record.counts, now)
    if _waits(policy, counts) and now < record.ended_at + COUNTED_WITHIN:
        later = {"due_at": now + LOOK_AGAIN, "counts": encode(counts)}
        ports.store.commit([Update(document.path, later, document.version)])
        return
    trail = Trail(ports.store, None)
    facts = gathered(Reading(ports.store), trail, policy, found, now, counts)
    _file(ports, document, record, facts)


def _waits(policy: Policy, counts: Counts) -> bool:
    """Whether what is to be counted is not known yet."""
    has_counter = policy.outage is not None and bool(policy.outage.users)
    return counts.requests is None or (has_counter and counts.users is None)


def _file(ports: Ports, document: Document, record: Filed, facts: ReportFacts) -> None:
    """One commit: the report, its event, and whom it is told to the first time."""
    made, now, incident = report(facts), facts.now, facts.incident
    said = [] if record.written_at is not None else _said(facts, made)
    became = replace(
        record,
        due_at=None,
        written_at=record.written_at or now,
        counts=facts.counts,
        markdown=filing.packed(markdown(made)),
        html=filing.packed(html(made)),
        expires_at=None if incident.held_by else now + KEPT_FOR,
    )
    told = event("report.filed", now, ACTOR, incident=incident.id, counts=encode(facts.counts))
    key = f"report:{incident.id}:{now:%Y%m%dT%H%M%S%f}"
    kept = Update(document.path, encode(became), document.version)
    writes: list[Write] = [kept, write_down(incident.system, key, told)]
    work_queue.commit_with_notices(ports.store, ports.bus, writes, said)


def _said(facts: ReportFacts, made: Report) -> list[Notice]:
    """That it is filed, and in a day that nobody knows the cause; of a false alarm nothing."""
    summary = tally(facts.incident, [one.rollback for one in facts.rollbacks])
    if summary is None or summary.false_alarm:
        return []
    return [*_told(facts, made), *_reminders(facts)]


def _told(facts: ReportFacts, made: Report) -> list[Notice]:
    incident, meant = facts.incident, in_one_line(made.impact)
    to_paste = _to_paste(facts)
    headline = f"{incident.id} {incident.severity}: its report is written"
    return notices(
        facts.policy,
        incident.id,
        incident.severity,
        f"report{_response(incident)}",
        "\n".join((headline, meant, *to_paste)),
        facts.now,
        to_paste=to_paste,
        meant=meant,
    )


def _reminders(facts: ReportFacts) -> list[Notice]:
    """Each is withdrawn, where a cause is recorded by then, or the incident has come back."""
    incident, ended_at = facts.incident, facts.incident.ended_at
    if ended_at is None or incident.analysis is not None:
        return []
    headline = f"{incident.id} {incident.severity}: nobody has recorded its root cause in a day"
    return scheduled(
        facts.policy,
        facts.policy.channels,
        incident.id,
        incident.severity,
        f"root-cause{_response(incident)}",
        "\n".join((headline, *_to_paste(facts))),
        facts.now,
        max(facts.now, ended_at + REMINDED_AFTER),
        Unless.ANALYSED,
        to_paste=_to_paste(facts),
        ended_at=ended_at,
    )


def _to_paste(facts: ReportFacts) -> tuple[str, ...]:
    """How to read it, and how to say what it came from."""
    name, console = facts.incident.id, facts.policy.console_url.rstrip("/")
    page = (f"{console}/incidents/{name}/report",) if console else ()
    cause = ("what it came from", "--prevention", "what keeps it from coming again")
    lines = (("report", name), ("root-cause", name, *cause))
    return (*page, *(shlex.join(("rollback", *words)) for words in lines))


def _response(incident: Incident) -> str:
    """What tells a further end of the incident from its first."""
    return f"-r{incident.rollbacks}" if incident.rollbacks > 1 else ""
