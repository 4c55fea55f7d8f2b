"""Words that say more than was observed, or are not corrected."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from responders.commands.incident import operator_answers
from responders.commands.rollback import superseding
from responders.notices import delivery
from responders.notices.delivery import NoticeDelivery
from responders.rollback import execution, report_filing
from responders.rollback.case import Case, Transition
from responders.rollback.decision import rollback_decision
from responders.rollback.verification import health_assessment, recovery, rollback_verification
from responders.rollback.verification.alert_conditions import ConditionResults
from shared.core.store import Write
from shared.domain.incidents import incident as incidents
from shared.domain.incidents import opening, recovery_times
from shared.domain.incidents.incident import Incident, IncidentStatus, PublicState, StatusPageRecord
from shared.domain.notices import recipients
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import incident_stage
from shared.domain.policy.channels import Audience, IncidentStage
from shared.domain.policy.system_policy import Policy
from shared.domain.presentation import notice_facts, status_page, status_page_html
from shared.domain.reports.report import ReportFacts, build_report
from shared.domain.rollback.rollback import Rollback
from shared.domain.signals import alert_conditions
from shared.domain.signals.health import evaluate_health
from shared.state import reader as state_reader
from shared.state import system_status
from tests.simulation.statements import surfaces


def observing_closes_the_incident() -> AbstractContextManager[Any]:
    """Whoever does nothing calls the incident resolved."""
    honest = rollback_decision._build_no_action_transition

    def close(*facts: Any) -> Transition:
        turn = honest(*facts)
        observed = turn.status is IncidentStatus.INVESTIGATING
        return replace(turn, status=IncidentStatus.RESOLVED) if observed else turn

    return patch.object(rollback_decision, "_build_no_action_transition", close)


def failed_without_public_state() -> AbstractContextManager[Any]:
    """The page is not written anew after a rollback has failed."""
    return _without_public_state("rollback.failed")


def _without_public_state(event: str) -> AbstractContextManager[Any]:
    honest = Case._build_incident_writes

    def silent(self: Case, turn: Transition, *facts: Any) -> list[Write]:
        writes = honest(self, turn, *facts)
        return [one for one in writes if not (turn.event == event and one.path.startswith("public/"))]

    return patch.object(Case, "_build_incident_writes", silent)


def recovered_without_public_state() -> AbstractContextManager[Any]:
    """An incident that ends without a rollback, or after another's, stays open on the page."""
    return patch.object(recovery, "public_state_writes", lambda *facts, **more: [])


def accepted_without_public_state() -> AbstractContextManager[Any]:
    """A person accepts, and the page says "Not working" for ever."""
    return patch.object(operator_answers, "public_state_writes", lambda *facts, **more: [])


def superseded_without_public_state() -> AbstractContextManager[Any]:
    """An order continues an incident, and the page still says that a report is checked."""
    return patch.object(superseding, "public_state_writes", lambda *facts, **more: [])


def accepted_as_resolved() -> AbstractContextManager[Any]:
    """What a person accepts is called recovered, whatever it does."""
    return patch.object(operator_answers, "IncidentStatus", _Resolving)


class _Resolving:
    RECOVERED = IncidentStatus.RECOVERED
    RESOLVED = RECOVERY_NOT_OBSERVED = IncidentStatus.RESOLVED


def target_of_the_wrong_kind() -> AbstractContextManager[Any]:
    """Every incident has the time that the runbook gives to a database."""
    return patch.object(recovery_times, "recovery_target", lambda targets, *facts: targets.database)


def target_by_severity_alone() -> AbstractContextManager[Any]:
    """A rollback of functions is called late after the time of its severity."""
    return patch.object(recovery_times, "recovery_target", lambda targets, _, by: targets.by_severity[by])


def closed_is_recovered() -> AbstractContextManager[Any]:
    """Cloud Monitoring's word is enough: nobody looks at what the functions do."""

    @contextmanager
    def trusting() -> Iterator[None]:
        with (
            patch.object(alert_conditions, "failing_lines", lambda *facts: []),
            patch.object(recovery, "judge_recovery", _judge_by_word),
        ):
            yield

    return trusting()


