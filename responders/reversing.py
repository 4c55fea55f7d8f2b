"""undo and unpin: a person takes back what rollbacks have done, by a plan like any other.

An undo is a further rollback of its incident, an unpin opens one of its own. Neither is the answer
to an alert, and automation leaves alone for a while what they have led anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from responders import fenced, taking_out_later
from responders.asking import ask_in_batches
from responders.case import Case, Turn
from responders.deciding import held, kept
from responders.ending import ended
from responders.erasing import FORGET
from responders.fenced import Around
from responders.foreseeing import behind_a_fence, taking_out, too_long, written
from responders.gathering import gather
from responders.ordering import ordered
from responders.pinning import pins_of
from responders.repairing import PEOPLE, PREPARE_WITHIN, WORD_OF_TWO
from responders.scenarios import reversal, wanted
from responders.scenarios.reversal import Reversal
from responders.scenarios.wanted import Wanted
from responders.subject import Subject, find
from responders.verbs import Asked, Effect
from responders.waiting import parked
from shared import incident as incidents
from shared import quarantine, ramp, repair, shortened
from shared import rollback as rollbacks
from shared import system as systems
from shared.build import Built
from shared.deployment import Inventory
from shared.documents import decode, encode
from shared.engine import load_steps
from shared.errors import Refused, RollbackError, Unavailable
from shared.facts import Facts
from shared.gate import GateAnswer, Outcome
from shared.gates import evaluate_reversal
from shared.incident import Incident, Status
from shared.opening import counter_path, open_incident, reopen_incident
from shared.plan import Plan, Step, reporting
from shared.policy import Policy, ScenarioName
from shared.ports import Ports, Query, Store
from shared.rollback import ENDED, Order, Question, Rollback, Way, in_favour
from shared.rollback import Status as RollbackStatus
from shared.severity import Severity
from shared.steps import put_back, take_out
from shared.steps.brought import all_of
from shared.system import System

REMOVES_COPIES: Final = (FORGET, taking_out_later.VERB)
LONG_AGO: Final = datetime.fromtimestamp(0, UTC)
SIGNAL = "unpin"
"""Of the incident that an unpin opens."""
WORD_ON_BUILDS: Final = "what is built again is not the artefact of old"
BUILDS_AT_ONCE: Final = 50
"""Functions whose deployments are asked about beside each other."""
BUILDS_SECONDS: Final = 8.0
"""No batch of them is begun after that, so that all of it ends well within the lease."""


class WorkedOut(Struct, frozen=True):
    """What an order to take back would do now."""

    outcome: Outcome
    reason: str
    gates: tuple[GateAnswer, ...]
    reversal: Reversal
    takes: timedelta = timedelta()
    """How long documents are written."""

    @property
    def writes(self) -> bool:
        """Whether documents are among it."""
        return self.reversal.plan is not None and any(map(_is_of_data, self.reversal.plan.steps))

    @property
    def people(self) -> int:
        """How many different people must want it, where it asks."""
        return PEOPLE if self.writes else 1


def undo(asked: Asked) -> Effect:
    """A further rollback of the incident: everything as its rollbacks have found it, verbatim.

    Raises: Refused, when none of them is over, or none has done anything that stands.
    """
    subject = find(asked)
    order = undoing(subject)
    now = subject.system.read_at
    opening = reopen_incident(
        asked.policy,
        subject.system,
        subject.incident_document,
        now=now,
        commit_id=asked.ports.ids(),
        events=[ordered(asked, now)],
        order=order,
    )
    return Effect(f"ordered {opening.rollback.id}", opening.writes)


def undoing(subject: Subject) -> Order:
    """The order that an undo gives. Raises: Refused, with what stands against it."""
    command, rollback, name = subject.asked.command, subject.rollback, subject.incident.id
    if rollback.status not in ENDED:
        raise Refused(f"{rollback.id} is {rollback.status}: cancel it, or wait for its end")
    if decode(System, subject.system.fields).incident != name:
        raise Refused(f"{name} is not the system's newest incident")
    subject.require_said_since()
    store = subject.asked.ports.store
    if not (_found(store, subject.incident) or _repairs(store, subject.incident)):
        raise Refused(f"{name} has nothing to undo: none of its rollbacks has moved anything")
    return Order(
        command=command.id,
        actor=command.actor,
        reason=command.reason,
        target=f"what {name} found",
        incident=name,
        person=subject.asked.person,
        right=subject.asked.right,
        way=Way.UNDO,
    )


def unpin(asked: Asked) -> Effect:
    """An incident of its own, in which the pins that are named (else all) are lifted.

    Raises: Refused, when an incident is open, or nothing of that is pinned.
    """
    policy, store = asked.policy, asked.ports.store
    system = store.get(systems.path(policy.system))
    order, now = unpinning(asked), system.read_at
    opening = open_incident(
        policy,
        system,
        store.get(counter_path(now)),
        severity=Severity.LOW,
        signal=SIGNAL,
        onset=now,
        now=now,
        commit_id=asked.ports.ids(),
        events=[ordered(asked, now)],
        order=order,
    )
    opened = opening.incident.id
    return Effect(f"opened {opened}", opening.writes, incident=opened)


def unpinning(asked: Asked) -> Order:
    """The order that an unpin gives. Raises: Refused, with what stands against it."""
    command, policy, store = asked.command, asked.policy, asked.ports.store
    document = store.get(systems.path(policy.system))
    system = decode(System, document.fields) if document.fields else System(policy.system)
    if system.incident and system.incident_ended_at is None:
        raise Refused(f"{system.incident} is open: what is pinned stays until it is over")
    groups = {group for name in command.groups for group in policy.groups_called(name)}
    held_now = [one.function for one in pins_of(store, policy.system)]
    named = [
        function
        for function in held_now
        if not (command.groups or command.functions)
        or policy.functions.get(function) in groups
        or function in command.functions
    ]
    if not named:
        raise Refused(f"nothing of that is pinned; pinned is {', '.join(held_now) or 'nothing'}")
    return Order(
        command=command.id,
        actor=command.actor,
        reason=command.reason,
        target="the newest revisions",
        functions=tuple(named),
        person=asked.person,
        right=asked.right,
        way=Way.UNPIN,
    )


def decide(case: Case) -> bool:
    """Whether the worker goes on with this rollback now; otherwise it was let go."""
    policy, rollback, now = case.policy, case.rollback, case.now()
    order = rollback.order
    if order is None:
        raise ValueError(f"{rollback.id} takes back what nobody has ordered")
    gathered = gather(case.ports, policy, now, case.joined_alerts, rollback.id)
    if case.raised(gathered.alerts):
        return True
    deadline = rollback.decide_by or now
    found = work_out(case.ports, policy, order, gathered.facts, deadline, now, rollback.id)
    found, behind = _behind(case, _agreed(rollback, found), deadline)
    told = {
        "outcome": found.outcome,
        "scenario": ScenarioName.FUNCTIONS,
        "target": order.target,
        "gates": [encode(answer) for answer in found.gates],
        "difference": [encode(one) for one in found.reversal.shown],
        "reported": found.reversal.reported,
    }
    match found.outcome:
        case Outcome.HOLD:
            return not case.take(held(case, found.reason, told))
        case Outcome.ROLLBACK if found.reversal.plan is not None:
            if case.take(_going(case, order, found, found.reversal.plan, behind, told)):
                behind.begin(case)
            return True
        case Outcome.ASK if found.reversal.plan is not None:
            question = Question(found.reversal.plan.header, found.people, found.reason, now)
            among = "documents" if found.writes else "rebuilds"
            turn = parked(case, question, found.reversal.shown, f"{among} among it", told)
        case _:
            turn = _let_go(case, found, told)
    answered = {alert.key for alert in gathered.alerts}
    return not case.end(turn, answered=answered)


def worked_out(ports: Ports, policy: Policy, order: Order) -> WorkedOut:
    """What would become of the order now, as it would be decided at first. Raises: Unavailable."""
    now = ports.clock.now()
    facts = gather(ports, policy, now, list, "").facts
    deadline = now + policy.gates.decide_within[Severity.LOW]
    return work_out(ports, policy, order, facts, deadline, now, "")


def work_out(
    ports: Ports,
    policy: Policy,
    order: Order,
    facts: Facts,
    deadline: datetime,
    now: datetime,
    rollback: str,
) -> WorkedOut:
    """What the order does by these facts, and whether it may."""
    store, inventory = ports.store, facts.inventory or {}
    functions, repaired = _taken_back(store, policy, order, inventory)
    answers = _built(ports, policy, functions)
    built = {name: one for name, one in answers.items() if not isinstance(one, RollbackError)}
    unseen = answers.keys() - built.keys()
    allowed = evaluate_reversal(facts, policy, deadline, now, rollback)
    outcome, reason = allowed.outcome, allowed.reason
    if outcome is Outcome.ROLLBACK and unseen:
        outcome = Outcome.HOLD if now < deadline else Outcome.ESCALATE
        reason = f"no answer about what is deployed: {shortened.phrase(sorted(unseen))}"
    seen = {name: one for name, one in functions.items() if name not in unseen}
    found = reversal.plan(policy, inventory, seen, order.target, built)
    documents = _put_back(store, policy, repaired)
    found = reversal.with_documents(found, documents, policy, order.target)
    writes = sum(one.goal.get("documents", 0) for one in documents)
    takes = timedelta(seconds=ramp.seconds(writes))
    worked = WorkedOut(outcome, reason, allowed.answers, found, takes)
    if outcome is not Outcome.ROLLBACK:
        return worked
    if found.plan is None:
        reason = "; ".join(found.refused) or f"nothing is left to {order.way}"
        return replace(worked, outcome=Outcome.ESCALATE, reason=reason)
    if not worked.writes:
        if not found.rebuilt:
            return worked
        return replace(worked, outcome=Outcome.ASK, reason=WORD_ON_BUILDS)
    longer = too_long(policy, takes)
    if longer:
        return replace(worked, outcome=Outcome.ESCALATE, reason=longer)
    plan = found.plan
    for line in behind_a_fence(policy):
        plan = reporting(plan, line)
    found = replace(found, plan=plan)
    return replace(worked, outcome=Outcome.ASK, reason=WORD_OF_TWO, reversal=found)


def _behind(case: Case, found: WorkedOut, deadline: datetime) -> tuple[WorkedOut, Around]:
    """What becomes of it, and the fence that is raised with it; it waits for one that falls.

    And for whoever removes copies just now of people who were erased.
    """
    if not found.writes or found.outcome not in (Outcome.ROLLBACK, Outcome.ASK):
        return found, Around()
    behind = fenced.around(case, found.takes)
    why_not = behind.why_not or _copies_removed(case)
    if why_not:
        waits = case.now() < deadline + PREPARE_WITHIN
        outcome = Outcome.HOLD if waits else Outcome.ESCALATE
        found = replace(found, outcome=outcome, reason=why_not)
    return found, behind


def _copies_removed(case: Case) -> str:
    """Why the copies cannot be put back now; empty: nobody is about to remove any."""
    due = (("system", "==", case.policy.system), ("due_at", ">", LONG_AGO))
    known = case.ports.store.query(Query("commands", where=due, order_by="due_at"))
    if not any((one.fields or {})["command"] in REMOVES_COPIES for one in known):
        return ""
    return "copies of people who were erased are being removed"


def _agreed(rollback: Rollback, found: WorkedOut) -> WorkedOut:
    """What becomes of a question once enough people want its plan."""
    plan = found.reversal.plan
    if found.outcome is not Outcome.ASK or plan is None:
        return found
    people = in_favour(rollback, plan.header.fingerprint, found.people)
    if len(people) < found.people:
        return found
    reason = f"approved by {', '.join(people.values())}"
    return replace(found, outcome=Outcome.ROLLBACK, reason=reason)


def _is_of_data(step: Step) -> bool:
    return step.kind in (put_back.KIND, take_out.KIND)


def _taken_back(
    store: Store, policy: Policy, order: Order, inventory: Inventory
) -> tuple[dict[str, Wanted], list[str]]:
    """The functions that the order is about, and the repairs, the newest first."""
    if order.way is Way.UNDO:
        document = store.get(incidents.path(order.incident))
        incident = decode(Incident, document.fields)
        return _found(store, incident), _repairs(store, incident)
    named = (one for one in pins_of(store, policy.system) if one.function in order.functions)
    return wanted.unpinned(named, inventory), []


def _built(
    ports: Ports, policy: Policy, functions: Mapping[str, Wanted]
) -> dict[str, Built | RollbackError | None]:
    """What ours have built again, as it is now; None: it is gone."""
    found = ports.builder(policy.system).found
    calls = {name: partial(found, name) for name, one in functions.items() if one.builds}
    unasked = dict.fromkeys(calls, Unavailable("there was no time to ask"))
    return {**unasked, **ask_in_batches(ports, calls, BUILDS_AT_ONCE, BUILDS_SECONDS)}


def _found(store: Store, incident: Incident) -> dict[str, Wanted]:
    names = (incidents.rollback_id(incident.id, n + 1) for n in range(incident.rollbacks))
    return wanted.found_by([load_steps(store, name).values() for name in names])


def _repairs(store: Store, incident: Incident) -> list[str]:
    """An incident's repairs that have written documents, the newest first.

    What an undo has put back is not put back again.
    """
    repaired: list[str] = []
    for number in range(incident.rollbacks):
        name = incidents.rollback_id(incident.id, number + 1)
        known = decode(Rollback, store.get(rollbacks.path(name)).fields)
        if known.way is Way.UNDO and known.status is RollbackStatus.SUCCEEDED:
            repaired.clear()
        elif known.way is Way.REPAIR and store.query(Query(quarantine.journal(name), limit=1)):
            repaired.insert(0, name)
    return repaired


def _put_back(store: Store, policy: Policy, repairs: Iterable[str]) -> list[Step]:
    """The steps that put back what these have written; who is erased meanwhile stays so."""
    steps: list[Step] = []
    for name in repairs:
        goal = put_back.Goal(name, policy.integrity.database, _written(store, name))
        step = Step(f"put back {name}", put_back.KIND, "documents", goal=encode(goal))
        steps.append(replace(step, after=(steps[-1].name,) if steps else ()))
    if steps and policy.erasure is not None:
        steps.append(taking_out(policy, steps))
    return steps


def _written(store: Store, repaired: str) -> int:
    """How many documents a repair has written, as far as its steps tell."""
    steps = (one for one in load_steps(store, repaired).values() if one.kind == repair.KIND)
    positions = (repair.from_text(one.operation or one.seen) for one in steps)
    return sum(written(one.fates) for one in positions)


def _going(
    case: Case,
    order: Order,
    found: WorkedOut,
    plan: Plan,
    behind: Around,
    told: Mapping[str, Any],
) -> Turn:
    """Freeze the plan and take the system's slot, in one commit, before any effect."""
    now, rollback = case.now(), case.rollback
    functions = sorted({one.target for one in plan.steps if not _is_of_data(one)})
    beside = [one.name for one in plan.steps if _is_of_data(one)]
    until = now + case.policy.deployments.human_first

    def slot_taken(system: System) -> System | None:
        if system.slot not in ("", rollback.id):
            return None
        suspended = {**system.suspended, **dict.fromkeys(functions, until)}
        return behind.with_window(replace(system, slot=rollback.id, suspended=suspended))

    return Turn(
        event="rollback.decided",
        note=f"{order.way}: {all_of(len(functions), beside)} to {order.target}",
        details=plan.header.reported,
        facts={
            **told,
            "plan": plan.header.fingerprint,
            "suspended": until,
            "fence": behind.command,
        },
        changes={
            "status": RollbackStatus.RUNNING,
            "plan": plan.header,
            "gates": tuple(told["gates"]),
            "is_fenced": found.writes and case.policy.fence is not None,
        },
        status=Status.ROLLING_BACK,
        writes=(*kept(case, plan), *behind.writes),
        system=slot_taken,
    )


def _let_go(case: Case, found: WorkedOut, told: Mapping[str, Any]) -> Turn:
    """The turn that does nothing, and says why."""
    return Turn(
        event="rollback.not-taken",
        note=f"nothing was done: {found.reason}",
        details=found.reversal.reported,
        choices=("retry", "accept"),
        facts=told,
        changes={
            **ended(case, RollbackStatus.NOT_TAKEN, found.reason),
            "gates": tuple(told["gates"]),
        },
        status=Status.ESCALATED,
    )
