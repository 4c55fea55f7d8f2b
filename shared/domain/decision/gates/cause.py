"""The gates that ask whether a change of ours explains the trouble."""

from datetime import datetime, timedelta
from math import comb, log

from shared.core.durations import describe_duration, format_duration
from shared.core.text import count_noun
from shared.domain.decision.facts import ChangeSet, DecisionFacts
from shared.domain.decision.gates.base import GateAnswer, GateInput, GateResult, Outcome
from shared.domain.decision.target_selection import suspect_functions, suspect_resources
from shared.domain.policy.function_groups import describe_ungrouped
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.failure_evidence import FailureEvidence, function_level
from shared.domain.signals.health import RouterRequests, failure_ratio, sum_requests

MIN_SIMILAR_FAILURE_RATIO = 0.5
"""Unchanged functions fail alike when their failing share is at least this part of that of the
changed ones: the change is not what separates failing from working functions."""
MIN_FIRST_REQUESTS = 5
MIN_FIRST_FAILURES = 2
"""Of fewer requests: where 5 % always fail, two of four fail in 1.4 % of all releases."""
FIRST_FAILURES = 0.5
"""A release is bad from the start where more than this part of the level failed at first."""
CLOSE_TO_RELEASE = timedelta(minutes=10)
"""Alerts of Cloud Monitoring begin up to five minutes after what they report."""
SERVING_DELAY = timedelta(seconds=30)
"""Checks that start sooner after the change do not count: the old revision may have answered."""
WORKING_SHARE = 0.1
"""What works fails at this part of the level at most: 5 % where the level is 50 %."""
MOST_FAILING = 0.98
"""Of what fails, a request may work by chance."""
MINUTE = timedelta(minutes=1)
MAX_CHANCE = 0.01
"""Passed checks prove nothing if chance explains them with a higher probability than this."""
COINCIDENCE_WINDOW = timedelta(minutes=5)
"""Incidents of two systems this close together point at something that they share."""


def external_cause(case: GateInput) -> GateAnswer:
    """What fails alike without a change, or worked after it, points to a cause outside."""
    elsewhere = _external_cause_reason(case)
    if elsewhere:
        return GateAnswer("external cause", GateResult.STOP, elsewhere, Outcome.ESCALATE)
    if _changed_resources(case)[0] or case.is_declared:
        return GateAnswer("external cause", GateResult.NOT_APPLICABLE, "more than functions was changed")
    changed = set(case.changed)
    if not changed:
        return GateAnswer("external cause", GateResult.NOT_APPLICABLE, "nothing to compare with")
    failing = case.facts.find_failing_functions(case.policy)
    counted = {name for name, count in (case.facts.requests or {}).items() if count.total}
    judged = counted | {alert.function for alert in case.facts.alerts if alert.function}
    shares = [_share(failing, judged & part) for part in ({*case.policy.functions} - changed, changed)]
    reason = f"{shares[0]:.0%} of the unchanged functions fail, {shares[1]:.0%} of the changed"
    if shares[0] and shares[0] >= MIN_SIMILAR_FAILURE_RATIO * shares[1]:
        return GateAnswer("external cause", GateResult.STOP, reason, Outcome.ESCALATE)
    if case.facts.requests is None:
        return GateAnswer("external cause", GateResult.UNKNOWN, "the metrics could not be read")
    if late := _describe_late_failure(case, failing):
        return GateAnswer("external cause", GateResult.STOP, late, Outcome.ASK)
    return GateAnswer("external cause", GateResult.PASS, reason)


def _share(failing: set[str], functions: set[str]) -> float:
    return len(failing & functions) / len(functions) if functions else 0.0


def _describe_late_failure(case: GateInput, failing: set[str]) -> str:
    """Return why the failure may have begun by itself after the release; empty: it began with it.

    A bad release fails from its first requests on. Where these are not known, the onset must be
    close to the release.
    """
    facts, policy, released = case.facts, case.policy, case.released or case.change
    suspects = suspect_functions(released, facts, policy)
    if case.signal.scenario is not ScenarioName.AUTH:  # its alert names no function
        suspects &= failing
    if not suspects:
        return ""  # the gate "cause" answers
    if passed := _describe_passed_checks(facts, policy, released, suspects):
        return passed
    slow, evidence = facts.find_slow(policy), facts.assess(policy)
    if not slow and (other := _describe_other_onset(facts, released, evidence)):
        return other
    broken = evidence.broken & suspects
    first = sum_requests((facts.first_requests or {}).get(name, RouterRequests(0, 0)) for name in broken)
    is_known = first.total >= MIN_FIRST_REQUESTS or first.failed >= MIN_FIRST_FAILURES
    if is_known and not slow:
        if failure_ratio(first) > FIRST_FAILURES * function_level(policy):
            return ""
        return _describe_first_requests(first)
    delay = facts.onset - max(filter(None, map(released.changed_at, suspects)))
    if delay <= (2 * CLOSE_TO_RELEASE if slow else CLOSE_TO_RELEASE):
        return ""
    return f"the failure began {describe_duration(delay)} after the release, and may have another cause"


