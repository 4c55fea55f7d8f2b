"""Evaluate the verification checks that a policy declares, by router counts and probes; pure."""

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from math import ceil

from msgspec import Struct
from msgspec.structs import replace

from shared.domain.policy.probes import VerificationCheck
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.health import (
    Health,
    HealthVerdict,
    ProbeAnswer,
    RouterRequests,
    describe_waiting,
    evaluate_health,
    failure_ratio,
    sum_requests,
)


class RequestCounts(Struct, frozen=True):
    """What was counted since the last shift; None: it could not be read."""

    requests: Mapping[str, RouterRequests] | None
    """Per function."""
    sign_ins: RouterRequests | None = None


class VerificationState(StrEnum):
    """What became of a verification step, in words."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "not known"
    NOT_DECLARED = "not declared"


class VerificationResult(Struct, frozen=True):
    """One row of a verification."""

    step: str
    state: VerificationState
    reason: str

    def __str__(self) -> str:
        return f"{self.step}: {self.state}, {self.reason}"


_STATES = {
    HealthVerdict.WELL: VerificationState.PASSED,
    HealthVerdict.ILL: VerificationState.FAILED,
    HealthVerdict.INCONCLUSIVE: VerificationState.UNKNOWN,
}


def scenario_probes(policy: Policy, scenario: ScenarioName) -> set[str]:
    """Return the names of the probes in the verification steps of a scenario."""
    steps = (check for check in policy.verification.values() if scenario in check.scenarios)
    return {name for check in steps for name in check.probes}


def build_results(
    policy: Policy, scenario: ScenarioName, found: Mapping[str, Health], probes: Mapping[str, ProbeAnswer]
) -> Iterator[VerificationResult]:
    """Yield a row for each evaluated check, and for each further step of the scenario."""
    for name, check in policy.verification.items():
        if name in found:
            is_failing = any(one in probes and not probes[one].passed for one in check.probes)
            state = VerificationState.FAILED if is_failing else _STATES[found[name].verdict]
            yield VerificationResult(name, state, found[name].reason)
        elif scenario in check.scenarios and check == VerificationCheck(check.scenarios):
            reason = "the policy declares no check for it"
            yield VerificationResult(name, VerificationState.NOT_DECLARED, reason)
        elif scenario in check.scenarios:
            reason = "no document was restored" if check.collections else "none of its functions was restored"
            yield VerificationResult(name, VerificationState.UNKNOWN, reason)


def should_count_sign_ins(policy: Policy, scenario: ScenarioName) -> bool:
    """Whether sign-ins are what was to come back, and a check counts them."""
    return scenario is ScenarioName.AUTH and any(
        check.sign_in_failures is not None for check in policy.verification.values()
    )


def evaluate_checks(
    policy: Policy,
    scenario: ScenarioName,
    back: Collection[str],
    counted: RequestCounts,
    probes: Mapping[str, ProbeAnswer],
) -> dict[str, Health]:
    """Judge each check of the restored functions, of no function, or of the scenario.

    Probes that could not be asked are absent. A failing probe of a function that was not restored
    leaves its check inconclusive: the rollback is not to blame, and recovery is not verified.
    """
    found = {}
    foreign = {one.name for one in policy.probes if one.function is not None and one.function not in back}
    for name, check in policy.verification.items():
        asked = [one.name for one in policy.probes if one.name in check.probes]
        if scenario not in check.scenarios:
            asked = [one for one in asked if one not in foreign]
        tallies = list(_tallies(policy, scenario, check, back, counted))
        if asked or tallies:
            found[name] = _evaluate_check(policy, asked, tallies, probes, foreign)
    return found


def combine_health(health: Health, checks: Mapping[str, Health]) -> Health:
    """The health of all: as bad as its worst part, which says why; ill outranks not known."""
    for verdict in (HealthVerdict.ILL, HealthVerdict.INCONCLUSIVE):
        if health.verdict is verdict:
            return health
        told = [f"{name}: {one.reason}" for name, one in checks.items() if one.verdict is verdict]
        if told:
            return replace(health, verdict=verdict, reason="; ".join(told))
    return replace(health, reason=f"{health.reason}; checked: {', '.join(checks)}") if checks else health


def expects_enough_requests(
    policy: Policy, scenario: ScenarioName, usual: Mapping[str, RouterRequests], share: float
) -> bool:
    """Return whether this share of the usual requests is enough to verify a recovery.

    `usual` names every function that is restored; without any, probes alone verify it.
    """
    if share <= 0.0:
        return False
    enough = ceil(policy.gates.minimum_requests / share)
    policy = replace(policy, gates=replace(policy.gates, minimum_requests=enough))
    counts = {name: RouterRequests(count.total, 0) for name, count in usual.items()}
    probes = {probe.name: ProbeAnswer(True, None) for probe in policy.probes}
    counted = RequestCounts(counts, RouterRequests(enough, 0))
    checks = evaluate_checks(policy, scenario, usual.keys(), counted, probes)
    health = evaluate_health(usual.keys(), counts, probes, policy.gates)
    return combine_health(health, checks).verdict is HealthVerdict.WELL


class _Tally(Struct, frozen=True):
    """Enough of it must be counted, and no more than that share may have failed."""

    what: str
    counted: RouterRequests | None
    """None: it could not be read."""
    failing_above: float


def _evaluate_check(
    policy: Policy,
    asked: Collection[str],
    tallies: Collection[_Tally],
    probes: Mapping[str, ProbeAnswer],
    foreign: Collection[str],
) -> Health:
    """Ill by one failing probe or by one tally; well only by all that is declared of it."""
    failed = [name for name in asked if name in probes and not probes[name].passed]
    reason = "; ".join(f"{name} fails: {probes[name].outcome}" for name in failed)
    if not set(failed) <= set(foreign):
        return Health(HealthVerdict.ILL, reason)
    enough = policy.gates.minimum_requests
    for one in tallies:
        whole = one.counted
        if whole and whole.total >= enough and failure_ratio(whole) > one.failing_above:
            return Health(HealthVerdict.ILL, f"{failure_ratio(whole):.0%} of {whole.total} {one.what} failed")
    if failed:
        return Health(HealthVerdict.INCONCLUSIVE, reason)
    silent = [name for name in asked if name not in probes]
    if silent:
        return Health(HealthVerdict.INCONCLUSIVE, f"{', '.join(silent)} could not be asked")
    for one in tallies:
        if one.counted is None:
            return Health(HealthVerdict.INCONCLUSIVE, "the metrics could not be read")
        if one.counted.total < enough:
            reason = describe_waiting(one.counted.total, one.what, policy.gates)
            return Health(HealthVerdict.INCONCLUSIVE, reason)
    return Health(HealthVerdict.WELL, "it worked at the newest check")


def _tallies(
    policy: Policy,
    scenario: ScenarioName,
    check: VerificationCheck,
    back: Collection[str],
    counted: RequestCounts,
) -> Iterator[_Tally]:
    """What is counted for it now: its functions that are back, and who signs in."""
    functions = [name for name in sorted(back) if policy.functions.get(name) in check.groups]
    requests = counted.requests
    if functions:
        known = (
            None if requests is None else sum_requests(requests[one] for one in functions if one in requests)
        )
        yield _Tally("requests", known, policy.gates.failing_above)
    if check.sign_in_failures is not None and scenario is ScenarioName.AUTH:
        yield _Tally("sign-ins", counted.sign_ins, check.sign_in_failures)
