"""Is it well? What routers counted and probes saw, judged; with "not known" as an answer."""

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from math import lgamma, log

from msgspec import Struct
from msgspec.structs import force_setattr

from shared.core import text
from shared.core.redaction import redact_personal_data
from shared.domain.policy.gate_limits import Gates

MAX_COUNT_DELAY = timedelta(minutes=3)
"""The routers' counts of a request are visible at most this much later (shared.ports.platform)."""
RESOLUTION = 0.7
"""The test tells a failure ratio at its level from one of this part of it."""
FALSE_ALARMS = 1e-3
"""The budget of a test: how likely `RESOLUTION` of the level ever passes it."""
PRIOR = (5.0, 1.0)
"""The Beta distribution of what a failing function fails: mostly everything."""


class RouterRequests(Struct, frozen=True):
    """Requests of one function in a window, as the routers counted them."""

    total: int
    failed: int


def sum_requests(requests: Iterable[RouterRequests]) -> RouterRequests:
    """Those of several functions together; of none, none."""
    counts = list(requests)
    return RouterRequests(sum(one.total for one in counts), sum(one.failed for one in counts))


class ProbeAnswer(Struct, frozen=True):
    """What a probe saw. A status of None: no answer at all, which is a failure of what it asks."""

    passed: bool
    status: int | None
    detail: str = ""
    """What it quotes has no secrets, whoever said it."""
    seconds: float = 0.0
    """What the answer, or its absence, has taken."""
    digest: str = ""
    """SHA-256 of its body, of the first MiB where it is longer; empty: nothing was read."""
    answers: int = 1
    """The first answer and its repeats."""
    failures: int | None = None
    """How many of them were not as expected; None: all, or none, as `passed` says."""

    @property
    def count(self) -> RouterRequests:
        """Return the answers and their failures as counted requests."""
        failures = self.answers * (not self.passed) if self.failures is None else self.failures
        return RouterRequests(self.answers, failures)

    def __post_init__(self) -> None:
        """Clean what is quoted, before anybody keeps or says it."""
        force_setattr(self, "detail", redact_personal_data(self.detail))

    @property
    def outcome(self) -> str:
        """Return the status, and what was not as expected."""
        return ", ".join(filter(None, (str(self.status or ""), self.detail))) or "no answer"


class HealthVerdict(StrEnum):
    """What the facts say."""

    WELL = "well"
    ILL = "ill"
    INCONCLUSIVE = "inconclusive"


class Health(Struct, frozen=True):
    """A verdict with its reason."""

    verdict: HealthVerdict
    reason: str
    outside: HealthVerdict = HealthVerdict.INCONCLUSIVE
    """What the probes alone say; not known without any, or when one could not be asked."""
    counts: Mapping[str, RouterRequests] = {}
    """The requests of each function of the system, where they were counted."""
    probed: frozenset[str] = frozenset()
    """Functions whose own probe failed."""


def failing_functions(requests: Mapping[str, RouterRequests], gates: Gates) -> set[str]:
    """The functions with enough requests to say so, and too many of them failed."""
    return {
        name
        for name, count in requests.items()
        if count.total >= gates.minimum_requests and failure_ratio(count) > gates.failing_above
    }


def proven_failing_functions(requests: Mapping[str, RouterRequests], gates: Gates) -> set[str]:
    """Return those of the failing functions whose failure is no chance, as `has_failed` tells."""
    failing = failing_functions(requests, gates)
    return {name for name in failing if has_failed(requests[name], gates.failing_above)}


def working_functions(requests: Mapping[str, RouterRequests], gates: Gates) -> set[str]:
    """The functions with enough requests to say so, and few of them failed."""
    enough = {name for name, count in requests.items() if count.total >= gates.minimum_requests}
    return enough - failing_functions(requests, gates)


def describe_waiting(counted: int, what: str, gates: Gates) -> str:
    """Return why nothing can be said yet: too few requests, or sign-ins, are counted."""
    return f"waiting for traffic: {counted} of {gates.minimum_requests} {what} counted"


def failure_ratio(count: RouterRequests) -> float:
    """Failed requests per request; 0 without any."""
    return count.failed / count.total if count.total else 0.0


def has_failed(count: RouterRequests, level: float, false_alarms: float = FALSE_ALARMS) -> bool:
    """Return whether the requests prove a failure ratio at a level.

    More of them fail than the level allows, and the mixture likelihood ratio against the ratio
    q = `RESOLUTION` * level has reached 1 / `false_alarms`:
    B(a + failed, b + succeeded) / B(a, b) / (q ** failed * (1 - q) ** succeeded),
    with the Beta function B and the prior Beta(a, b). Under q it is a martingale, so that it ever
    reaches 1 / alpha with probability alpha at most, however often it is read (Robbins 1970,
    Ann. Math. Statist. 41:1397; Ville's inequality). The budget holds for one start of the counts.
    """
    failed, succeeded = count.failed, count.total - count.failed
    if not 0.0 < level < 1.0 or failed <= level * count.total:
        return False
    ratio, (alpha, beta) = RESOLUTION * level, PRIOR
    evidence = _log_beta(alpha + failed, beta + succeeded) - _log_beta(alpha, beta)
    return evidence - failed * log(ratio) - succeeded * log(1.0 - ratio) >= -log(false_alarms)


def _log_beta(alpha: float, beta: float) -> float:
    return lgamma(alpha) + lgamma(beta) - lgamma(alpha + beta)


def evaluate_health(
    functions: Collection[str],
    requests: Mapping[str, RouterRequests] | None,
    probes: Mapping[str, ProbeAnswer],
    gates: Gates,
) -> Health:
    """Whether these functions are well; None for requests: the metrics could not be read.

    A probe that ran and failed is bad news by itself. No failing probe is no proof: it takes
    enough requests, counted by the routers, to call functions well. Where none of them was
    touched, routers tell nothing of what was: probes alone do.
    """
    asked = text.count_noun(len(probes), "probe")
    failed = sorted(name for name, answer in probes.items() if not answer.passed)
    if failed:
        return Health(HealthVerdict.ILL, f"{len(failed)} of {asked} failed: {text.join_names(failed)}")
    if probes and not functions:
        return Health(HealthVerdict.WELL, f"{asked}, none failing")
    if requests is None:
        return Health(HealthVerdict.INCONCLUSIVE, "the metrics could not be read")
    counted = {name: requests[name] for name in functions if name in requests}
    failing = sorted(failing_functions(counted, gates))
    if ill := sorted(proven_failing_functions(counted, gates)):
        count = text.count_noun(len(ill), "function fails", "functions fail")
        return Health(HealthVerdict.ILL, f"{count}: {text.join_names(ill)}")
    if failing:
        reason = f"too few requests to tell failure from chance: {text.join_names(failing)}"
        return Health(HealthVerdict.INCONCLUSIVE, reason)
    total = sum_requests(counted.values()).total
    if total < gates.minimum_requests:
        return Health(HealthVerdict.INCONCLUSIVE, describe_waiting(total, "requests", gates))
    return Health(HealthVerdict.WELL, f"{text.count_noun(total, 'request')}, {asked}, none failing")
