"""A database brought back document by document: prepared, asked about, carried out, looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from responders import fenced, foreseeing, remaking
from responders.case import Case, Turn
from responders.deciding import held, kept
from responders.ending import ended
from responders.expiring import read_expiries
from responders.fenced import Around
from responders.foreseeing import Target
from responders.gathering import gather
from responders.waiting import parked
from shared import damage, repair, shortened
from shared import rollback as rollbacks
from shared.damage import Record
from shared.documents import SCHEMA, decode, encode
from shared.durations import in_words
from shared.errors import Moved, Refused, Rejected, Unavailable
from shared.expiry import Expiry
from shared.facts import Facts
from shared.gate import Answer, GateAnswer, Outcome
from shared.gates import ASKS_FIRST, evaluate_reversal
from shared.incident import Status
from shared.integrity import Run, Tally
from shared.plan import Plan, Step
from shared.policy import Policy, ScenarioName
from shared.ports import Document, Ports, written
from shared.repair import Survey
from shared.rollback import Order, Question, in_favour
from shared.system import System

SURVEY_SHARE: Final = 0.6
"""Of its lease one worker spends so much on looking through the data, then it hands on what it has
found: meanwhile nobody renews the lease."""
PREPARE_WITHIN: Final = timedelta(minutes=30)
"""Beside the time in which any other order is decided: data are looked through first."""
LOOKED_WITHIN: Final = timedelta(minutes=15)
"""So long after the last document the data are waited for to have been looked through again."""
AGAIN: Final = timedelta(seconds=30)
PEOPLE: Final = 2
WORD_OF_TWO: Final = "data are moved by people's word alone"


class Preparation(Struct, frozen=True):
    """What is known of the data before anything of it is moved, `surveys/{rollback}`."""

    before: Run | None = None
    """The look through the data that the next one is compared with."""
    target: Target | None = None
    survey: Survey | None = None
    expires_at: datetime | None = None
    schema: int = SCHEMA


class Foreseen(Struct, frozen=True):
    """What becomes of an order now."""

    outcome: Outcome
    reason: str
    gates: tuple[GateAnswer, ...]
    plan: Plan | None = None
    survey: Survey | None = None
    overridden: tuple[GateAnswer, ...] = ()
    """What would have held it up, had the person not overridden it."""


def decide(case: Case) -> bool:
    """Whether the worker goes on with this rollback now; otherwise it was let go."""
    rollback, policy, now = case.rollback, case.policy, case.now()
    order = rollback.order
    if order is None:
        raise ValueError(f"{rollback.id} moves data that nobody has ordered to be moved")
    gathered = gather(case.ports, policy, now, case.joined_alerts, rollback.id)
    if case.raised(gathered.alerts):
        return True
    document = case.ports.store.get(repair.survey_path(rollback.id))
    known = Preparation(expires_at=rollback.expires_at)
    known = decode(Preparation, document.fields) if document.fields else known
    deadline = (rollback.decide_by or now) + PREPARE_WITHIN
    found, prepared = _allowed(order, gathered.facts, policy, deadline, now, rollback.id), known
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


def worked_out(
    ports: Ports, policy: Policy, order: Order, facts: Facts, known: Preparation, seconds: float
) -> tuple[Foreseen, Preparation]:
    """What would become of the order now, and the data looked through so many seconds further.

    As long as its survey is not over, it is not known yet. Nothing is kept. Raises: Unavailable.
    """
    now = ports.clock.now()
    found = _allowed(order, facts, policy, now + PREPARE_WITHIN, now, "")
    record = _record(ports.store.get(damage.path(policy.system)), policy)
    at = now.replace(second=0, microsecond=0)
    try:
        expiries = read_expiries(ports, policy, policy.integrity.database)
        known = _looked_through(ports, policy, order, known, record, at, expiries, seconds)
    except (Refused, Rejected) as no:
        return replace(found, outcome=Outcome.ESCALATE, reason=str(no)), known
    return _became(policy, order, facts, found, known), known


def concluded(case: Case, steps: Iterable[Step]) -> bool:
    """Every step is done: what was written is told, and the data are to be looked through again."""
    remaking.ask(case)
    back, left = 0, list[str]()
    for entry in remaking.entries(case):
        back += len(entry.landed)
        left += [f"{shortened.text(one.path)}: left: {one.why}" for one in entry.left]
    now = case.now()
    took = in_words(now - (case.rollback.started_at or now))
    note = f"{back} documents are back, {took} after the first of them"
    fates = repair.added(repair.from_text(one.operation or one.seen).fates for one in steps)
    case.take(
        Turn(
            event="rollback.shifted",
            note=note,
            details=(repair.worded(fates), *shortened.lines(left)),
            facts={"written": back, "left": len(left), "fates": fates},
            changes={"status": rollbacks.Status.VERIFYING, "shifted_at": now},
            status=Status.VERIFYING,
        )
    )
    return True


def verify(case: Case) -> bool:
    """Wait until the data were looked through again; whether the worker goes on now."""
    now, shifted_at = case.now(), case.rollback.shifted_at or case.now()
    document = case.ports.store.get(damage.path(case.policy.system))
    record = _record(document, case.policy)
    last = record.last
    if last is None or last.at < shifted_at:  # a run looks at the whole minute that it began in
        if now < shifted_at + LOOKED_WITHIN:
            _ask(case, document, record, f"after {case.rollback.id}")
            case.wait("data.looked", "the data are looked through again", now + AGAIN)
            return False
        case.take(_watching(case, "the data were not looked through again in time", ()))
        return True
    faulty = sum(one.faulty for one in last.tallies.values())
    unknown = sum(one.unknown for one in last.tallies.values())
    why = f"{faulty} documents are still invalid" if faulty else ""
    if unknown and not faulty:
        why = f"{unknown} documents could not be judged"
    case.take(_watching(case, why, tuple(_valid(case.policy, last.tallies))))
    return True


def _allowed(
    order: Order, facts: Facts, policy: Policy, deadline: datetime, now: datetime, rollback: str
) -> Foreseen:
    """What becomes of it by the gates alone."""
    by = evaluate_reversal(facts, policy, deadline, now, rollback, override=order.override)
    return Foreseen(by.outcome, by.reason, by.answers, overridden=by.overridden)


def _prepared(
    case: Case, order: Order, facts: Facts, found: Foreseen, known: Preparation
) -> tuple[Foreseen, Preparation]:
    """What becomes of it as far as the data are known, and what is known then."""
    ports, policy = case.ports, case.policy
    document = ports.store.get(damage.path(policy.system))
    record = _record(document, policy)
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
    try:
        at = record.last.at
        known = _looked_through(ports, policy, order, known, record, at, expiries, left)
    except (Refused, Rejected) as no:
        return replace(found, outcome=Outcome.ESCALATE, reason=str(no)), known
    return _became(policy, order, facts, found, known), known


def _looked_through(
    ports: Ports,
    policy: Policy,
    order: Order,
    known: Preparation,
    record: Record,
    at: datetime,
    expiries: Sequence[Expiry],
    seconds: float,
) -> Preparation:
    """What is known after so many seconds more; what was begun goes on where it is.

    Raises: Refused, where the restore point cannot be had; Unavailable, Rejected.
    """
    source = known.target or foreseeing.target(ports, policy, record, order.restore_point)
    select = repair.parse(order.select)
    survey = known.survey or foreseeing.begun(ports, policy, select, at, source)
    if not survey.is_over:
        survey = foreseeing.advanced(ports, policy, survey, expiries, seconds)
    return replace(known, target=source, survey=survey)


def _became(
    policy: Policy, order: Order, facts: Facts, found: Foreseen, known: Preparation
) -> Foreseen:
    """What becomes of it by what is known of the data, or how far that has come."""
    if known.target is None or known.survey is None or not known.survey.is_over:
        return replace(found, survey=known.survey)
    return _foreseen(policy, order, facts, found, known.target, known.survey)


def _foreseen(
    policy: Policy, order: Order, facts: Facts, found: Foreseen, source: Target, survey: Survey
) -> Foreseen:
    """What becomes of it by what the survey has found."""
    found = replace(found, survey=survey)
    plan = foreseeing.planned(policy, survey, source, facts)
    if plan is None:
        reason = f"there is nothing to bring back: {repair.worded(survey.fates)}"
        return replace(found, outcome=Outcome.IGNORE, reason=reason)
    found = replace(found, plan=plan)
    if found.outcome is not Outcome.ROLLBACK:
        return found
    longer = foreseeing.too_long(policy, timedelta(seconds=foreseeing.seconds(survey)))
    if longer:
        return replace(found, outcome=Outcome.ESCALATE, reason=longer)
    if not foreseeing.is_known_what_starts(facts):
        return replace(found, outcome=Outcome.HOLD, reason=foreseeing.STARTS_UNKNOWN)
    starts = foreseeing.started(policy, foreseeing.written_to(survey), facts)
    refused = foreseeing.why_not_started(policy, starts)
    if refused:
        return replace(found, outcome=Outcome.ESCALATE, reason=refused)
    good = foreseeing.undone(survey.fates)
    reason = WORD_OF_TWO
    if good:
        reason = f"{good} changes that nothing is wrong with would be undone"
    if order.override:
        skipped = (*found.overridden, GateAnswer(ASKS_FIRST, Answer.STOP, reason, Outcome.ASK))
        return replace(found, reason="overridden: nobody is asked", overridden=skipped)
    return replace(found, outcome=Outcome.ASK, reason=reason)


def _not_quiet(case: Case, document: Document, record: Record, known: Preparation) -> str:
    """Why no data may be moved yet; a look that is too old is asked for again."""
    policy, now = case.policy, case.now()
    if case.ports.quarantine is None:
        return "there is no bucket for copies of what is changed (ROLLBACK_QUARANTINE_BUCKET)"
    quiet = damage.quiet(record.last, known.before, policy, now)
    if quiet.is_quiet:
        return ""
    if quiet.again_at is None or now >= quiet.again_at:
        _ask(case, document, record, f"before {case.rollback.id}")
    return quiet.reason


def _ask(case: Case, document: Document, record: Record, why: str) -> None:
    """Have the data looked through anew, unless that is under way or asked for."""
    if record.run is None and not record.asked:
        with suppress(Moved):  # somebody looks just now
            asked = encode(replace(record, asked=why))
            case.ports.store.commit([written(document, asked)])


def _behind(case: Case, found: Foreseen) -> tuple[Foreseen, Around]:
    """What becomes of it, and the fence that is raised with it; it waits for one that falls."""
    if found.survey is None or found.outcome not in (Outcome.ROLLBACK, Outcome.ASK):
        return found, Around()
    behind = fenced.around(case, timedelta(seconds=foreseeing.seconds(found.survey)))
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
    back = f"{foreseeing.written(fates)} documents"
    if found.outcome is Outcome.ASK and found.plan is not None:
        people = in_favour(case.rollback, found.plan.header.fingerprint, PEOPLE)
        if len(people) < PEOPLE:
            question = Question(found.plan.header, PEOPLE, found.reason, case.now())
            return not case.end(parked(case, question, [], back, told), answered=answered)
        reason = f"approved by {', '.join(people.values())}"
        found = replace(found, outcome=Outcome.ROLLBACK, reason=reason)
        told["outcome"] = found.outcome
    if found.outcome is Outcome.ROLLBACK and found.plan is not None:
        if case.take(_going(case, found, found.plan, behind, back, told)):
            behind.begin(case)
        return True
    return not case.end(_let_go(case, found, told), answered=answered)


def _going(
    case: Case,
    found: Foreseen,
    plan: Plan,
    behind: Around,
    back: str,
    told: Mapping[str, Any],
) -> Turn:
    """Freeze the plan and take the system's slot, in one commit, before any effect."""
    rollback = case.rollback

    def slot_taken(system: System) -> System | None:
        if system.slot not in ("", rollback.id):
            return None
        return behind.with_window(replace(system, slot=rollback.id))

    return Turn(
        event="rollback.decided",
        note=f"bringing back {back} as of {plan.header.target}: {found.reason}",
        details=tuple(shortened.lines(plan.header.reported)),
        facts={
            **told,
            "plan": plan.header.fingerprint,
            "fence": behind.command,
        },
        changes={
            "status": rollbacks.Status.RUNNING,
            "plan": plan.header,
            "gates": tuple(told["gates"]),
            "is_fenced": case.policy.fence is not None,
            "overrides": tuple(
                replace(one, skipped=tuple(told["overridden"])) for one in rollback.overrides
            ),
        },
        status=Status.ROLLING_BACK,
        writes=(*kept(case, plan), *behind.writes),
        system=slot_taken,
    )


