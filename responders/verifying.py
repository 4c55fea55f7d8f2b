"""After the last shift: is it well, and does it stay well?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from responders import ending, extending
from responders.asking import ANSWER_SECONDS, ask_all, looking, or_none, seen
from responders.case import Case, Turn
from responders.closing import ends, reads_to_come, settle
from responders.fences import fenced
from responders.joined import unjudged
from responders.pinning import left_by
from responders.repairs import repaired
from responders.whereabouts import BACK, in_short
from shared import baseline, checks, probing, shortened
from shared import deployment as deployments
from shared import plan as plans
from shared import rollback as rollbacks
from shared.deployment import Deployment, taken_back
from shared.deployment import Status as DeploymentStatus
from shared.documents import decode
from shared.durations import in_words
from shared.engine import load_steps
from shared.errors import RollbackError
from shared.health import Health, ProbeAnswer, Requests, Verdict, judge
from shared.incident import Status
from shared.plan import Step, StepStatus
from shared.policy import ScenarioName
from shared.ports import Query, Update, Write
from shared.probing import Record
from shared.rollback import Way
from shared.steps import Kind, put_back, redeploy, take_out
from shared.steps import Verdict as Standing
from shared.steps.brought import PARTS, all_of, touches

LOOK_EVERY_SECONDS = 10.0
WATCH_WINDOW = timedelta(minutes=5)
ILL_LOOKS_IN_A_ROW = 2
"""One failing probe during the watch is no regression yet."""


def conclude(case: Case, kinds: Mapping[str, Kind]) -> bool:
    """Look at every goal once more, now that each step has ended: verify, or fail with the list."""
    steps = load_steps(case.ports.store, case.rollback.id)
    undone = plans.undone(steps)
    moved = [] if undone else _moved_since(case, steps.values(), kinds)
    if undone or moved:
        why = in_short(steps.values()) if undone else _moved(moved)
        return ending.fail(case, why, moved)
    if case.rollback.way is Way.REPAIR:
        return repaired.concluded(case, steps.values())
    if case.rollback.way is Way.UNDO:  # well or ill: it was asked for as it was
        documents = [
            f"{one.name}: {one.note}"
            for one in steps.values()
            if one.kind in (put_back.KIND, take_out.KIND)
        ]
        undone_now = all_of(len(_shifted(steps.values())), documents)
        return ending.left_to_people(case, f"undone: {undone_now} as before")
    rolling = extending.going_on(case)
    if rolling is not None and extending.extend(case, rolling, steps.values()):
        return True
    if case.raised(case.joined_alerts()):
        return True
    now = case.now()
    took = in_words(now - case.incident.detected_at)
    extensions = case.rollback.plan.extensions if case.rollback.plan else 0
    word = "unpinned" if case.rollback.way is Way.UNPIN else "back"
    back = len(_shifted(steps.values()))
    beside = [step.name for step in _effects(steps.values()) if step.kind in PARTS]
    case.take(
        Turn(
            event="rollback.shifted",
            note=f"{all_of(back, beside)} are {word}, {took} after detection",
            changes={"status": rollbacks.Status.VERIFYING, "shifted_at": now},
            status=Status.VERIFYING,
            occasion=f"-{extensions}" if extensions else "",
            writes=left_by(case, steps.values()),
        )
    )
    return True


def verify(case: Case) -> bool:
    """Wait for points that begin after the last shift, and for probes; then watch, or fail.

    And for a roll-out that goes on, as far as its own time reaches. Where people must be asked
    about more, that is not waited for: they are asked as soon as it is not well without it.
    """
    now, shifted_at = case.now(), case.rollback.shifted_at or case.now()
    steps = load_steps(case.ports.store, case.rollback.id)
    rolling = extending.going_on(case)
    if rolling is not None and extending.extend(case, rolling, steps.values()):
        return True
    health = _health(case, steps.values(), shifted_at)
    limits = case.policy.execution
    expired = now >= shifted_at + limits.verify_within
    settled = expired or rolling is None
    unrestored = health.outside is Verdict.ILL and now >= shifted_at + limits.confirm_within
    if (health.verdict is Verdict.WELL and settled) or (
        expired and health.verdict is Verdict.INCONCLUSIVE
    ):
        case.take(_watching(case, health, steps.values()))
    elif health.verdict is Verdict.ILL and case.rollback.plan and case.rollback.plan.asks:
        return ending.succeed(case, f"what may go back at once is back; not well: {health.reason}")
    elif expired or (unrestored and settled):
        return ending.fail(case, f"not well after the last shift: {health.reason}")
    elif case.take(_looked(health.reason, **_confirmed(case, health))):
        case.ports.clock.sleep(LOOK_EVERY_SECONDS)
    return True


def _confirmed(case: Case, health: Health) -> dict[str, datetime]:
    """The field that tells since when all probes pass, once they do."""
    known = case.rollback.confirmed_at is not None
    return {} if known or health.outside is not Verdict.WELL else {"confirmed_at": case.now()}


def _looked(note: str, **changes: Any) -> Turn:
    return Turn(event="health.looked", note=note, changes=changes, say=False)


def watch(case: Case, kinds: Mapping[str, Kind]) -> bool:
    """One look of the watch; at its end, finish. A regression escalates, it never flips.

    An alert that the plan is no answer to ends the watch early: it must be judged. One whose
    condition still stands at its limit, or at the end, leaves the incident to a person.
    """
    if case.raised(case.joined_alerts()) or settle(case):
        return True
    rollback, now = case.rollback, case.now()
    if rollback.way is Way.REPAIR and fenced.falls_first(case):
        return False
    steps = load_steps(case.ports.store, rollback.id).values()
    health = _watched(case, steps, max(rollback.shifted_at or now, now - WATCH_WINDOW))
    ill_looks = rollback.ill_looks + 1 if health.verdict is Verdict.ILL else 0
    if ill_looks >= ILL_LOOKS_IN_A_ROW:
        return ending.fail(case, f"it got worse again: {health.reason}")
    joined = case.joined_alerts()  # read again: alerts come and close while health is looked at
    answered = ending.answered_by_plan(case, steps, joined)
    further, late = unjudged(joined), case.incident.status is Status.ESCALATED
    if any(alert.key not in answered for alert in further):
        end = ending.left_to_people if late else ending.succeed
        return end(case, "the watch ended early: a further alert must be judged")
    if rollback.watch_until is not None and now >= rollback.watch_until and not ill_looks:
        moved, told_of = _moved_since(case, steps, kinds), ends(case, joined)
        end = ending.left_to_people if told_of.stands or late else ending.succeed
        standing = told_of.lines or (("its alerts were over too late",) if late else ())
        return end(case, _outcome(case, health, moved, standing))
    next_look = case.look_after(case.policy.execution.watch_every)
    looked = Turn(
        event="health.looked",
        note=health.reason,
        changes={
            "ill_looks": ill_looks,
            "due_at": min([next_look, *reads_to_come(case)]),
            "lease": None,
        },
        say=False,
        writes=case.absorbing(alert for alert in further if _began_before(alert.started_at, case)),
    )
    return not case.take(looked)


def _watching(case: Case, health: Health, steps: Iterable[Step]) -> Turn:
    verified = health.verdict is Verdict.WELL
    word = "verified" if verified else "NOT verified"
    now = case.now()
    return Turn(
        event="rollback.verified" if verified else "rollback.unverified",
        note=f"{word}: {health.reason}; watching",
        changes={
            "status": rollbacks.Status.WATCHING,
            **_confirmed(case, health),
            "verified_at": now if verified else None,
            "watch_until": now + case.policy.execution.watch,
        },
        status=Status.WATCHING,
        system=case.freed,
        writes=_bad(case, steps),
    )


def _bad(case: Case, steps: Iterable[Step]) -> tuple[Write, ...]:
    """The writes that mark what was taken back: nobody goes there again."""
    store, system = case.ports.store, case.policy.system
    found = store.query(Query("deployments", where=(("system", "==", system),)))
    known = [decode(Deployment, one.fields) for one in found]
    name = case.rollback.plan.target if case.rollback.plan else ""
    target = next((one for one in known if one.id == name), None)
    if target is None:
        return ()
    functions = {step.target for step in _shifted(steps)}
    beside = [step for step in _effects(steps) if step.kind in PARTS]
    back = {one.id for one in taken_back(known, target, functions)}
    back |= {one.id for one in known if one.at > target.at and _changed_by(one, beside)}
    bad = {"status": DeploymentStatus.BAD.value, "due_at": None, "expires_at": None}
    why = f"taken back by {case.rollback.id}"
    return tuple(
        Update(deployments.path(system, one.id), {**bad, "reason": why})
        for one in known
        if one.id in back and one.status is not DeploymentStatus.BAD
    )


def _changed_by(deployment: Deployment, steps: Iterable[Step]) -> bool:
    """Whether one of these steps brought back what the deployment had changed."""
    return any(touches(step, change) for step in steps for change in deployment.changes)


def _outcome(case: Case, health: Health, moved: list[str], standing: Iterable[str]) -> str:
    """How it ended, and what is not known about that."""
    parts = ["stable through the watch"]
    if case.rollback.verified_at is None:
        parts.append("but never verified")
    if health.verdict is Verdict.INCONCLUSIVE:
        parts.append(health.reason)
    parts += standing
    if moved:
        parts.append(f"since then changed by somebody: {', '.join(moved)}")
    return ", ".join(parts)


def _began_before(started_at: datetime, case: Case) -> bool:
    """Trouble from before the last shift needs no look at the end of the watch."""
    return case.rollback.shifted_at is not None and started_at <= case.rollback.shifted_at


def _health(case: Case, steps: Iterable[Step], since: datetime) -> Health:
    """How the functions of the plan do, by points and probes of after `since`.

    Asked are the probes of these functions, and those that belong to none but the system.
    """
    return _looked_at(case, steps, since)[0]


def _watched(case: Case, steps: Iterable[Step], since: datetime) -> Health:
    """How it does; while writers are stopped by a fence nobody can see that."""
    if fenced.is_up(case.ports, case.policy):
        return Health(Verdict.INCONCLUSIVE, "a fence is up: nobody can see whether it is well")
    return _against_before(case, steps, since)


def _against_before(case: Case, steps: Iterable[Step], since: datetime) -> Health:
    """The same, and beside how it was before the trouble: what is worse than that is ill."""
    health, requests = _looked_at(case, steps, since)
    document = case.ports.store.get(probing.path(case.policy.system))
    looks = decode(Record, document.fields).looks if document.fields is not None else {}
    before, window = case.rollback.baseline, (since, case.now())
    found = baseline.compared(before, requests, looks, window, case.policy.gates)
    if health.verdict is not Verdict.ILL and found.verdict is Verdict.ILL:
        return found
    if health.verdict is not Verdict.WELL:
        return health
    return Health(health.verdict, f"{health.reason}; {found.reason}", health.outside)


def _looked_at(
    case: Case, steps: Iterable[Step], since: datetime
) -> tuple[Health, dict[str, Requests] | None]:
    back = _shifted(steps)
    services = {
        step.goal["service"].rpartition("/")[2]: step.target
        for step in back
        if "service" in step.goal
    }
    probes = [
        probe
        for probe in case.policy.probes
        if not probe.external and (probe.function is None or probe.function in services.values())
    ]
    metrics, now = case.ports.metrics(case.policy.system), case.now()
    scenario = case.rollback.plan.scenario if case.rollback.plan else ScenarioName.NONE
    calls = looking(case.ports, metrics, probes, since, now)
    if checks.counts_sign_ins(case.policy, scenario):
        calls["sign-ins"] = partial(metrics.sign_ins, since, now)
    answers = ask_all(case.ports, calls)
    look = seen(answers)
    requests = (
        None
        if look.requests is None
        else {services[name]: count for name, count in look.requests.items() if name in services}
    )
    health = judge(list(services.values()), requests, look.probes, case.policy.gates)
    outside = _outside(look.probes.values(), len(probes))
    counted = checks.Counted(requests, or_none(answers.get("sign-ins")))
    found = checks.checked(case.policy, scenario, set(services.values()), counted, look.probes)
    return checks.together(Health(health.verdict, health.reason, outside), found), requests


def _outside(answers: Collection[ProbeAnswer], asked: int) -> Verdict:
    """What the probes alone say."""
    if not all(answer.passed for answer in answers):
        return Verdict.ILL
    return Verdict.WELL if answers and len(answers) == asked else Verdict.INCONCLUSIVE


def _shifted(steps: Iterable[Step]) -> list[Step]:
    """The steps that have brought functions back, one for each: those whose traffic was moved."""
    done = [step for step in steps if step.kind in BACK and step.status is StepStatus.DONE]
    routed = {step.target for step in done if step.kind != redeploy.KIND}
    return [step for step in done if step.kind != redeploy.KIND or step.target not in routed]


def _effects(steps: Iterable[Step]) -> list[Step]:
    """Those that have brought something back, what failed and was stood in for left out."""
    known = list(steps)
    return [*_shifted(known), *(step for step in known if step.kind in PARTS)]


def _moved_since(case: Case, steps: Iterable[Step], kinds: Mapping[str, Kind]) -> list[str]:
    """The targets that are not at their goals any more; an unanswered look tells of nothing."""
    looked_at = {step.name: step for step in _effects(steps)}
    case.hold_for(ANSWER_SECONDS)
    looks = ask_all(
        case.ports,
        {name: partial(kinds[step.kind].look, step) for name, step in looked_at.items()},
    )
    return sorted(
        looked_at[name].target
        for name, look in looks.items()
        if not isinstance(look, RollbackError)
        and look.verdict not in (Standing.AT_GOAL, Standing.UNDER_WAY)
    )


def _moved(names: Sequence[str]) -> str:
    return f"{len(names)} changed by somebody after their shift: {shortened.phrase(names)}"
