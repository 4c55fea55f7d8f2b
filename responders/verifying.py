"""After the last shift: is it well, and does it stay well?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial

from responders import ending, extending
from responders.asking import ask_all, looking, seen
from responders.case import Case, Turn, in_words
from responders.joined import unjudged
from shared import deployment as deployments
from shared import rollback as rollbacks
from shared.deployment import Deployment, taken_back
from shared.deployment import Status as DeploymentStatus
from shared.documents import decode
from shared.engine import load_steps
from shared.errors import RollbackError
from shared.health import Health, Verdict, judge
from shared.incident import Status
from shared.plan import Step, StepStatus
from shared.ports import Query, Update, Write
from shared.steps import Kind, shift
from shared.steps import Verdict as Standing

LOOK_EVERY_SECONDS = 10.0
WATCH_WINDOW = timedelta(minutes=5)
ILL_LOOKS_IN_A_ROW = 2
"""One failing probe during the watch is no regression yet."""


def conclude(case: Case, kinds: Mapping[str, Kind]) -> bool:
    """Look at every goal once more, now that each step has ended: verify, or fail with the list."""
    steps = load_steps(case.ports.store, case.rollback.id)
    undone = [step for step in steps.values() if step.status is not StepStatus.DONE]
    moved = [] if undone else _moved_since(case, steps.values(), kinds)
    if undone or moved:
        return ending.fail(case, _described(undone, moved))
    rolling = extending.going_on(case)
    if rolling is not None and extending.extend(case, rolling, steps.values()):
        return True
    if case.raised(case.joined_alerts()):
        return True
    now = case.now()
    took = in_words(now - case.incident.detected_at)
    case.take(
        Turn(
            event="rollback.shifted",
            note=f"{len(_shifted(steps.values()))} functions are back, {took} after detection",
            changes={"status": rollbacks.Status.VERIFYING, "shifted_at": now},
            status=Status.VERIFYING,
        )
    )
    return True


def verify(case: Case) -> bool:
    """Wait for points that begin after the last shift, and for probes; then watch, or fail.

    And for a roll-out that goes on, as far as its own time reaches.
    """
    now, shifted_at = case.now(), case.rollback.shifted_at or case.now()
    steps = load_steps(case.ports.store, case.rollback.id)
    rolling = extending.going_on(case)
    if rolling is not None and extending.extend(case, rolling, steps.values()):
        return True
    health = _health(case, steps.values(), shifted_at)
    expired = now >= shifted_at + case.policy.execution.verify_within
    settled = expired or rolling is None
    if (health.verdict is Verdict.WELL and settled) or (
        expired and health.verdict is Verdict.INCONCLUSIVE
    ):
        case.take(_watching(case, health, steps.values()))
    elif expired:
        return ending.fail(case, f"not well after the last shift: {health.reason}")
    elif case.take(Turn(event="health.looked", note=health.reason, say=False)):
        case.ports.clock.sleep(LOOK_EVERY_SECONDS)
    return True


def watch(case: Case, kinds: Mapping[str, Kind]) -> bool:
    """One look of the watch; at its end, finish. A regression escalates, it never flips.

    An alert that the plan is no answer to ends the watch early: it must be judged.
    """
    if case.raised(case.joined_alerts()):
        return True
    rollback, now = case.rollback, case.now()
    steps = load_steps(case.ports.store, rollback.id).values()
    health = _health(case, steps, max(rollback.shifted_at or now, now - WATCH_WINDOW))
    ill_looks = rollback.ill_looks + 1 if health.verdict is Verdict.ILL else 0
    if ill_looks >= ILL_LOOKS_IN_A_ROW:
        return ending.fail(case, f"it got worse again: {health.reason}")
    joined = case.joined_alerts()  # read again: alerts come and close while health is looked at
    answered = ending.answered_by_plan(case, steps, joined)
    further = unjudged(joined)
    if any(alert.key not in answered for alert in further):
        return ending.succeed(case, "the watch ended early: a further alert must be judged")
    if rollback.watch_until is not None and now >= rollback.watch_until and not ill_looks:
        return ending.succeed(case, _outcome(case, health, _moved_since(case, steps, kinds)))
    looked = Turn(
        event="health.looked",
        note=health.reason,
        changes={
            "ill_looks": ill_looks,
            "due_at": case.look_after(case.policy.execution.watch_every),
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
    bad = {"status": DeploymentStatus.BAD.value, "due_at": None, "expires_at": None}
    why = f"taken back by {case.rollback.id}"
    return tuple(
        Update(deployments.path(system, one.id), {**bad, "reason": why})
        for one in taken_back(known, target, functions)
    )


def _outcome(case: Case, health: Health, moved: list[str]) -> str:
    """How it ended, and what is not known about that."""
    parts = ["stable through the watch"]
    if case.rollback.verified_at is None:
        parts.append("but never verified")
    if health.verdict is Verdict.INCONCLUSIVE:
        parts.append(health.reason)
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
    services = {step.goal["service"].rpartition("/")[2]: step.target for step in _shifted(steps)}
    probes = [
        probe
        for probe in case.policy.probes
        if not probe.external and (probe.function is None or probe.function in services.values())
    ]
    metrics = case.ports.metrics(case.policy.system)
    look = seen(ask_all(case.ports, looking(case.ports, metrics, probes, since, case.now())))
    requests = (
        None
        if look.requests is None
        else {services[name]: count for name, count in look.requests.items() if name in services}
    )
    return judge(list(services.values()), requests, look.probes, case.policy.gates)


def _shifted(steps: Iterable[Step]) -> list[Step]:
    return [step for step in steps if step.kind == shift.KIND]


def _moved_since(case: Case, steps: Iterable[Step], kinds: Mapping[str, Kind]) -> list[str]:
    """The targets that are not at their goals any more; an unanswered look tells of nothing."""
    looks = ask_all(
        case.ports,
        {step.target: partial(kinds[step.kind].look, step) for step in _shifted(steps)},
    )
    return sorted(
        target
        for target, look in looks.items()
        if not isinstance(look, RollbackError)
        and look.verdict not in (Standing.AT_GOAL, Standing.UNDER_WAY)
    )


def _described(undone: list[Step], moved: list[str]) -> str:
    if moved:
        return f"changed by somebody after their shift: {', '.join(moved)}"
    shown = ", ".join(f"{step.name}: {step.status} {step.note}".strip() for step in undone[:5])
    more = f" and {len(undone) - 5} more" if len(undone) > 5 else ""
    return f"{len(undone)} steps did not succeed: {shown}{more}"
