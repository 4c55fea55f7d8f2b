"""The table that the judge prints: figures by kind, with 95 % intervals."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import attrgetter
from random import Random
from statistics import quantiles

from msgspec import Struct

from tests.chaos.decisions.answers import BELOW_EVERY_LEVEL, LEVELS, Answer
from tests.chaos.decisions.play import PAGERS, Announcement, Outcome
from tests.chaos.decisions.situations import EVENTS_A_YEAR, Cause

DEVIATIONS = 1.96
SHOWN, POSSIBLE, REFUTED = "shown", "possible", "refuted"
MOST_FALSE = 0.1
"""False rollbacks a system-year."""
MOST_HEALTHY = 0.01
"""Of the functions that were moved."""
DRAWS, LOWER, UPPER = 4000, 0.05, 0.95
MONTH_HOURS, CRITICAL_SECONDS = 720.0, 300.0
MOST_MESSAGES, MOST_PAGES = 6, 1
"""Of an incident, to one person."""
QUIET_KINDS = frozenset({"good release", "nothing happens"})
UNREAD_CHANNELS = frozenset({"record"})
"""These store what happens, and call nobody."""


class Judged(Struct, frozen=True):
    """One world: what the product did, and what the rivals would have done."""

    outcome: Outcome
    threshold: bool
    mann_whitney: bool


def wilson(hits: int, tries: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927); (0, 1) without any try."""
    if not tries:
        return 0.0, 1.0
    share, square = hits / tries, DEVIATIONS**2
    centre = (share + square / (2 * tries)) / (1 + square / tries)
    half = (
        DEVIATIONS * math.sqrt(share * (1 - share) / tries + square / (4 * tries**2)) / (1 + square / tries)
    )
    return max(0.0, centre - half), min(1.0, centre + half)


def describe_share(hits: int, tries: int) -> str:
    """Return a share with its interval, such as "98.2 % (96.1 to 99.2, 160 of 163)"."""
    if not tries:
        return "none"
    low, high = wilson(hits, tries)
    return f"{hits / tries:.1%} ({low:.1%} to {high:.1%}, {hits} of {tries})"


def describe_seconds(seconds: Collection[float]) -> str:
    """Return the median and the 95th percentile of some durations."""
    if len(seconds) < 2:
        return "too few"
    cuts = quantiles(seconds, n=20, method="inclusive")
    return f"median {cuts[9]:.0f} s, p95 {cuts[18]:.0f} s, most {max(seconds):.0f} s ({len(seconds)})"


def bound_false_rollbacks(outcomes: Iterable[Outcome], seed: int = 0) -> tuple[float, float, float]:
    """Return false rollbacks a system-year by the stated rates: lower bound, expected, upper bound.

    Each bound is one of 95 %. It draws the rate of each kind from its posterior, a gamma
    distribution. Its shape is the number of false rollbacks plus the prior: half a false rollback,
    which all kinds share by their rates. A prior of a half for each kind would be an assumption of
    nine false rollbacks.
    """
    played: Counter[str] = Counter()
    false: Counter[str] = Counter()
    for outcome in outcomes:
        played[outcome.situation.kind] += 1
        false[outcome.situation.kind] += outcome.is_false
    kinds = [kind for kind in EVENTS_A_YEAR if played[kind]]
    expected = sum(EVENTS_A_YEAR[kind] * false[kind] / played[kind] for kind in kinds)
    random, events = Random(seed), sum(EVENTS_A_YEAR[kind] for kind in kinds)
    sums = sorted(
        sum(
            EVENTS_A_YEAR[kind]
            * random.gammavariate(false[kind] + 0.5 * EVENTS_A_YEAR[kind] / events, 1.0)
            / played[kind]
            for kind in kinds
        )
        for _ in range(DRAWS)
    )
    return sums[int(LOWER * DRAWS)], expected, sums[int(UPPER * DRAWS)]


