"""File the report of an incident once it has ended, with what was counted of its impact."""

import shlex
import zlib
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from responders.support.parallel_calls import Call, answer_or_none, call_all
from shared.core.codec import encode
from shared.core.durations import ceil_to_minute, floor_to_minute
from shared.core.store import Document, Put, Write
from shared.domain.audit.system_chain import system_event
from shared.domain.incidents.incident import Incident, incident_path
from shared.domain.incidents.incident_notices import create_incident_notices
from shared.domain.notices.notice import Notice, WithdrawalCondition
from shared.domain.notices.recipients import create_scheduled_notices
from shared.domain.policy.system_policy import Policies, Policy
from shared.domain.reports import filed_report
from shared.domain.reports.html import render_html
from shared.domain.reports.impact import ImpactCounts, measure_impact, summarize_impact, unknown_impact
from shared.domain.reports.markdown import render_markdown
from shared.domain.reports.monthly_stats import tally_incident
from shared.domain.reports.report import IncidentReport, ReportFacts, build_report
from shared.domain.retention import RECORD_RETENTION
from shared.domain.signals.health import MAX_COUNT_DELAY, sum_requests
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.audit_reader import AuditReader
from shared.state.reader import StateReader
from shared.state.report_source import gather_report_facts

ACTOR = "on_work"
RETRY_INTERVAL = timedelta(minutes=1)
"""Where Monitoring has given no answer."""


def build_report_request(incident: Incident) -> list[Write]:
    """The write by which an incident's report is due, where it is over."""
    if incident.ended_at is None:
        return []
    due_at = incident.ended_at + filed_report.FILING_DELAY
    pending = filed_report.FiledReport(
        incident.id, incident.system, incident.ended_at, due_at, expires_at=incident.expires_at
    )
    return [Put(filed_report.report_path(incident.id), encode(pending))]


def build_report_rewrite(ports: Ports, incident: Incident, now: datetime) -> list[Write]:
    """The write by which a report that is filed already is written anew."""
    document = ports.store.get(filed_report.report_path(incident.id))
    if document.fields is None or document.fields["written_at"] is None:
        return []
    return [document.build_update({"due_at": now})]


def file_report(ports: Ports, policies: Policies, incident: str) -> None:
    """Return once the report is filed, or due again later. Raises: Moved, Unavailable."""
    document = ports.store.get(filed_report.report_path(incident))
    if document.fields is None:
        return
    record, now = document.decode(filed_report.FiledReport), document.read_at
    if record.due_at is None or record.due_at > now or record.system not in policies:
        return
    policy = policies[record.system]
    found = ports.store.get(incident_path(incident)).decode(Incident)
    if found.ended_at is None:  # it is not over after all, and its next end makes it due
        ports.store.commit([document.build_update({"due_at": None})])
        return
    counts = count_impact(ports, policy, found, record.counts, now)
    has_counter = policy.outage is not None and bool(policy.outage.users)
    is_pending = counts.requests is None or (has_counter and counts.users is None)
    if is_pending and now < record.ended_at + filed_report.MAX_METRICS_WAIT:
        later = {"due_at": now + RETRY_INTERVAL, "counts": encode(counts)}
        ports.store.commit([document.build_update(later)])
        return
    trail = AuditReader(ports.store, None)
    facts = gather_report_facts(StateReader(ports.store), trail, policy, found, now, counts)
    _commit_report(ports, document, record, facts)


def _commit_report(
    ports: Ports, document: Document, record: filed_report.FiledReport, facts: ReportFacts
) -> None:
    """One commit: the report, its event, and whom it is told to the first time."""
    made, now, incident = build_report(facts), facts.now, facts.incident
    said = [] if record.written_at is not None else _build_notices(facts, made)
    became = replace(
        record,
        due_at=None,
        written_at=record.written_at or now,
        counts=facts.counts,
        markdown=zlib.compress(render_markdown(made).encode()),
        html=zlib.compress(render_html(made).encode()),
        expires_at=None if incident.held_by else now + RECORD_RETENTION,
    )
    key = f"report:{incident.id}:{now:%Y%m%dT%H%M%S%f}"
    about = {"incident": incident.id, "counts": encode(facts.counts)}
    writes: list[Write] = [
        document.build_update(became),
        system_event(incident.system, key, "report.filed", now, ACTOR, **about),
    ]
    work_queue.commit_with_notices(ports, writes, said)


