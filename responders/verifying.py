"""After the last shift: is it well, does it stay well, and is anything left to decide?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from responders.case import Case, Turn, in_words
from shared import incident as incidents
from shared import rollback as rollbacks
from shared import system as systems
from shared.alert_record import Alert
from shared.audit import event
from shared.documents import decode, encode
from shared.engine import load_steps
from shared.errors import RollbackError
from shared.health import Health, Verdict, judge
from shared.incident import Status
from shared.notice import creates, notices
from shared.opening import public_state, reopen_incident
from shared.plan import Step, StepStatus
from shared.ports import ProbeAnswer, Put, Query, Reader, Update
from shared.rollback import Rollback
from shared.steps import Kind, shift
from shared.steps import Verdict as Standing
from shared.system import System
from shared.tenure import Draft

LOOK_EVERY_SECONDS = 10.0
WATCH_WINDOW = timedelta(minutes=5)
ILL_LOOKS_IN_A_ROW = 2
"""One failing probe during the watch is no regression yet."""


def conclude(case: Case, kinds: dict[str, Kind]) -> bool:
    """Look at every goal once more, now that each step has ended: verify, or fail with the list."""
    steps = load_steps(case.ports.store, case.rollback.id)
    undone = [step for step in steps.values() if step.status is not StepStatus.DONE]
    moved = [] if undone else _moved_since(case, steps.values(), kinds)
    if undone or moved:
        return fail(case, _described(undone, moved), steps.values())
    now = case.now()
    took = in_words(now - case.incident.detected_at)
    return case.take(
        Turn(
            event="rollback.shifted",
            note=f"{len(_shifted(steps.values()))} functions are back, {took} after detection",
            changes={"status": rollbacks.Status.VERIFYING, "shifted_at": now},
            status=Status.VERIFYING,
        )
    )


def verify(case: Case) -> bool:
    """Wait for points that begin after the last shift, and for probes; then watch, or fail."""
    now, shifted_at = case.now(), case.rollback.shifted_at or case.now()
    steps = load_steps(case.ports.store, case.rollback.id)
    health = _health(case, steps.values(), shifted_at)
    expired = now >= shifted_at + case.policy.execution.verify_within
    if health.verdict is Verdict.WELL or (expired and health.verdict is Verdict.INCONCLUSIVE):
        verified = health.verdict is Verdict.WELL
        word = "verified" if verified else "NOT verified"
        return case.take(
            Turn(
                event="rollback.verified" if verified else "rollback.unverified",
                note=f"{word}: {health.reason}; watching",
                changes={
                    "status": rollbacks.Status.WATCHING,
                    "verified_at": now if verified else None,
                    "watch_until": now + case.policy.execution.watch,
                },
                status=Status.WATCHING,
                system=case.freed,
            )
        )
    if expired:
        return fail(case, f"not well after the last shift: {health.reason}", steps.values())
    looked = Turn(event="health.looked", note=health.reason, say=False)
    if case.take(looked):
        case.ports.clock.sleep(LOOK_EVERY_SECONDS)
    return True


def watch(case: Case, kinds: dict[str, Kind]) -> bool:
    """One look of the watch; at its end, finish. A regression escalates, it never flips."""
    rollback, now = case.rollback, case.now()
    steps = load_steps(case.ports.store, rollback.id)
    since = max(rollback.shifted_at or now, now - WATCH_WINDOW)
    health = _health(case, steps.values(), since)
    ill_looks = rollback.ill_looks + 1 if health.verdict is Verdict.ILL else 0
    if ill_looks >= ILL_LOOKS_IN_A_ROW:
        return fail(case, f"it got worse again: {health.reason}", steps.values())
    if rollback.watch_until is not None and now >= rollback.watch_until and not ill_looks:
        _finish(case, steps.values(), kinds)
        return False
    case.take(
        Turn(
            event="health.looked",
            note=health.reason,
            changes={
                "ill_looks": ill_looks,
                "due_at": now + case.policy.execution.watch_every,
                "lease": None,
            },
            say=False,
            writes=case.absorbing(_explained(case.joined_alerts(), rollback)),
        )
    )
    return False


def fail(case: Case, why: str, steps: Iterable[Step]) -> bool:
    """End it as FAILED with the exact list of what is where; a person takes over."""
    return _end(case, "rollback.failed", rollbacks.Status.FAILED, Status.ESCALATED, why, steps)


def cancel(case: Case) -> bool:
    """End it because a person said so; nothing is undone, the mixed state is listed."""
    steps = load_steps(case.ports.store, case.rollback.id)
    why = case.rollback.cancel_requested
    return _end(
        case,
        "rollback.cancelled",
        rollbacks.Status.CANCELLED,
        Status.RESOLVED,
        why,
        steps.values(),
    )


def _end(
    case: Case,
    event_name: str,
    status: rollbacks.Status,
    becomes: Status,
    why: str,
    steps: Iterable[Step],
) -> bool:
    case.take(
        Turn(
            event=event_name,
            note=why,
            facts={"where": {step.target: f"{step.status} {step.note}".strip() for step in steps}},
            changes={
                "status": status,
                "outcome": why,
                "ended_at": case.now(),
                "due_at": None,
                "lease": None,
            },
            status=becomes,
            system=case.closed if becomes is Status.RESOLVED else case.freed,
            despite_cancel=True,
        )
    )
    return False


def _finish(case: Case, steps: Iterable[Step], kinds: dict[str, Kind]) -> None:
    """End it well, unless alerts have joined that nobody has judged: those are decided again.

    One transaction reads the joined alerts: an alert either lands before, and is seen, or after,
    and finds the incident ended.
    """
    moved = _moved_since(case, steps, kinds)
    changed = f"; since then changed by somebody: {', '.join(moved)}" if moved else ""
    word = "" if case.rollback.verified_at else ", but never verified"
    note = f"stable through the watch{word}{changed}"

    def compose(reader: Reader, rollback: Rollback) -> Draft:
        now = case.now()
        joined = reader.query(Query("alerts", where=(("incident", "==", case.incident.id),)))
        alerts = [decode(Alert, document.fields) for document in joined]
        system = reader.get(systems.path(case.policy.system))
        changes: dict[str, Any] = {
            "status": rollbacks.Status.SUCCEEDED,
            "outcome": note,
            "ended_at": now,
            "due_at": None,
            "lease": None,
        }
        succeeded = event("rollback.succeeded", now, "worker", note=note, moved=moved)
        unjudged = [alert.key for alert in _unjudged(alerts)]
        if unjudged:
            again = reopen_incident(
                case.policy,
                system,
                case.incident,
                now=now,
                commit_id=case.ports.ids(),
                events=[event("incident.rejudged", now, "worker", alerts=unjudged)],
            )
            return Draft((succeeded,), changes, again.writes)
        resolved = case.resolved(note, now)
        current = decode(System, system.fields)
        said = notices(
            case.policy, resolved.id, resolved.severity, "resolved", f"{resolved.id}: {note}", now
        )
        return Draft(
            (succeeded,),
            changes,
            (
                *case.absorbing(alerts),
                Update(incidents.path(resolved.id), encode(resolved)),
                Put(
                    incidents.public_path(case.policy.system),
                    encode(public_state(case.policy, resolved, now)),
                ),
                Update(system.path, encode(case.closed(current)), system.version),
                *creates(said),
            ),
        )

    case.tenure.finish(compose)


def _explained(alerts: Iterable[Alert], rollback: Rollback) -> list[Alert]:
    """Alerts that began before the last shift: this rollback is the answer to them."""
    shifted_at = rollback.shifted_at
    return [alert for alert in alerts if shifted_at and alert.started_at <= shifted_at]


def _unjudged(alerts: Iterable[Alert]) -> list[Alert]:
    """Open alerts that no decision has taken in, and that have not closed again."""
    alerts = list(alerts)
    closed = {alert.monitoring_id for alert in alerts if not alert.is_open}
    return [
        alert
        for alert in alerts
        if alert.is_open and not alert.absorbed_by and alert.monitoring_id not in closed
    ]


def _health(case: Case, steps: Iterable[Step], since: datetime) -> Health:
    """How the functions of the plan do, by points and probes of after `since`."""
    services = {step.goal["service"].rpartition("/")[2]: step.target for step in _shifted(steps)}
    metrics, now = case.ports.metrics(case.policy.system), case.now()
    answers = case.ask_all(
        {
            "metrics": lambda: metrics.requests(since, now),
            **{
                f"probe {probe.name}": partial(case.ports.prober.ask, probe)
                for probe in case.policy.probes
            },
        }
    )
    counted = answers.pop("metrics")
    requests = (
        None
        if isinstance(counted, RollbackError)
        else {services[name]: count for name, count in counted.items() if name in services}
    )
    probes = {
        name.removeprefix("probe "): answer
        for name, answer in answers.items()
        if isinstance(answer, ProbeAnswer)
    }
    return judge(list(services.values()), requests, probes, case.policy.gates)


def _shifted(steps: Iterable[Step]) -> list[Step]:
    return [step for step in steps if step.kind == shift.KIND]


def _moved_since(case: Case, steps: Iterable[Step], kinds: dict[str, Kind]) -> list[str]:
    """The targets that are not at their goals any more; an unanswered look tells of nothing."""
    looks = case.ask_all(
        {step.target: partial(kinds[step.kind].look, step) for step in _shifted(steps)}
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