def _judge_by_word(found: Any) -> alert_conditions.ConditionState:
    states = {state for _, state in found.judged}
    over = alert_conditions.ConditionState.OVER
    return over if states <= {over} else alert_conditions.ConditionState.STANDS


NOTHING_FAILS = ConditionResults(judged=())


def verified_by_one_function() -> AbstractContextManager[Any]:
    """All is well as soon as the first function is, whatever the alerts are about."""
    honest = evaluate_health

    def first(functions: Sequence[str], *facts: Any) -> Any:
        return honest(functions[:1], *facts)

    @contextmanager
    def hasty() -> Iterator[None]:
        with (
            patch.object(health_assessment, "evaluate_health", first),
            patch.object(rollback_verification, "read_conditions", lambda *facts: NOTHING_FAILS),
        ):
            yield

    return hasty()


def ended_at_the_first_shift() -> AbstractContextManager[Any]:
    """Everybody is told that it has ended when the first function is about to go back."""
    stages = {**recipients._STAGE_BY_EVENT, "rollback.decided": IncidentStage.OVER}
    honest, held_back = notice_facts.template_name, NoticeDelivery._is_held_back

    def name(notice: Notice, *facts: Any) -> str:
        chosen, is_over = honest(notice, *facts), incident_stage(notice.event) is IncidentStage.OVER
        return "all-clear" if chosen == "users" and is_over else chosen

    def hold(self: NoticeDelivery, notice: Notice, incident: Incident) -> bool:
        return not notice.event.startswith("rollback.decided") and held_back(self, notice, incident)

    @contextmanager
    def hasty() -> Iterator[None]:
        with (
            patch.object(recipients, "_STAGE_BY_EVENT", stages),
            patch.object(notice_facts, "template_name", name),
            patch.object(NoticeDelivery, "_is_held_back", hold),
            closed_incident_called_ended(),
        ):
            yield

    return hasty()


def recovered_from_the_first_shift() -> AbstractContextManager[Any]:
    """Recovery is counted from when the first shift was sent."""
    honest = recovery_times.find_recovered_at

    def hasty(incident: Incident, rollbacks: Sequence[Rollback]) -> datetime | None:
        found = honest(incident, rollbacks)
        return rollbacks[-1].started_at or found if found and rollbacks else found

    return patch.object(recovery_times, "find_recovered_at", hasty)


def report_takes_the_newest_rollback() -> AbstractContextManager[Any]:
    """What came before the newest rollback of an incident is not reported."""
    honest = build_report

    def newest(facts: ReportFacts) -> Any:
        return honest(replace(facts, rollbacks=facts.rollbacks[-1:]))

    return patch.object(report_filing, "build_report", newest)


def status_counts_otherwise() -> AbstractContextManager[Any]:
    """The status counts from the onset, the report from the detection."""
    honest = recovery_times.measure_recovery

    def early(policy: Any, incident: Incident, *facts: Any) -> Any:
        return replace(honest(policy, incident, *facts), detected_at=incident.onset_at)

    return patch.object(system_status, "measure_recovery", early)


def parts_by_the_first_signal() -> AbstractContextManager[Any]:
    """A part is affected by its signals alone, whatever functions fail or were ordered back."""
    honest = status_page._is_component_affected

    def blind(policy: Any, component: Any, signals: Any, functions: Any) -> bool:
        return honest(policy, component, signals, set())

    return patch.object(status_page, "_is_component_affected", blind)


def shifted_is_called_working() -> AbstractContextManager[Any]:
    """The page says that it works again before anybody has looked."""
    names = {**incidents.PUBLIC_STATUS_NAMES, IncidentStatus.ROLLING_BACK: "rolling back (monitoring)"}
    return patch.object(incidents, "PUBLIC_STATUS_NAMES", names)