def _build_notices(facts: ReportFacts, made: IncidentReport) -> list[Notice]:
    """That it is filed, and in a day that nobody knows the cause; of a false alarm nothing."""
    summary = tally_incident(facts.policy, facts.incident, [one.rollback for one in facts.rollbacks])
    if summary is None or summary.false_alarm:
        return []
    incident, meant = facts.incident, summarize_impact(made.impact)
    unknown = unknown_impact(made.impact, facts.policy) if made.impact.is_failure_observed else {}
    meant += f"; not known: {', '.join(unknown)}" if unknown else ""
    to_paste, event = _suggested_commands(facts), f"report{incident.response_suffix}"
    text = f"its report is written\n{meant}"
    filed = create_incident_notices(
        facts.policy, incident, event, text, facts.now, to_paste=to_paste, meant=meant
    )
    return [*filed, *_reminders(facts)]


def _reminders(facts: ReportFacts) -> list[Notice]:
    """Each is withdrawn, where a cause is recorded by then, or the incident has come back."""
    incident, ended_at = facts.incident, facts.incident.ended_at
    if ended_at is None or incident.analysis is not None:
        return []
    headline = f"{incident.id} {incident.severity}: nobody has recorded its root cause in a day"
    return create_scheduled_notices(
        facts.policy,
        facts.policy.channels,
        incident.id,
        incident.severity,
        f"root-cause{incident.response_suffix}",
        "\n".join((headline, *_suggested_commands(facts))),
        facts.now,
        max(facts.now, ended_at + filed_report.ROOT_CAUSE_REMINDER_DELAY),
        WithdrawalCondition.ANALYSED,
        to_paste=_suggested_commands(facts),
        ended_at=ended_at,
    )


def _suggested_commands(facts: ReportFacts) -> tuple[str, ...]:
    name, console = facts.incident.id, facts.policy.console_url.rstrip("/")
    page = (f"{console}/incidents/{name}/report",) if console else ()
    cause = ("what it came from", "--prevention", "what keeps it from coming again")
    lines = (("report", name), ("root-cause", name, *cause))
    return (*page, *(shlex.join(("rollback", *words)) for words in lines))


def count_impact(
    ports: Ports, policy: Policy, incident: Incident, known: ImpactCounts, now: datetime
) -> ImpactCounts:
    """What is known already, and what of the rest Monitoring tells now.

    It counts by whole minutes: each counts that the trouble has touched, or a short one would have
    failed nobody. What gives no answer, or none to whoever asks, stays unknown.
    """
    metrics = ports.system(policy.system).metrics
    restored_at = measure_impact(policy, incident, known, now).restored_at or now
    since, until = floor_to_minute(incident.onset_at), min(ceil_to_minute(restored_at), now)
    calls: dict[str, Call] = {}
    if known.requests is None:
        calls["requests"] = partial(metrics.requests, since, until)
    if known.users is None and policy.outage is not None and policy.outage.users:
        calls["users"] = partial(metrics.count_matching, policy.outage.users, since, until)
    moved = _move_window(ports, incident)
    is_counted = known.moved is not None and known.before_move is not None
    if not is_counted and moved is not None and now >= moved[1] + MAX_COUNT_DELAY:
        calls["moved"] = partial(metrics.requests, *moved)
        calls["before"] = partial(metrics.requests, moved[0] - (moved[1] - moved[0]), moved[0])
    answers = call_all(ports, calls)
    during, before = (answer_or_none(answers.get(name)) for name in ("moved", "before"))
    requests = answer_or_none(answers.get("requests"))
    complete_until = now - MAX_COUNT_DELAY if until > now - MAX_COUNT_DELAY else None
    return ImpactCounts(
        requests=known.requests if requests is None else sum_requests(requests.values()),
        moved=known.moved if during is None else sum_requests(during.values()),
        before_move=known.before_move if before is None else sum_requests(before.values()),
        complete_until=known.complete_until if requests is None else complete_until,
        users=known.users if "users" not in answers else answer_or_none(answers["users"]),
    )


def _move_window(ports: Ports, incident: Incident) -> tuple[datetime, datetime] | None:
    """Return the whole minutes in which the newest rollback moved traffic; None: none did."""
    for rollback in reversed(StateReader(ports.store).rollbacks(incident)):
        if rollback.started_at is not None and rollback.shifted_at is not None:
            return floor_to_minute(rollback.started_at), ceil_to_minute(rollback.shifted_at)
    return None
