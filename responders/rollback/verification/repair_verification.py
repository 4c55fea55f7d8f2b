"""Documents that were brought back: told, looked through again, and watched."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from responders.data.document_check import read_known_damage, request_data_check
from responders.rollback import derived_data
from responders.rollback.case import Case, Transition
from responders.rollback.verification.health_assessment import record_results
from shared.core import text
from shared.core.durations import describe_duration
from shared.domain.data.integrity.scan import CollectionTally
from shared.domain.data.repair import repair_plan
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.incidents.recovery_times import RECOVERED
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback import rollback as rollbacks
from shared.domain.rollback.plan import Step
from shared.domain.signals.health import Health, HealthVerdict

DATA_CHECK_TIMEOUT = timedelta(minutes=15)
"""So long after the last document the data are waited for to have been looked through again."""
POLL_INTERVAL = timedelta(seconds=30)


def conclude_repair(case: Case, steps: Iterable[Step]) -> bool:
    """Every step is done: what was written is told, and the data are to be looked through again."""
    derived_data.request_regeneration(case)
    back, left = 0, list[str]()
    for entry in derived_data.iterate_journal_entries(case):
        back += len(entry.landed)
        left += [f"{text.shorten(one.path)}: left: {one.why}" for one in entry.left]
    now = case.now()
    took = describe_duration(now - (case.rollback.started_at or now))
    fates = repair_plan.sum_outcomes(
        repair_plan.decode_position(one.operation or one.seen).fates for one in steps
    )
    skipped = {fate: number for fate, number in fates.items() if fate not in repair_plan.WRITTEN_OUTCOMES}
    why = f"; {repair_plan.describe_outcomes(skipped)}" if skipped else ""
    case.commit_transition(
        Transition(
            event="rollback.shifted",
            note=f"{text.count_noun(back, 'document')} written, {took} after the first of them{why}",
            details=(repair_plan.describe_outcomes(fates), *text.first_lines(left)),
            facts={"written": back, "left": len(left), "fates": fates},
            changes={"status": rollbacks.RollbackStatus.VERIFYING, "shifted_at": now},
            status=IncidentStatus.VERIFYING,
        )
    )
    return True


def verify_repair(case: Case) -> bool:
    """Wait until the data were looked through again; whether the worker goes on now."""
    now, shifted_at = case.now(), case.rollback.shifted_at or case.now()
    document, record = read_known_damage(case.ports, case.policy)
    last = record.last
    if last is None or last.at < shifted_at:  # a run looks at the whole minute that it began in
        if now < shifted_at + DATA_CHECK_TIMEOUT:
            request_data_check(case.ports, document, record, f"after {case.rollback.id}")
            case.wait("data.looked", "the data are looked through again", now + POLL_INTERVAL)
            return False
        case.commit_transition(
            _build_monitoring_transition(case, "the data were not looked through again in time", ())
        )
        return True
    faulty = sum(one.faulty for one in last.tallies.values())
    unknown = sum(one.unknown for one in last.tallies.values())
    why = f"{text.count_noun(faulty, 'document is', 'documents are')} still invalid" if faulty else ""
    if unknown and not faulty:
        why = f"{text.count_noun(unknown, 'document')} could not be judged"
    record_results(case, _evaluate_documents(case.policy, last.tallies), {})
    case.commit_transition(
        _build_monitoring_transition(case, why, tuple(_format_valid_counts(case.policy, last.tallies)))
    )
    return True


def _build_monitoring_transition(case: Case, why_not: str, details: tuple[str, ...]) -> Transition:
    now = case.now()
    took = describe_duration(now - case.incident.detected_at)
    note = f"{RECOVERED} {took} after detection: every document is valid"
    return Transition(
        event="rollback.unverified" if why_not else "rollback.verified",
        note=f"recovery is NOT verified: {why_not}" if why_not else note,
        details=details,
        facts={"valid": details},
        changes={
            "status": rollbacks.RollbackStatus.WATCHING,
            "verified_at": None if why_not else now,
            "watch_until": now + case.policy.execution.watch,
        },
        status=IncidentStatus.VERIFYING if why_not else IncidentStatus.WATCHING,
        system=case.release_slot,
    )


def _format_valid_counts(policy: Policy, tallies: Mapping[str, CollectionTally]) -> Iterator[str]:
    """How many documents of what people call critical are valid."""
    for name, declared in policy.collections.items():
        tally = tallies.get(name)
        if declared.critical_as and tally is not None:
            well = tally.documents - tally.faulty - tally.unknown
            yield f"{declared.critical_as}: {well} of {tally.documents} valid"


def _evaluate_documents(policy: Policy, tallies: Mapping[str, CollectionTally]) -> dict[str, Health]:
    """Evaluate each check of documents by what a run through the data has found."""
    found = {}
    for name, check in policy.verification.items():
        known = [tallies[one] for one in check.collections if one in tallies]
        faulty, unknown = sum(one.faulty for one in known), sum(one.unknown for one in known)
        verdict = HealthVerdict.ILL if faulty else HealthVerdict.WELL
        if not faulty and (unknown or len(known) < len(check.collections)):
            verdict = HealthVerdict.INCONCLUSIVE
        whole = text.count_noun(sum(one.documents for one in known), "document")
        if check.collections:
            found[name] = Health(verdict, f"{whole} checked: {faulty} invalid, {unknown} could not be judged")
    return found
