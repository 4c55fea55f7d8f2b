"""The gates that ask whether a change of ours explains the trouble."""

from __future__ import annotations

from datetime import timedelta

from shared.gate import Answer, Case, GateAnswer, Outcome, answer
from shared.suspects import suspects

ALIKE = 0.5
"""Unchanged functions fail "alike" when their failing share is at least this part of the changed
ones' share: then what changed is not what separates the ill from the well."""
AT_ONCE = timedelta(minutes=5)
"""Incidents of two systems this close together point at something that they share."""


def external_cause(case: Case) -> GateAnswer:
    """What fails alike without having been changed is not cured by going back."""
    elsewhere = _elsewhere(case)
    if elsewhere:
        return answer("external cause", Answer.STOP, elsewhere, Outcome.ESCALATE)
    changed = set(case.change.functions)
    unchanged = set(case.policy.functions) - changed
    if not unchanged or not changed:
        return answer("external cause", Answer.NOT_APPLICABLE, "nothing to compare with")
    ill = case.facts.failing(case.policy)
    ill_unchanged = len(ill & unchanged) / len(unchanged)
    ill_changed = len(ill & changed) / len(changed)
    reason = (
        f"{ill_unchanged:.0%} of the unchanged functions fail, {ill_changed:.0%} of the changed"
    )
    if ill_unchanged and ill_unchanged >= ALIKE * ill_changed:
        return answer("external cause", Answer.STOP, reason, Outcome.ESCALATE)
    return answer("external cause", Answer.PASS, reason)


def _elsewhere(case: Case) -> str:
    """What points away from this system; empty: nothing does."""
    onset, probes = case.facts.onset, case.facts.probes
    others = [name for name, at in case.facts.other_incidents.items() if abs(at - onset) <= AT_ONCE]
    if others:
        return f"other systems fail at once: {', '.join(sorted(others))}"
    declared = [probe.name for probe in case.policy.probes if probe.external]
    down = [name for name in declared if name in probes and not probes[name].passed]
    return f"what the system depends on fails: {', '.join(sorted(down))}" if down else ""


def cause(case: Case) -> GateAnswer:
    """A tracked change must precede the trouble and touch what fails."""
    facts, change = case.facts, case.change
    if facts.inventory is None:
        return answer("cause", Answer.UNKNOWN, "what is live could not be read")
    if change.target is None:
        return answer("cause", Answer.NOT_APPLICABLE, "nothing stable to compare with")
    if not change.functions:
        reason = f"nothing changed since {change.target.id}"
        return answer("cause", Answer.STOP, reason, Outcome.ESCALATE)
    before, perhaps = suspects(change, facts, case.policy), _perhaps(case)
    if not before and not perhaps:
        window = case.policy.gates.suspect_window
        reason = f"no change in the {window} before {facts.onset:%H:%M:%S}"
        return answer("cause", Answer.STOP, reason, Outcome.ESCALATE)
    failing = facts.failing(case.policy)
    if not failing:
        return answer("cause", Answer.UNKNOWN, "what fails is not known yet")
    touched = before & failing
    if touched:
        reason = (
            f"{len(touched)} of {len(before)} functions changed before {facts.onset:%H:%M:%S} fail"
        )
        return answer("cause", Answer.PASS, reason)
    if perhaps & failing:
        names = ", ".join(sorted(perhaps & failing)[:5])
        reason = f"it is not known (yet) whether traffic was moved before the trouble: {names}"
        return answer("cause", Answer.UNKNOWN, reason)
    reason = f"none of the {len(failing)} failing functions was changed"
    return answer("cause", Answer.STOP, reason, Outcome.ESCALATE)


def _perhaps(case: Case) -> set[str]:
    """The functions whose traffic was moved before their trouble began, or after: not known."""
    change, facts = case.change, case.facts
    return {
        function
        for function, latest in change.served_by.items()
        if change.functions[function] <= facts.onset_of(function)
        and (latest is None or facts.onset_of(function) < latest)
    }