def describe(judged: Sequence[Judged]) -> Iterator[str]:
    """Yield the lines of the whole table."""
    outcomes = [one.outcome for one in judged]
    yield from _describe_kinds(outcomes)
    yield ""
    yield from _describe_whole(outcomes)
    yield ""
    yield from _describe_rivals(judged)
    yield ""
    yield from _describe_wrong(outcomes)


def describe_world(outcome: Outcome) -> Iterator[str]:
    """Yield what was drawn for one world, what is right in it, and what happened."""
    drawn, truth = outcome.situation, outcome.truth
    requests = sum(drawn.request_rates.values()) / 60.0
    yield f"{drawn.kind} in {drawn.system}, {requests:.2f} requests a second: {truth.row}"
    yield (
        f"{drawn.failure_ratio:.0%} of the requests of {len(drawn.affected)} functions fail, "
        f"{drawn.slowdown:g} times slower, from minute {drawn.onset_minute:.1f} to {drawn.end_minute:.1f}; "
        f"{len(drawn.released)} functions released at minute {drawn.release_minute:.1f}"
    )
    yield f"{outcome.answer}, right: {outcome.is_right}; {len(outcome.moved)} functions moved"
    yield f"detected {outcome.detected}, decided {outcome.decided}, restored {outcome.restored} s after onset"


