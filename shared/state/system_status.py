"""What one protected system is in now, as whoever answers for it must know it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from shared.core.codec import FrozenStruct
from shared.domain.data.backups.database_copy import DatabaseCopy
from shared.domain.data.isolation.write_fence import Fence
from shared.domain.decision.decision_summary import summarize_decision
from shared.domain.decision.forecast import DurationForecast, forecast_duration
from shared.domain.incidents.incident import Incident
from shared.domain.incidents.recovery_times import RecoveryTimes, measure_recovery
from shared.domain.incidents.response_status import ResponseStatus, evaluate_response
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.hold import describe_hold
from shared.domain.rollback.plan import Step
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from shared.domain.system_record import Freeze, Pause, PauseState, pause_state
from shared.state.available_commands import read_available_verbs
from shared.state.reader import StateReader


class SystemStatus(FrozenStruct):
    """One system at a moment."""

    system: str
    name: str
    mode: str
    paused: Pause | None
    in_flight: int
    pause: PauseState
    freezes: tuple[Freeze, ...]
    """Those that are not over."""
    cool_down_until: datetime | None
    """None: automation need not wait."""
    pins: int
    pinned_by: Sequence[str]
    pinned_since: datetime | None
    """Since when the oldest holds; None: nothing is pinned."""
    copies: Sequence[DatabaseCopy]
    fence: Fence | None
    """None: none stands, or is raised or falling."""
    messages: Sequence[str]
    """What users are told after approval, each with the command that approves it."""
    incident: Incident | None
    """The newest."""
    earlier: Sequence[Incident]
    """Those before it that are open, the newest first."""
    available_commands: Mapping[str, Sequence[str]]
    """What is accepted now, by incident: of the newest and of those before it."""
    rollback: Rollback | None
    """The newest of that incident."""
    why: str
    """Why it acts, waits, asks or does nothing, in one sentence."""
    steps: Sequence[Step]
    outlook: DurationForecast | None
    older: Sequence[Rollback]
    """Others of the system that have not ended."""
    times: RecoveryTimes | None
    """Of that incident, over all its rollbacks."""
    response: ResponseStatus | None


def read_system_status(
    reading: StateReader, policy: Policy, alive: Iterable[Rollback], now: datetime
) -> SystemStatus:
    """One system now; `alive`: the rollbacks of all that have not ended. Raises: Unavailable."""
    system = reading.system(policy.system)
    incident = reading.incident(system.incident) if system.incident else None
    rollback = reading.rollback(system.rollback) if system.rollback else None
    times = read_recovery_times(reading, policy, incident) if incident else None
    ours_alive = [one for one in alive if one.system == policy.system]
    earlier = [one for name in reversed(system.earlier_incidents) if (one := reading.incident(name))]
    steps = reading.steps(rollback.id) if rollback else []
    pins = reading.pins(policy.system)
    fence, cooling = reading.fence(policy.system), system.cool_down_until
    return SystemStatus(
        system=policy.system,
        name=policy.display_name or policy.system,
        mode=system.mode.name.lower(),
        paused=system.pause,
        in_flight=sum(one.in_flight for one in ours_alive),
        pause=pause_state(system.pause),
        freezes=unfinished_freezes(system.freezes, now),
        cool_down_until=cooling if cooling is not None and cooling > now else None,
        pins=len(pins),
        pinned_by=sorted({pin.owner for pin in pins}),
        pinned_since=min((pin.since for pin in pins), default=None),
        copies=reading.copies(policy.system) if policy.backups.copies else (),
        fence=fence if fence is not None and not fence.is_over else None,
        messages=[
            f'"{one.preview.splitlines()[0]}" to users by {one.channel} waits for approval: '
            f"{one.approval_command}"
            for one in reading.asked_messages(policy.system)
        ],
        incident=incident,
        earlier=earlier,
        available_commands={
            one.id: read_available_verbs(reading, one, reading.rollback(one.rollback_ids[-1]))
            for one in (*([incident] if incident else ()), *earlier)
        },
        rollback=rollback,
        why=summarize_decision(rollback),
        steps=steps,
        outlook=read_forecast(reading, policy, incident, rollback, steps, now),
        older=[one for one in ours_alive if one.id != system.rollback],
        times=times,
        response=read_response_status(reading, incident, rollback, times, now)
        if incident and times
        else None,
    )


def read_recovery_times(reading: StateReader, policy: Policy, incident: Incident) -> RecoveryTimes:
    """Return the two durations of an incident, as the responders keep them. Raises: Unavailable."""
    page = reading.status_page_record(incident)
    return measure_recovery(policy, incident, reading.rollbacks(incident), page)


def read_response_status(
    reading: StateReader, incident: Incident, rollback: Rollback | None, times: RecoveryTimes, now: datetime
) -> ResponseStatus:
    """How the response to an incident stands, as the responders keep it. Raises: Unavailable."""
    standing = evaluate_response(incident, times, reading.notices(incident.id), now)
    commands = rollback.commands if rollback is not None else ()
    return replace(standing, commands=commands, hold=read_hold(reading, rollback, now))


def read_hold(reading: StateReader, rollback: Rollback | None, now: datetime) -> str:
    """Return the pause or freeze that holds a rollback, and its end, or "". Raises: Unavailable."""
    if rollback is None:
        return ""
    return describe_hold(reading.controls(), reading.system(rollback.system), rollback, now)


def read_forecast(
    reading: StateReader,
    policy: Policy,
    incident: Incident | None,
    rollback: Rollback | None,
    steps: Iterable[Step],
    now: datetime,
) -> DurationForecast | None:
    """Return what to expect of a rollback; None while it changes nothing. Raises: Unavailable."""
    if incident is None or rollback is None or rollback.status is not RollbackStatus.RUNNING:
        return None
    if read_hold(reading, rollback, now):
        return None
    return forecast_duration(
        steps,
        policy,
        rollback.plan.scenario if rollback.plan is not None else ScenarioName.FUNCTIONS,
        incident.severity,
        order=rollback.order,
        left=reading.pace(policy.system),
        detected=incident.detected_at,
        now=now,
        baseline=rollback.baseline,
    )


def unfinished_freezes(freezes: Iterable[Freeze], now: datetime) -> tuple[Freeze, ...]:
    """The windows that are not over."""
    return tuple(one for one in freezes if one.until > now)