def _describe_first_requests(first: RouterRequests) -> str:
    return f"what fails worked after its release: {first.failed} of its first {first.total} requests failed"


def _describe_passed_checks(
    facts: DecisionFacts, policy: Policy, released: ChangeSet, suspects: set[str]
) -> str:
    """Return how many checks passed between release and failure; empty: chance may explain them.

    If what fails has failed since the release at a constant share, the number of checks that pass
    before each probe's first failure has a negative binomial distribution. The share is estimated
    by all answers from the first failed check to the last one, but for the first answers of these
    two: they were selected because they failed.
    """
    passed = worked = probes = total = failed = 0
    for probe in policy.probes:
        function, answer = probe.function or "", facts.probes.get(probe.name)
        is_failing = function in suspects or (answer is not None and not answer.passed)
        if not is_failing or function not in released.functions or not (at := released.changed_at(function)):
            continue
        counts = [check.count for check in facts.checks.get(probe.name, ()) if check.at >= at + SERVING_DELAY]
        failures = [number for number, count in enumerate(counts) if count.failed]
        if failures:
            first, last = failures[0], failures[-1]
            answers, selected = sum_requests(counts[first : last + 1]), len({first, last})
            passed, worked, probes = passed + first, worked + (first > 0), probes + 1
            total, failed = total + answers.total - selected, failed + answers.failed - selected
    if not passed or not total:
        return ""
    trials, share = passed + probes - 1, failed / total
    chance = sum(comb(trials, n) * share**n * (1 - share) ** (trials - n) for n in range(probes))
    if chance > MAX_CHANCE:
        return ""
    checks, failing = count_noun(passed, "check"), count_noun(probes, "failing probe")
    return f"{worked} of {failing} passed {checks} after the release, before the first failure"


def _describe_other_onset(facts: DecisionFacts, released: ChangeSet, evidence: FailureEvidence) -> str:
    """Return what shows that the failure began at another time than the release; empty: nothing.

    Of a bad release each function fails from the moment on at which its own new revision serves; of
    a failure from outside all functions fail from one moment on. For each minute that may be this
    moment, the requests about which the two disagree give a log-likelihood ratio: what works fails
    at `WORKING_SHARE` of the level, what fails does it after its release as often as now, and
    before it at the level, for a part of its first minute may have worked. The ratio must reach
    log(1 / `MAX_CHANCE`), as in Wald's test (1945, Ann. Math. Statist. 16:117).
    """
    level, broken = evidence.level, evidence.broken & released.functions.keys()
    ratio = min(MOST_FAILING, failure_ratio(sum_requests(evidence.counts[name] for name in broken)))
    if not 0.0 < level < ratio:
        return ""
    old: list[tuple[datetime, RouterRequests]] = []
    new: list[tuple[datetime, RouterRequests]] = []
    for minute, counts in facts.release_minutes.items():
        for name in broken & counts.keys():
            served_at = released.changed_at(name)
            if minute + MINUTE <= released.functions[name]:
                old.append((minute, counts[name]))
            elif served_at is not None and minute >= served_at + SERVING_DELAY:
                new.append((minute, counts[name]))
    for onset in (minute + MINUTE for minute in facts.release_minutes):
        worked = sum_requests(count for minute, count in new if minute < onset)
        failed = sum_requests(count for minute, count in old if minute >= onset)
        before = _weigh_failure(failed, level, WORKING_SHARE * level)
        after = -_weigh_failure(worked, ratio, WORKING_SHARE * level)
        if before + after < log(1 / MAX_CHANCE):
            continue
        if before > after:
            return f"what fails failed before its release: {failed.failed} of {failed.total} requests failed"
        return _describe_first_requests(worked)
    return ""


def _weigh_failure(count: RouterRequests, fails: float, works: float) -> float:
    """Return the log-likelihood ratio of two failure ratios, 0 to 1."""
    succeeded = count.total - count.failed
    return count.failed * log(fails / works) + succeeded * log((1 - fails) / (1 - works))


def _external_cause_reason(case: GateInput) -> str:
    """What points away from this system; empty: nothing does."""
    onset, probes = case.facts.onset, case.facts.probes
    others = [
        name for name, at in case.facts.other_incidents.items() if abs(at - onset) <= COINCIDENCE_WINDOW
    ]
    if others:
        return f"other systems fail at once: {', '.join(sorted(others))}"
    declared = [probe.name for probe in case.policy.probes if probe.external]
    down = [name for name in declared if name in probes and not probes[name].passed]
    return f"what the system depends on fails: {', '.join(sorted(down))}" if down else ""


