"""Evaluate the verification checks that a policy declares, by router counts and probes; pure."""

from collections.abc import Collection, Iterator, Mapping

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
    failure_ratio,
    sum_requests,
)


class RequestCounts(Struct, frozen=True):
    """What was counted since the last shift; None: it could not be read."""

    requests: Mapping[str, RouterRequests] | None
    """Per function."""
    sign_ins: RouterRequests | None = None


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
    """Judge each check of the restored functions, or of no function; unasked probes are absent."""
    found = {}
    active = [one.name for one in policy.probes if one.function is None or one.function in back]
    for name, check in policy.verification.items():
        asked = [probe for probe in active if probe in check.probes]
        tallies = list(_tallies(policy, scenario, check, back, counted))
        if asked or tallies:
            found[name] = _evaluate_check(policy, asked, tallies, probes)
    return found


def combine_health(health: Health, checks: Mapping[str, Health]) -> Health:
    """The health of all: as bad as its worst part, which says why; ill outranks not known."""
    for verdict in (HealthVerdict.ILL, HealthVerdict.INCONCLUSIVE):
        if health.verdict is verdict:
            return health
        told = [f"{name}: {one.reason}" for name, one in checks.items() if one.verdict is verdict]
        if told:
            return replace(health, verdict=verdict, reason="; ".join(told))
    works = f"; checked: {', '.join(checks)}" if checks else ""
    return replace(health, reason=health.reason + works)


class _Tally(Struct, frozen=True):
    """Enough of it must be counted, and no more than that share may have failed."""

    what: str
    counted: RouterRequests | None
    """None: it could not be read."""
    failing_above: float


def _evaluate_check(
    policy: Policy, asked: Collection[str], tallies: Collection[_Tally], probes: Mapping[str, ProbeAnswer]
) -> Health:
    """Ill by one failing probe or by one tally; well only by all that is declared of it."""
    failed = [name for name in asked if name in probes and not probes[name].passed]
    if failed:
        return Health(HealthVerdict.ILL, f"{', '.join(failed)} fails")
    enough = policy.gates.minimum_requests
    for one in tallies:
        whole = one.counted
        if whole and whole.total >= enough and failure_ratio(whole) > one.failing_above:
            return Health(HealthVerdict.ILL, f"{failure_ratio(whole):.0%} of {whole.total} {one.what} failed")
    silent = [name for name in asked if name not in probes]
    if silent:
        return Health(HealthVerdict.INCONCLUSIVE, f"{', '.join(silent)} could not be asked")
    for one in tallies:
        if one.counted is None:
            return Health(HealthVerdict.INCONCLUSIVE, "the metrics could not be read")
        if one.counted.total < enough:
            reason = describe_waiting(one.counted.total, one.what, policy.gates)
            return Health(HealthVerdict.INCONCLUSIVE, reason)
    return Health(HealthVerdict.WELL, "it works")


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
