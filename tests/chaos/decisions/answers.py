"""What is right in each situation: one table, by the figures of the owners alone.

CVPlus's figures are those of the runbook's "Alert Thresholds" and "Alert Levels"; the bookshop's
are those that its owner declares. Nothing here reads the product's own verdicts. Within `MARGIN` of
a figure, half an hour of requests does not tell on which side of it the truth is: both answers are
right there.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from tests.chaos.decisions.situations import Cause, Situation


class Levels(Struct, frozen=True):
    """From where on the owner of a system wants a rollback, or a warning; None: never."""

    function: float
    """The share of failed requests of one function."""
    function_minutes: float
    system: float | None = None
    """The share of failed requests of all functions."""
    slower: float | None = None
    """How much slower the median of all functions is, as a ratio."""
    warning: float | None = None
    """The share of failed requests of all functions that people are warned of."""
    rolls_site_back: bool = False


LEVELS: Mapping[str, Levels] = {
    # functionFailureRate: threshold 0.5, duration 2m, FUNCTIONS_ROLLBACK;
    # rollbackTriggers.errorSpike: threshold 0.25, window 5m; HIGH: "Performance degradation >50%";
    # errorRate: threshold 0.1, duration 5m, ERROR_ANALYSIS;
    # frontendUnavailable: duration 30s, IMMEDIATE_ROLLBACK.
    "cvplus": Levels(0.5, 2.0, system=0.25, slower=0.5, warning=0.1, rolls_site_back=True),
    "example": Levels(0.2, 1.0),
}
MARGIN, ROUNDING = 0.1, 1e-9
SLOW_WINDOW_MINUTES, ENOUGH_REQUESTS = 5.0, 20.0
"""A median of fewer requests in so many minutes says nothing."""
THIN_FAILURES = 20.0
"""Fewer failed requests than this in `THIN_MINUTES`: nobody can know."""
THIN_MINUTES = 15.0
SOON_MINUTES = 10.0
"""A failure that begins later looks like one from outside: asking is right too."""


class Answer(StrEnum):
    """What the system did, or should do."""

    ROLLBACK = "rollback of what fails"
    ASK = "ask"
    WARN = "warn"
    NOTHING = "nothing"


R, A, W, N = Answer.ROLLBACK, Answer.ASK, Answer.WARN, Answer.NOTHING
BELOW_EVERY_LEVEL = "outside: below every rollback level"
TABLE: Mapping[str, tuple[Answer, ...]] = {
    "release: a function fails above its level": (R,),
    "release: more of all requests fail than their level": (R,),
    "release: the site is down": (R,),
    "release: the site is down, and people are asked": (A,),
    "release: the median is slower than its level": (R,),
    "release: within a tenth of a level": (R, A, W),
    "release: it fails later than 10 minutes after": (R, A),
    "release: below every rollback level, above a warning": (W, A),
    "release: below every level": (N, W),
    "release: too few requests to know": (R, A, W, N),
    "outside: above a level": (A, W),
    BELOW_EVERY_LEVEL: (N, W, A),
    "outside: too few requests to know": (A, W, N),
    "outside: probes alone fail": (N, W, A),
    "a function outside the policy fails": (W, A),
    "nothing fails": (N, W),
}
"""By situation: the answers that are right."""


class Truth(Struct, frozen=True):
    """What is true of a situation, in the runbook's terms."""

    row: str
    failing: frozenset[str]
    """Functions that the release has broken; others are healthy."""
    observable: frozenset[str]
    """Those of them whose own requests tell it: a rollback must move these."""
    threshold_minutes: float
    """From the onset until a level has been crossed for as long as its owner declares."""

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Return the right answers."""
        return TABLE[self.row]


def find_truth(situation: Situation) -> Truth:
    """Return the row of the table that a situation belongs to."""
    affected = situation.affected if situation.cause is Cause.RELEASE else frozenset[str]()
    observable = frozenset(name for name in affected if _count_failures(situation, (name,)) >= THIN_FAILURES)
    return Truth(_find_row(situation), affected, observable, _find_threshold(situation))


def _count_failures(situation: Situation, functions: Iterable[str]) -> float:
    """Return how many requests of some functions fail in `THIN_MINUTES`, as expected."""
    requests = sum(situation.request_rates[name] for name in functions)
    return requests * situation.failure_ratio * THIN_MINUTES


def _is_observable(situation: Situation) -> bool:
    """Return whether one function, one whole group, or all functions together fail often enough."""
    groups = [{*group.functions} for group in situation.policy.groups.values()]
    areas = [*({name} for name in situation.affected), *groups, {*situation.policy.functions}]
    return any(
        area <= situation.affected and _count_failures(situation, area) >= THIN_FAILURES for area in areas
    )


def _find_threshold(situation: Situation) -> float:
    """Return the minutes that the owner lets pass before a level counts."""
    levels = LEVELS[situation.system]
    if situation.is_site_down:
        return 0.5
    is_function = situation.failure_ratio > levels.function
    return levels.function_minutes if is_function else 5.0


def _find_row(situation: Situation) -> str:
    levels, share = LEVELS[situation.system], _measure_share(situation)
    if situation.failing_probes:
        return "outside: probes alone fail"
    if situation.cause is Cause.OUTSIDE:
        is_grave = situation.failure_ratio > levels.function or share > (levels.system or 1.0)
        is_probed = situation.is_site_down or (situation.is_sign_in_down and situation.policy.sign_in_groups)
        if is_grave and not is_probed and not _is_observable(situation):
            return "outside: too few requests to know"
        return "outside: above a level" if is_grave else BELOW_EVERY_LEVEL
    if situation.cause is Cause.NONE:
        return "a function outside the policy fails" if situation.unknown_function else "nothing fails"
    if situation.is_site_down:
        return f"release: the site is down{'' if levels.rolls_site_back else ', and people are asked'}"
    if situation.slowdown > 1.0:
        return _find_slow_row(situation, levels)
    row = _find_failing_row(situation.failure_ratio, share, levels)
    if TABLE[row] != (R,):
        return row
    if not _is_observable(situation):
        return "release: too few requests to know"
    if situation.onset_minute - situation.release_minute > SOON_MINUTES:
        return "release: it fails later than 10 minutes after"
    return row


def _find_failing_row(ratio: float, share: float, levels: Levels) -> str:
    system, warning = levels.system or 2.0, levels.warning or 2.0
    if ratio >= levels.function + MARGIN - ROUNDING:
        return "release: a function fails above its level"
    if share >= system + MARGIN - ROUNDING:
        return "release: more of all requests fail than their level"
    if ratio > levels.function - MARGIN + ROUNDING or share > system - MARGIN / 2:
        return _NEAR
    if share > warning + MARGIN / 10:
        return "release: below every rollback level, above a warning"
    return "release: below every level"


def _find_slow_row(situation: Situation, levels: Levels) -> str:
    """Return the row of a slow release: its median over the functions, each counted alike."""
    slower, degradation = levels.slower, situation.slowdown - 1.0
    share = len(situation.affected) / len(situation.policy.functions)
    if slower is None or share < 0.45 or degradation < slower - MARGIN:
        return "release: below every level"
    if share < 0.55 or degradation < slower + MARGIN:
        return _NEAR
    typical = sorted(situation.request_rates.values())[len(situation.request_rates) // 2]
    if typical * SLOW_WINDOW_MINUTES < ENOUGH_REQUESTS:
        return "release: too few requests to know"
    return "release: the median is slower than its level"


_NEAR = "release: within a tenth of a level"


def _measure_share(situation: Situation) -> float:
    """Return the share of all requests that fail."""
    total = sum(situation.request_rates.values())
    failing = sum(situation.request_rates[name] for name in situation.affected) * situation.failure_ratio
    return failing / total