def cause(case: GateInput) -> GateAnswer:
    """A tracked change must precede the trouble and touch what fails."""
    if case.is_declared and (case.change.functions or case.other_parts):
        return GateAnswer("cause", GateResult.NOT_APPLICABLE, "it was declared, whatever was changed")
    alerted = {alert.function or "" for alert in case.facts.alerts}
    if alerted and "" not in alerted and case.policy.functions.keys().isdisjoint(alerted):
        return GateAnswer("cause", GateResult.STOP, describe_ungrouped(sorted(alerted)), Outcome.ESCALATE)
    if case.facts.inventory is None:
        return GateAnswer("cause", GateResult.UNKNOWN, "what is live could not be read")
    if case.change.target is None:
        return GateAnswer("cause", GateResult.NOT_APPLICABLE, "nothing stable to compare with")
    surely, perhaps = _changed_resources(case)
    if surely:
        reason = f"changed before {case.facts.onset:%H:%M:%S}: {', '.join(surely[:5])}"
        # It touches what fails where anything is seen to fail: it is what functions stand on.
        if _failing_system_probes(case) or case.facts.find_failing(case.policy):
            return GateAnswer("cause", GateResult.PASS, reason)
        return GateAnswer("cause", GateResult.UNKNOWN, f"{reason}; what fails is not known yet")
    found = _function_cause(case)
    if perhaps and found.answer is not GateResult.PASS:
        reason = f"whether it was before or after, no look can tell: {', '.join(perhaps[:5])}"
        return GateAnswer("cause", GateResult.STOP, reason, Outcome.ASK)
    return found


def _function_cause(case: GateInput) -> GateAnswer:
    facts, change = case.facts, _possible_cause(case)
    if not change.functions:
        reason = f"nothing changed since {change.target.id if change.target else 'ever'}"
        return GateAnswer("cause", GateResult.STOP, reason, Outcome.ESCALATE)
    before, unsure = suspect_functions(change, facts, case.policy), _undetermined_functions(case)
    if not before and not unsure:
        window, onset = format_duration(case.policy.gates.suspect_window), f"{facts.onset:%H:%M:%S}"
        is_later = all(at > facts.onset for at in change.functions.values())
        reason = f"no change in the {window} before {onset}"
        if is_later:
            reason = f"the failure began at {onset}; the revisions that serve were deployed later"
        return GateAnswer("cause", GateResult.STOP, reason, Outcome.ESCALATE)
    failing = facts.find_failing(case.policy)
    if before and case.signal.scenario is ScenarioName.AUTH and _failing_system_probes(case):
        reason = f"people cannot sign in; {count_noun(len(before), 'changed function')} of the sign-in"
        return GateAnswer("cause", GateResult.PASS, reason)
    if not failing:
        unread = "the metrics could not be read; " if facts.requests is None else ""
        return GateAnswer("cause", GateResult.UNKNOWN, f"{unread}what fails is not known yet")
    return _judge_touched_functions(facts, before, unsure, failing)


def _possible_cause(case: GateInput) -> ChangeSet:
    """Return everything that changed; of a failure of the sign-in, its functions alone."""
    is_sign_in = case.signal.scenario is ScenarioName.AUTH
    return case.change if is_sign_in else case.released or case.change


def _judge_touched_functions(
    facts: DecisionFacts, before: set[str], unsure: set[str], failing: set[str]
) -> GateAnswer:
    touched = before & failing
    if touched:
        changed = count_noun(len(before), "changed function")
        fail = "fails" if len(touched) == 1 else "fail"
        reason = f"{len(touched)} of {changed} {fail}, changed before {facts.onset:%H:%M:%S}"
        if facts.damage_findings:
            reason += f", or write what is damaged: {', '.join(sorted(touched)[:5])}"
        return GateAnswer("cause", GateResult.PASS, reason)
    if unsure & failing:
        names = ", ".join(sorted(unsure & failing)[:5])
        reason = f"it is not known (yet) whether traffic was moved before the trouble: {names}"
        return GateAnswer("cause", GateResult.UNKNOWN, reason)
    reason = f"none of the {len(failing)} failing functions was changed"
    return GateAnswer("cause", GateResult.STOP, reason, Outcome.ESCALATE)


def _changed_resources(case: GateInput) -> tuple[list[str], list[str]]:
    """What beside the functions was changed shortly before, and what perhaps was."""
    return suspect_resources(case.change, case.facts, case.policy, case.other_parts)


def _failing_system_probes(case: GateInput) -> list[str]:
    """The probes that fail of those of the system as a whole, but for those of other signals."""
    probes, signals = case.facts.probes, {None, *(alert.signal for alert in case.facts.alerts)}
    whole = (one for one in case.policy.probes if not one.external and one.function is None)
    asked = (one.name for one in whole if one.signal in signals)
    return [name for name in asked if name in probes and not probes[name].passed]


def _undetermined_functions(case: GateInput) -> set[str]:
    """The functions whose traffic was moved before their trouble began, or after: not known."""
    change, facts = _possible_cause(case), case.facts
    return {
        function
        for function, latest in change.served_by.items()
        if change.functions[function] <= facts.onset_of(function)
        and (latest is None or facts.onset_of(function) < latest)
    }