def describe_aims(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield each aim: these worlds show it, allow it, or refute it, by an interval of 95 %."""
    rolled, wanted = _select_rollbacks(outcomes), [*filter(attrgetter("is_wanted"), outcomes)]
    right = [outcome for outcome in rolled if outcome.is_wanted and not outcome.is_false]
    busy, thin = _split_by_traffic(wanted)
    shares = {
        "automatic rollbacks are right": (0.99, [not outcome.is_false for outcome in rolled]),
        "automatic rollbacks are above a level": (0.99, [not _is_below_level(outcome) for outcome in rolled]),
        "wanted ones happen, from a request a second on": (0.98, [*map(_is_met, busy)]),
        "wanted ones happen, below a request a second": (0.9, [*map(_is_met, thin)]),
        "wanted ones restore within the target": (0.95, [outcome.is_restored_in_time for outcome in right]),
    }
    for aim, (least, met) in shares.items():
        low, high = wilson(sum(met), len(met))
        yield f"{_judge_aim(-high, -low, -least)}: at least {least:.0%} of {aim}"
    healthy = _judge_aim(*_bound_healthy(rolled), MOST_HEALTHY)
    yield f"{healthy}: at most {MOST_HEALTHY:.0%} of what is moved works"
    low, _, high = bound_false_rollbacks(outcomes)
    yield f"{_judge_aim(low, high, MOST_FALSE)}: at most {MOST_FALSE} false rollbacks a system-year"
    alarms = sum(len(outcome.messages.keys() - UNREAD_CHANNELS) for outcome in filter(_is_quiet, outcomes))
    yield f"{_judge_aim(alarms, alarms, 0)}: no notice while nothing fails"


def _judge_aim(low: float, high: float, most: float) -> str:
    return SHOWN if high <= most else POSSIBLE if low <= most else REFUTED


def _bound_healthy(rolled: Collection[Outcome]) -> tuple[float, float]:
    """Return the interval of the share of healthy functions among those moved.

    The functions of one rollback are healthy together, so that the rollbacks are what is drawn
    (the ratio estimator of cluster samples: Cochran, Sampling Techniques, 1977, section 6.3).
    """
    moved = sum(len(outcome.moved) for outcome in rolled) or 1
    share = sum(outcome.healthy_moved for outcome in rolled) / moved
    errors = (outcome.healthy_moved - share * len(outcome.moved) for outcome in rolled)
    half = DEVIATIONS * math.hypot(*errors) / moved
    return share - half, share + half


def _select_rollbacks(outcomes: Iterable[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.answer is Answer.ROLLBACK]


def _split_by_traffic(outcomes: Iterable[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """Return the worlds from a request a second on, and those below it."""
    thin = [outcome for outcome in outcomes if outcome.situation.is_quiet]
    return [outcome for outcome in outcomes if not outcome.situation.is_quiet], thin


def _is_met(outcome: Outcome) -> bool:
    return outcome.answer is Answer.ROLLBACK and outcome.is_covered


def _is_below_level(outcome: Outcome) -> bool:
    is_outside = outcome.situation.cause is Cause.OUTSIDE and outcome.truth.row != BELOW_EVERY_LEVEL
    return (
        outcome.answer is Answer.ROLLBACK and not is_outside and Answer.ROLLBACK not in outcome.truth.answers
    )


def _is_quiet(outcome: Outcome) -> bool:
    return outcome.situation.kind in QUIET_KINDS


def _describe_kinds(outcomes: Sequence[Outcome]) -> Iterator[str]:
    titles = ("worlds", "rolled", "asked", "warned", "nothing")
    yield f"{'situation':58}" + "".join(f" {title:>7}" for title in titles)
    rows: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        rows[f"{outcome.situation.kind}"].append(outcome)
        rows[f"  = {outcome.truth.row}"].append(outcome)
    for name in sorted(rows, key=lambda row: (row.startswith("  = "), row)):
        count = Counter(outcome.answer for outcome in rows[name])
        answers = "".join(f" {count[answer]:7}" for answer in Answer)
        yield f"{name:58} {len(rows[name]):7}{answers}"
        rolled = _select_rollbacks(rows[name])
        right = [outcome.is_right for outcome in rows[name]]
        wanted = [_is_met(outcome) for outcome in rows[name] if outcome.is_wanted]
        precise = [not outcome.is_false for outcome in rolled]
        labels = {"right": right, "precision": precise, "recall": wanted}
        yield "    " + "; ".join(f"{label} {_share(met)}" for label, met in labels.items() if met)


def _describe_whole(outcomes: Sequence[Outcome]) -> Iterator[str]:
    rolled, wanted = _select_rollbacks(outcomes), [*filter(attrgetter("is_wanted"), outcomes)]
    right = [outcome for outcome in rolled if not outcome.is_false]
    wanted_right = [outcome for outcome in right if outcome.is_wanted]
    busy, thin = _split_by_traffic(wanted)
    _, expected, upper = bound_false_rollbacks(outcomes)
    yield f"precision of automatic rollbacks      {describe_share(len(right), len(rolled))}"
    yield f"recall, from a request a second on    {_share(map(_is_met, busy))}"
    yield f"recall, below a request a second      {_share(map(_is_met, thin))}"
    yield f"rolled back below the rollback level  {sum(map(_is_below_level, outcomes))}"
    yield f"false rollbacks a system-year         {expected:.3f}, at most {upper:.3f} (95 %)"
    probed, counted = (
        [outcome for outcome in wanted_right if outcome.is_probed is by_probe] for by_probe in (True, False)
    )
    yield f"from onset to decision                {_seconds(right, 'decided')}"
    yield f"from threshold to decision, probes    {_seconds(probed, 'decided', 'crossed')}"
    yield f"the same, from the second source on   {_seconds(probed, 'decided', 'visible')}"
    yield f"from its visible point to decision    {_seconds(counted, 'decided', 'visible')}"
    yield f"from threshold to detection           {_seconds(wanted_right, 'detected', 'crossed')}"
    yield f"from threshold to restored            {_seconds(wanted_right, 'restored', 'crossed')}"
    yield f"from detection to decision            {_seconds(right, 'decided', 'detected')}"
    yield f"from detection to restored            {_seconds(right, 'restored', 'detected')}"
    in_time = [outcome.is_restored_in_time for outcome in wanted_right]
    yield f"restored within the runbook's target  {_share(in_time)}"
    fast = [(outcome.is_critical, outcome.restored_after <= CRITICAL_SECONDS) for outcome in wanted_right]
    yield f"restored within 5 min of detection    {_share(is_fast for _, is_fast in fast)}"
    yield f"the same, CRITICAL incidents          {_share(is_fast for critical, is_fast in fast if critical)}"
    yield from _describe_announcements([notice for outcome in right for notice in outcome.announcements])
    moved = sum(len(outcome.moved) for outcome in right)
    healthy = sum(outcome.healthy_moved for outcome in right)
    yield f"healthy functions among those moved   {describe_share(healthy, moved)}"
    vain = [outcome for outcome in outcomes if outcome.questions and _is_harmless(outcome)]
    yield f"worlds with a question in vain        {describe_share(len(vain), len(outcomes))}"
    yield from _describe_messages(outcomes)


def _describe_announcements(notices: Sequence[Announcement]) -> Iterator[str]:
    shifts = [notice.shift_delay for notice in notices if notice.shift_delay is not None]
    delays = [notice.verified_delay for notice in notices if notice.verified_delay is not None]
    yield f"last shift later than announced       {describe_seconds(shifts)}"
    yield f"verified later than announced         {describe_seconds(delays)}"
    for claim in sorted({notice.claim for notice in notices}):
        met = [notice.is_in_time for notice in notices if notice.claim == claim]
        ended = [is_in_time for is_in_time in met if is_in_time is not None]
        yield f"verified in time, announced           {claim}: {_share(ended)}"


def _is_harmless(outcome: Outcome) -> bool:
    return Answer.NOTHING in outcome.truth.answers and Answer.ROLLBACK not in outcome.truth.answers


def _share(met: Iterable[bool]) -> str:
    several = [*met]
    return describe_share(sum(several), len(several))


def _seconds(outcomes: Iterable[Outcome], end: str, begin: str = "") -> str:
    spans = []
    for outcome in outcomes:
        first, last = getattr(outcome, begin) if begin else 0.0, getattr(outcome, end)
        if first is not None and last is not None:
            spans.append(last - first)
    return describe_seconds(spans)


def _describe_messages(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield the notices to each person: of an incident, and of a month in which nothing fails."""
    for system in LEVELS:
        played = [outcome for outcome in outcomes if outcome.situation.system == system]
        quiet = [*filter(_is_quiet, played)]
        hours = sum(outcome.situation.played_minutes for outcome in quiet) / 60.0
        noticed = [outcome for outcome in played if outcome.incidents]
        for channel in sorted({name for outcome in noticed for name in outcome.messages} - UNREAD_CHANNELS):
            counts = [
                count
                for outcome in noticed
                for count in outcome.messages.get(channel, (0,) * outcome.incidents)
            ]
            limit = MOST_PAGES if channel in PAGERS else MOST_MESSAGES
            many = describe_share(sum(count > limit for count in counts), len(counts))
            mean, label = sum(counts) / len(counts), f"messages an incident, {system} {channel}"
            yield f"{label:44} mean {mean:.1f}, most {max(counts)}, above {limit}: {many}"
            alarms = sum(sum(outcome.messages.get(channel, ())) for outcome in quiet)
            month = alarms * MONTH_HOURS / hours if hours else 0.0
            yield f"{'  in a quiet month':44} {month:.1f} ({alarms} in {hours:.0f} hours)"


def _describe_rivals(judged: Sequence[Judged]) -> Iterator[str]:
    for name in ("threshold", "mann_whitney"):
        rolled = [one.outcome for one in judged if getattr(one, name)]
        right = sum(Answer.ROLLBACK in outcome.truth.answers for outcome in rolled)
        wanted = [one for one in judged if one.outcome.is_wanted]
        hits = sum(getattr(one, name) for one in wanted)
        precision, recall = describe_share(right, len(rolled)), describe_share(hits, len(wanted))
        yield f"{name.replace('_', '-'):14} precision {precision}, recall {recall}"


def _describe_wrong(outcomes: Sequence[Outcome]) -> Iterator[str]:
    wrong = [outcome for outcome in outcomes if not outcome.is_right]
    wrong.sort(key=lambda outcome: (not outcome.is_false, outcome.situation.kind, outcome.situation.seed))
    for outcome in wrong:
        situation = outcome.situation
        yield f"wrong: seed {situation.seed}, {situation.kind}, {outcome.truth.row}: {outcome.answer}"
        yield from (f"    {reason}" for reason in outcome.reasons)
