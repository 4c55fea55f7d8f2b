"""After the last shift: is it well, and does it stay well?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial

from responders.rollback import completion
from responders.rollback.case import Case, Transition
from responders.rollback.isolation import fence_guard
from responders.rollback.joined_alerts import unjudged
from responders.rollback.outcome_summary import effects, in_short, shifted
from responders.rollback.pins import left_by
from responders.rollback.verification import health as measuring
from responders.rollback.verification import repair_verification, scope_extension
from responders.rollback.verification.alert_conditions import ends, reads_to_come, settle
from responders.support.parallel_calls import ANSWER_SECONDS, ask_all
from shared.core import text
from shared.core.durations import in_words
from shared.core.errors import RollbackError
from shared.core.store import Update, Write
from shared.domain.deployments import deployment as deployments
from shared.domain.deployments.deployment import Deployment, DeploymentStatus, taken_back
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.rollback import plan as plans
from shared.domain.rollback import rollback as rollbacks
from shared.domain.rollback.plan import Step
from shared.domain.rollback.rollback import Direction
from shared.domain.signals.health import Health, HealthVerdict
from shared.engine.engine import load_steps
from shared.engine.steps.base import StepKind
from shared.engine.steps.base import StepVerdict as Standing
from shared.engine.steps.documents import erase, restore
from shared.engine.steps.resource_differences import all_of, is_resource, touches
from shared.state.reader import Reading

LOOK_EVERY_SECONDS = 10.0
WATCH_WINDOW = timedelta(minutes=5)
ILL_LOOKS_IN_A_ROW = 2
"""One failing probe during the watch is no regression yet."""


def conclude(case: Case, kinds: Mapping[str, StepKind]) -> bool:
    """Look at every goal once more, now that each step has ended: verify, or fail with the list."""
    steps = load_steps(case.ports.store, case.rollback.id)
    undone = plans.undone(steps)
    moved = [] if undone else _moved_since(case, steps.values(), kinds)
    if undone or moved:
        changed = f"{len(moved)} changed by somebody after their shift: {text.phrase(moved)}"
        why = in_short(steps.values()) if undone else changed
        return completion.fail(case, why, moved)
    if case.rollback.way is Direction.REPAIR:
        return repair_verification.concluded(case, steps.values())
    if case.rollback.way is Direction.UNDO:  # well or ill: it was asked for as it was
        documents = [
            f"{one.name}: {one.note}"
            for one in steps.values()
            if one.kind in (restore.KIND, erase.KIND)
        ]
        undone_now = all_of(len(shifted(steps.values())), documents)
        return completion.left_to_people(case, f"undone: {undone_now} as before")
    rolling = scope_extension.going_on(case)
    if rolling is not None and scope_extension.extend(case, rolling, steps.values()):
        return True
    if case.raised(case.joined_alerts()):
        return True
    now = case.now()
    took = in_words(now - case.incident.detected_at)
    extensions = case.rollback.plan.extensions if case.rollback.plan else 0
    word = "unpinned" if case.rollback.way is Direction.UNPIN else "back"
    back = len(shifted(steps.values()))
    beside = [step.name for step in effects(steps.values()) if is_resource(step)]
    case.take(
        Transition(
            event="rollback.shifted",
            note=f"{all_of(back, beside)} are {word}, {took} after detection",
            changes={"status": rollbacks.RollbackStatus.VERIFYING, "shifted_at": now},
            status=IncidentStatus.VERIFYING,
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
    rolling = scope_extension.going_on(case)
    if rolling is not None and scope_extension.extend(case, rolling, steps.values()):
        return True
    health = measuring.health(case, steps.values(), shifted_at)
    limits = case.policy.execution
    expired = now >= shifted_at + limits.verify_within
    settled = expired or rolling is None
    unrestored = health.outside is HealthVerdict.ILL and now >= shifted_at + limits.confirm_within
    if (health.verdict is HealthVerdict.WELL and settled) or (
        expired and health.verdict is HealthVerdict.INCONCLUSIVE
    ):
        case.take(_watching(case, health, steps.values()))
    elif health.verdict is HealthVerdict.ILL and case.rollback.plan and case.rollback.plan.asks:
        return completion.succeed(
            case, f"what may go back at once is back; not well: {health.reason}"
        )
    elif expired or (unrestored and settled):
        return completion.fail(case, f"not well after the last shift: {health.reason}")
    elif case.take(
        Transition("health.looked", health.reason, changes=_confirmed(case, health), say=False)
    ):
        case.ports.clock.sleep(LOOK_EVERY_SECONDS)
    return True


def _confirmed(case: Case, health: Health) -> dict[str, datetime]:
    """The field that tells since when all probes pass, once they do."""
    known = case.rollback.confirmed_at is not None
    return {} if known or health.outside is not HealthVerdict.WELL else {"confirmed_at": case.now()}


def watch(case: Case, kinds: Mapping[str, StepKind]) -> bool:
    """One look of the watch; at its end, finish. A regression escalates, it never flips.

    An alert that the plan is no answer to ends the watch early: it must be judged. One whose
    condition still stands at its limit, or at the end, leaves the incident to a person.
    """
    if case.raised(case.joined_alerts()) or settle(case):
        return True
    rollback, now = case.rollback, case.now()
    if rollback.way is Direction.REPAIR and fence_guard.falls_first(case):
        return False
    steps = load_steps(case.ports.store, rollback.id).values()
    since = max(rollback.shifted_at or now, now - WATCH_WINDOW)
    health = measuring.in_the_watch(case, steps, since)
    ill_looks = rollback.ill_looks + 1 if health.verdict is HealthVerdict.ILL else 0
    if ill_looks >= ILL_LOOKS_IN_A_ROW:
        return completion.fail(case, f"it got worse again: {health.reason}")
    joined = case.joined_alerts()  # read again: alerts come and close while health is looked at
    answered = completion.answered_by_plan(case, steps, joined)
    further, late = unjudged(joined), case.incident.status is IncidentStatus.ESCALATED
    if any(alert.key not in answered for alert in further):
        end = completion.left_to_people if late else completion.succeed
        return end(case, "the watch ended early: a further alert must be judged")
    if rollback.watch_until is not None and now >= rollback.watch_until and not ill_looks:
        moved, told_of = _moved_since(case, steps, kinds), ends(case, joined)
        end = completion.left_to_people if told_of.stands or late else completion.succeed
        standing = told_of.lines or (("its alerts were over too late",) if late else ())
        return end(case, _outcome(case, health, moved, standing))
    next_look = case.look_after(case.policy.execution.watch_every)
    looked = Transition(
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


def _watching(case: Case, health: Health, steps: Iterable[Step]) -> Transition:
    verified = health.verdict is HealthVerdict.WELL
    word = "verified" if verified else "NOT verified"
    now = case.now()
    return Transition(
        event="rollback.verified" if verified else "rollback.unverified",
        note=f"{word}: {health.reason}; watching",
        changes={
            "status": rollbacks.RollbackStatus.WATCHING,
            **_confirmed(case, health),
            "verified_at": now if verified else None,
            "watch_until": now + case.policy.execution.watch,
        },
        status=IncidentStatus.WATCHING,
        system=case.freed,
        writes=_bad(case, steps),
    )


def _bad(case: Case, steps: Iterable[Step]) -> tuple[Write, ...]:
    """The writes that mark what was taken back: nobody goes there again."""
    system = case.policy.system
    known = Reading(case.ports.store).every_deployment(system)
    name = case.rollback.plan.target if case.rollback.plan else ""
    target = next((one for one in known if one.id == name), None)
    if target is None:
        return ()
    functions = {step.target for step in shifted(steps)}
    beside = [step for step in effects(steps) if is_resource(step)]
    back = {one.id for one in taken_back(known, target, functions)}
    back |= {one.id for one in known if one.at > target.at and _changed_by(one, beside)}
    bad = {"status": DeploymentStatus.BAD.value, "due_at": None, "expires_at": None}
    why = f"taken back by {case.rollback.id}"
    return tuple(
        Update(deployments.deployment_path(system, one.id), {**bad, "reason": why})
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
    if health.verdict is HealthVerdict.INCONCLUSIVE:
        parts.append(health.reason)
    parts += standing
    if moved:
        parts.append(f"since then changed by somebody: {', '.join(moved)}")
    return ", ".join(parts)


def _began_before(started_at: datetime, case: Case) -> bool:
    """Trouble from before the last shift needs no look at the end of the watch."""
    return case.rollback.shifted_at is not None and started_at <= case.rollback.shifted_at


def _moved_since(case: Case, steps: Iterable[Step], kinds: Mapping[str, StepKind]) -> list[str]:
    """The targets that are not at their goals any more; an unanswered look tells of nothing."""
    looked_at = {step.name: step for step in effects(steps)}
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