def reopened_without_public_state() -> AbstractContextManager[Any]:
    """A further alert opens an incident again, and the page still says that it is over."""
    honest = opening.reopen_incident

    def silent(*facts: Any, **more: Any) -> Any:
        made = honest(*facts, **more)
        return replace(made, writes=tuple(one for one in made.writes if not one.path.startswith("public/")))

    return patch.object(opening, "reopen_incident", silent)


def unobserved_is_called_resolved() -> AbstractContextManager[Any]:
    """What no check can observe is called over when its time has passed."""
    honest = recovery._decide_change

    def hopeful(*facts: Any, **more: Any) -> Any:
        change = honest(*facts, **more)
        if change is None or change.becomes is not IncidentStatus.RECOVERY_NOT_OBSERVED:
            return change
        return replace(change, becomes=IncidentStatus.RESOLVED)

    return patch.object(recovery, "_decide_change", hopeful)


def closed_incident_called_ended() -> AbstractContextManager[Any]:
    """Users are told that it has ended, whatever is known of it."""
    honest = notice_facts._incident_facts

    def cheerful(*facts: Any, **more: Any) -> dict[str, Any]:
        return {**honest(*facts, **more), "has_recovered": True}

    return patch.object(notice_facts, "_incident_facts", cheerful)


def an_order_never_fails() -> AbstractContextManager[Any]:
    """An alert joins an order or a declaration, and the page still calls it a precaution."""
    return patch.object(incidents, "observe_failure", lambda incident, at: incident)


def undo_called_a_repair() -> AbstractContextManager[Any]:
    """Users read of an undo that it restores a previous version."""
    return patch.dict(incidents.PUBLIC_STATUS_NAMES, {IncidentStatus.UNDOING: "rolling back"})


def open_incident_called_closed() -> AbstractContextManager[Any]:
    """Each end of a rollback is announced as the end of its incident."""
    honest = notice_facts.template_name

    def hasty(notice: Any, audience: Any, about: Any) -> str:
        found = honest(notice, audience, about)
        is_over = recipients.incident_stage(notice.event) is IncidentStage.OVER
        return "all-clear" if is_over and audience is Audience.USERS else found

    @contextmanager
    def everywhere() -> Iterator[None]:
        with (
            patch.object(notice_facts, "template_name", hasty),
            patch.object(delivery.NoticeDelivery, "_is_held_back", lambda *facts: False),
        ):
            yield

    return everywhere()


def title_names_every_part() -> AbstractContextManager[Any]:
    """The title of an incident names the parts that work again as well."""
    return patch.object(status_page, "told_components", status_page.affected_components)


def working_functions_ignored() -> AbstractContextManager[Any]:
    """A part is affected until the end of its incident, whatever checks have counted."""
    honest = status_page.record_parts

    def blind(*facts: Any) -> Any:
        policy, state, record, alerts, newest, incident, now = facts
        return honest(policy, state, record, alerts, newest, replace(incident, working=()), now)

    return patch.object(state_reader, "record_parts", blind)


def feeds_are_old() -> AbstractContextManager[Any]:
    """The feeds do not show the incidents that are open."""
    honest = status_page_html._json_feed

    def old(view: Any, incidents: Any, address: str) -> Any:
        return honest(view, view.past, address)

    return patch.object(status_page_html, "_json_feed", old)


def page_says_no_incident() -> AbstractContextManager[Any]:
    """The page leaves out what is open, and says that there is no incident."""
    honest = status_page_html.render_objects

    def quiet(view: Any, address: str) -> Any:
        return honest(replace(view, active=()), address)

    return patch.object(status_page_html, "render_objects", quiet)


def status_knows_no_incident() -> AbstractContextManager[Any]:
    """An incident that no rollback answers is not in the status."""
    honest = system_status.read_system_status

    def blind(*facts: Any) -> Any:
        seen = honest(*facts)
        escalated = seen.incident is not None and seen.incident.is_decided_by_person
        return replace(seen, incident=None) if escalated else seen

    @contextmanager
    def everywhere() -> Iterator[None]:
        with patch.object(surfaces, "read_system_status", blind):
            yield

    return everywhere()


