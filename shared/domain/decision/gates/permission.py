"""The gates that ask whether automation may act here and now at all."""

from datetime import timedelta

from shared.domain.decision.gates.base import GateAnswer, GateInput, GateResult, Outcome
from shared.domain.policy.scenario_names import Mode
from shared.domain.system_record import active_freeze


def mode(case: GateInput) -> GateAnswer:
    """The strictest of signal, scenario, mark as wrong, and what the system was promoted to."""
    alerted = {alert.signal for alert in case.facts.alerts}
    wrong = case.facts.system.wrong_signals
    marked = sorted(incident for incident, signals in wrong.items() if not alerted.isdisjoint(signals))
    most = min(case.facts.system.mode, Mode.ASK if marked else Mode.ACT)
    strictest = min(case.policy.strictest_mode(case.signal), most)
    reason = (
        f"signal {case.signal.mode.name}, scenario "
        f"{case.policy.scenario_mode(case.signal.scenario).name}, "
        f"system {case.facts.system.mode.name}"
    ).lower() + "".join(f", asks because {incident} was marked wrong" for incident in marked)
    if strictest is Mode.OBSERVE:
        return GateAnswer("mode", GateResult.STOP, reason, Outcome.OBSERVE)
    if strictest is Mode.ASK:
        return GateAnswer("mode", GateResult.STOP, reason, Outcome.ASK)
    return GateAnswer("mode", GateResult.PASS, reason)


def kill_switch(case: GateInput) -> GateAnswer:
    """A person stopped automation, here or everywhere; unreadable means stopped."""
    if case.facts.controls is None:
        return GateAnswer("kill switch", GateResult.STOP, "could not be read", Outcome.HOLD)
    pause = case.facts.controls.pause or case.facts.system.pause
    if pause:
        return GateAnswer("kill switch", GateResult.STOP, str(pause), Outcome.HOLD)
    return GateAnswer("kill switch", GateResult.PASS, "not set")


def freeze(case: GateInput) -> GateAnswer:
    """A window in which nothing changes: what is to be done waits for its end, or for a person."""
    if case.facts.controls is None:
        return GateAnswer("freeze", GateResult.STOP, "could not be read", Outcome.HOLD)
    windows = (*case.facts.controls.freezes, *case.facts.system.freezes)
    window = active_freeze(windows, case.now, ordered=case.ordered)
    if window is None:
        return GateAnswer("freeze", GateResult.PASS, "none now")
    return GateAnswer("freeze", GateResult.STOP, str(window), Outcome.HOLD)


def active_rollback(case: GateInput) -> GateAnswer:
    """At most one rollback of a system has effects in flight."""
    slot = case.facts.system.slot
    if slot and slot != case.rollback:
        return GateAnswer("active rollback", GateResult.STOP, f"{slot} is under way", Outcome.HOLD)
    return GateAnswer("active rollback", GateResult.PASS, "none")


def cool_down(case: GateInput) -> GateAnswer:
    """Never twice backwards: after one automatic step back, an operator decides.

    Further functions of the same release, changed before that step, still belong to it. What it
    restored goes back no second time, whoever has moved it since.
    """
    system = case.facts.system
    until = system.cool_down_until
    if until and case.now < until:
        began = until - case.policy.gates.cool_down
        target = case.change.target.id if case.change.target else None
        is_same = target == system.cool_down_target and case.scope
        is_further = is_same and case.scope.isdisjoint(system.cool_down_functions)
        if is_further and all((case.change.changed_at(name) or case.now) <= began for name in case.scope):
            return GateAnswer("cool-down", GateResult.PASS, f"further functions of the step to {target}")
        reason = f"rolled back or called off lately, cooling down until {until:%H:%M} UTC"
        return GateAnswer("cool-down", GateResult.STOP, reason, Outcome.ESCALATE)
    return GateAnswer("cool-down", GateResult.PASS, "no rollback lately")


def budget(case: GateInput) -> GateAnswer:
    """So many automatic rollbacks an hour over all systems."""
    used = sum(start > case.now - timedelta(hours=1) for start in case.facts.budget.starts)
    allowed = case.policy.gates.automatic_per_hour
    reason = f"{used} of {allowed} automatic rollbacks used in the last hour"
    if used >= allowed:
        return GateAnswer("budget", GateResult.STOP, reason, Outcome.ESCALATE)
    return GateAnswer("budget", GateResult.PASS, reason)