def _let_go(case: Case, found: Foreseen, told: Mapping[str, Any]) -> Turn:
    """The turn that moves no data, and says why."""
    over = found.outcome is Outcome.IGNORE
    return Turn(
        event="rollback.not-taken",
        note=f"no data were moved: {found.reason}",
        details=tuple(shortened.lines(found.plan.header.reported if found.plan else ())),
        choices=() if over else ("retry", "accept"),
        facts=told,
        changes={
            **ended(case, rollbacks.Status.NOT_TAKEN, found.reason),
            "gates": tuple(told["gates"]),
        },
        status=Status.RESOLVED if over else Status.ESCALATED,
    )


def _watching(case: Case, why_not: str, details: tuple[str, ...]) -> Turn:
    """What the new look means."""
    now = case.now()
    note = f"NOT verified: {why_not}" if why_not else "verified: every document is valid"
    return Turn(
        event="rollback.unverified" if why_not else "rollback.verified",
        note=f"{note}; watching",
        details=details,
        facts={"valid": details},
        changes={
            "status": rollbacks.Status.WATCHING,
            "verified_at": None if why_not else now,
            "watch_until": now + case.policy.execution.watch,
        },
        status=Status.WATCHING,
        system=case.freed,
    )


def _valid(policy: Policy, tallies: Mapping[str, Tally]) -> Iterator[str]:
    """How many documents of what people call critical are valid."""
    for name, declared in policy.collections.items():
        tally = tallies.get(name)
        if declared.critical_as and tally is not None:
            well = tally.documents - tally.faulty - tally.unknown
            yield f"{declared.critical_as}: {well} of {tally.documents} valid"


def _record(document: Document, policy: Policy) -> Record:
    return decode(Record, document.fields) if document.fields else Record(policy.system)