def notice_of_the_beginning() -> AbstractContextManager[Any]:
    """Users are told at the end what they were told at the beginning: that it fails."""
    honest = notice_facts.template_name

    def repeated(*facts: Any) -> str:
        found = honest(*facts)
        return "users" if found == "all-clear" else found

    @contextmanager
    def everywhere() -> Iterator[None]:
        with (
            patch.object(notice_facts, "template_name", repeated),
            patch.object(notice_facts, "RESTORED_STATUS_NAMES", frozenset()),
        ):
            yield

    return everywhere()


def failing_since_the_first_time() -> AbstractContextManager[Any]:
    """What fails again is called failing since it failed first."""
    honest = notice_facts._group_by_time

    def of_the_first(parts: Iterable[str], record: StatusPageRecord, since: datetime) -> list[dict[str, str]]:
        every = tuple(replace(one, until=None) for one in reversed(record.parts))
        return honest(parts, replace(record, parts=every), since)

    return patch.object(notice_facts, "_group_by_time", of_the_first)


def rollback_forgotten() -> AbstractContextManager[Any]:
    """The board reads that nothing was changed, after a rollback that changed something."""
    honest = notice_facts._resolution

    def forgetful(incident: Incident, rollbacks: Sequence[Rollback]) -> str:
        return honest(incident, rollbacks[-1:])

    return patch.object(notice_facts, "_resolution", forgetful)


def observed_failure_stays_private() -> AbstractContextManager[Any]:
    """Nobody reads of an order, whatever is observed to fail."""
    honest = status_page.is_public

    def hide(state: PublicState, policy: Policy, now: datetime, *, alerted: bool) -> bool:
        return honest(state, policy, now, alerted=alerted and state.signal in policy.signals)

    return patch.object(status_page, "is_public", hide)


def held_without_a_look() -> AbstractContextManager[Any]:
    """Nobody checks what fails while a rollback is held."""
    return patch.object(execution, "observe_hold", lambda *facts: None)


def uncounted_is_called_working() -> AbstractContextManager[Any]:
    """An alert about all is forgotten once a check observes that one function fails."""
    honest = status_page.record_parts

    def forget(*facts: Any) -> StatusPageRecord:
        return replace(honest(*facts), unknown=())

    return patch.object(state_reader, "record_parts", forget)


def share_of_the_first_moment() -> AbstractContextManager[Any]:
    """Of a part as many functions are said to fail as did at first, however many do now."""
    honest = status_page.record_parts

    def keep(*facts: Any) -> StatusPageRecord:
        made, first = honest(*facts), {one.name: one.share for one in facts[2].parts if one.until is None}
        return replace(
            made, parts=tuple(replace(one, share=first.get(one.name) or one.share) for one in made.parts)
        )

    return patch.object(state_reader, "record_parts", keep)


MUTANTS = (
    observing_closes_the_incident,
    failed_without_public_state,
    recovered_without_public_state,
    accepted_without_public_state,
    superseded_without_public_state,
    accepted_as_resolved,
    target_of_the_wrong_kind,
    target_by_severity_alone,
    closed_is_recovered,
    verified_by_one_function,
    ended_at_the_first_shift,
    recovered_from_the_first_shift,
    report_takes_the_newest_rollback,
    status_counts_otherwise,
    parts_by_the_first_signal,
    shifted_is_called_working,
    reopened_without_public_state,
    unobserved_is_called_resolved,
    closed_incident_called_ended,
    an_order_never_fails,
    undo_called_a_repair,
    open_incident_called_closed,
    title_names_every_part,
    working_functions_ignored,
    feeds_are_old,
    page_says_no_incident,
    status_knows_no_incident,
    notice_of_the_beginning,
    failing_since_the_first_time,
    rollback_forgotten,
    observed_failure_stays_private,
    held_without_a_look,
    uncounted_is_called_working,
    share_of_the_first_moment,
)
