"""A database brought back document by document: prepared, asked about, and begun."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from responders.data.damage_record import known_damage, look_anew
from responders.data.repair import preview
from responders.data.repair.ttl import read_expiries
from responders.rollback.approval import parked
from responders.rollback.case import Case
from responders.rollback.decision.data_requests import (
    PEOPLE,
    PREPARE_WITHIN,
    Foreseen,
    Preparation,
    allowed,
    looked_through,
)
from responders.rollback.decision.fact_collection import gather
from responders.rollback.decision.repair_start import approved_by, begin, let_go
from responders.rollback.decision.rollback_decision import held
from responders.rollback.isolation import fence_guard
from responders.rollback.isolation.fence_guard import Around
from shared.core import text
from shared.core.codec import decode, encode
from shared.core.errors import Moved, Unavailable
from shared.core.store import Document, written
from shared.domain.data.integrity import damage
from shared.domain.data.integrity.damage import IntegrityRecord
from shared.domain.data.repair import plan as repair
from shared.domain.data.repair import quarantine
from shared.domain.decision.facts import Facts
from shared.domain.decision.gates.base import Outcome
from shared.domain.policy.model import ScenarioName
from shared.domain.rollback import rollback as rollbacks
from shared.domain.rollback.rollback import Order, Question

SURVEY_SHARE: Final = 0.6
"""Of its lease one worker spends so much on looking through the data, then it hands on what it has
found: meanwhile nobody renews the lease."""


def decide(case: Case) -> bool:
    """Whether the worker goes on with this rollback now; otherwise it was let go."""
    rollback, policy, now = case.rollback, case.policy, case.now()
    order = rollback.order
    if order is None:
        raise ValueError(f"{rollback.id} moves data that nobody has ordered to be moved")
    alerts = case.joined_alerts
    gathered = gather(case.ports, policy, now, alerts, rollback.id, writing=True)
    if case.raised(gathered.alerts):
        return True
    document = case.ports.store.get(repair.survey_path(rollback.id))
    known = Preparation(expires_at=rollback.expires_at)
    known = decode(Preparation, document.fields) if document.fields else known
    deadline = (rollback.decide_by or now) + PREPARE_WITHIN
    found, prepared = allowed(order, gathered.facts, policy, deadline, now, rollback.id), known
    if found.outcome is Outcome.ROLLBACK:
        try:
            found, prepared = _prepared(case, order, gathered.facts, found, known)
        except Unavailable as silent:
            if now < deadline:
                raise
            found = replace(
                found, outcome=Outcome.ESCALATE, reason=f"the data cannot be read: {silent}"
            )
    if prepared != known:
        try:
            case.ports.store.commit([written(document, encode(prepared))])
        except Moved:  # another worker has prepared it: decide again by that
            return True
    if found.survey is not None and not found.survey.is_over:
        case.hand_over()
        return False
    found, behind = _behind(case, found)
    if found.outcome is Outcome.HOLD and now >= deadline:
        found = replace(found, outcome=Outcome.ESCALATE)
    return _taken(case, order, found, behind, {alert.key for alert in gathered.alerts})


def _prepared(
    case: Case, order: Order, facts: Facts, found: Foreseen, known: Preparation
) -> tuple[Foreseen, Preparation]:
    """What becomes of it as far as the data are known, and what is known then."""
    ports, policy = case.ports, case.policy
    document, record = known_damage(ports, policy)
    why = _not_quiet(case, document, record, known)
    if record.last is not None:
        known = replace(known, before=damage.compared_with(known.before, record.last))
    if why:
        return replace(found, outcome=Outcome.HOLD, reason=why), known
    if record.last is None:
        return found, known
    try:
        expiries = read_expiries(ports, policy, policy.integrity.database)
    except Unavailable as unknown:
        return replace(found, outcome=Outcome.HOLD, reason=str(unknown)), known
    left = SURVEY_SHARE * rollbacks.LEASE.total_seconds() - case.tenure.seconds_since_commit
    at = record.last.at
    return looked_through(ports, policy, order, facts, found, known, record, at, expiries, left)


def _not_quiet(case: Case, document: Document, record: IntegrityRecord, known: Preparation) -> str:
    """Why no data may be moved yet; a look that is too old is asked for again."""
    policy, now = case.policy, case.now()
    if case.ports.buckets.quarantine is None:
        return quarantine.NO_BUCKET
    quiet = damage.quiet(record.last, known.before, policy, now)
    if quiet.is_quiet:
        return ""
    if quiet.again_at is None or now >= quiet.again_at:
        look_anew(case.ports, document, record, f"before {case.rollback.id}")
    return quiet.reason


def _behind(case: Case, found: Foreseen) -> tuple[Foreseen, Around]:
    """What becomes of it, and what is raised with it; it waits for what falls."""
    if (
        found.survey is None
        or found.plan is None
        or found.outcome not in (Outcome.ROLLBACK, Outcome.ASK)
    ):
        return found, Around()
    behind = fence_guard.around(case, timedelta(seconds=preview.seconds(found.survey)))
    if behind.why_not:
        found = replace(found, outcome=Outcome.HOLD, reason=behind.why_not)
    return found, behind


def _taken(case: Case, order: Order, found: Foreseen, behind: Around, answered: set[str]) -> bool:
    """The turn that this leads to; whether the worker goes on."""
    fates = found.survey.fates if found.survey is not None else {}
    told = {
        "outcome": found.outcome,
        "scenario": ScenarioName.DATABASE,
        "target": found.plan.header.target if found.plan is not None else order.restore_point,
        "gates": [encode(answer) for answer in found.gates],
        "fates": fates,
        "reported": found.plan.header.reported if found.plan is not None else (),
    }
    if case.rollback.overrides:
        told["overridden"] = [encode(answer) for answer in found.overridden]
    if found.outcome is Outcome.HOLD:
        return not case.take(held(case, found.reason, told))
    back, plan = f"{preview.written(fates)} documents", found.plan
    if found.outcome is Outcome.ASK and plan is not None:
        reason = approved_by(case.rollback, plan, PEOPLE)
        if not reason:
            question = Question(plan.header, PEOPLE, found.reason, case.now())
            return not case.end(parked(case, question, [], back, told), answered=answered)
        found = replace(found, outcome=Outcome.ROLLBACK, reason=reason)
        told["outcome"] = found.outcome
    reported = tuple(text.first_lines(plan.header.reported if plan is not None else ()))
    if found.outcome is Outcome.ROLLBACK and plan is not None:
        skipped = tuple(told.get("overridden", ()))
        return begin(
            case,
            plan,
            behind,
            told,
            f"bringing back {back} as of {plan.header.target}: {found.reason}",
            details=reported,
            is_fenced=case.policy.fence is not None,
            overrides=tuple(replace(one, skipped=skipped) for one in case.rollback.overrides),
        )
    is_over = found.outcome is Outcome.IGNORE
    no = let_go(case, told, "no data were moved", found.reason, details=reported, is_over=is_over)
    return not case.end(no, answered=answered)
