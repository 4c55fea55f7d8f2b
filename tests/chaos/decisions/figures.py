"""The table that the judge prints: figures by kind, with 95 % intervals."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from random import Random
from statistics import quantiles

from msgspec import Struct

from tests.chaos.decisions.answers import BELOW_EVERY_LEVEL, LEVELS, Answer
from tests.chaos.decisions.play import PAGERS, Announcement, Outcome
from tests.chaos.decisions.situations import EVENTS_A_YEAR, Cause

DEVIATIONS = 1.96
CLAIMED_PRECISION, CLAIMED_RECALL, CLAIMED_NARROW = 0.99, 0.98, 0.95
HEALTHY_SHARE = 0.1
"""A rollback is narrow if no larger part of what it moved works."""
DRAWS, UPPER = 4000, 0.95
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


def bound_false_rollbacks(outcomes: Iterable[Outcome], seed: int = 0) -> tuple[float, float]:
    """Return false rollbacks a system-year by the stated rates: expected, and the 95 % upper bound.

    The bound draws the rate of each kind from its posterior, a gamma distribution. Its shape is the
    number of false rollbacks plus the prior: half a false rollback, which all kinds share by their
    rates. A prior of a half for each kind would be an assumption of nine false rollbacks.
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
    return expected, sums[int(UPPER * DRAWS)] if sums else 0.0


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


def find_refuted_claims(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the aims that these worlds refute, beyond chance: by the upper end of an interval."""
    rolled = [outcome for outcome in outcomes if outcome.answer is Answer.ROLLBACK]
    wanted = [outcome for outcome in outcomes if outcome.is_wanted and not outcome.situation.is_quiet]
    right = sum(not outcome.is_false for outcome in rolled)
    hits = sum(outcome.answer is Answer.ROLLBACK and outcome.is_covered for outcome in wanted)
    narrow = sum(outcome.healthy_moved <= HEALTHY_SHARE * len(outcome.moved) for outcome in rolled)
    above = sum(not _is_below_level(outcome) for outcome in rolled)
    has_noise = any(outcome.messages.keys() - UNREAD_CHANNELS for outcome in outcomes if _is_quiet(outcome))
    claims = {
        f"precision of {CLAIMED_PRECISION:.0%}": wilson(right, len(rolled))[1] >= CLAIMED_PRECISION,
        f"recall of {CLAIMED_RECALL:.0%}": wilson(hits, len(wanted))[1] >= CLAIMED_RECALL,
        f"{CLAIMED_PRECISION:.0%} above a level": wilson(above, len(rolled))[1] >= CLAIMED_PRECISION,
        f"{CLAIMED_NARROW:.0%} move what fails alone": wilson(narrow, len(rolled))[1] >= CLAIMED_NARROW,
        "no notice while nothing fails": not has_noise,
    }
    return [claim for claim, holds in claims.items() if not holds]


def _is_below_level(outcome: Outcome) -> bool:
    is_outside = outcome.situation.cause is Cause.OUTSIDE and outcome.truth.row != BELOW_EVERY_LEVEL
    return (
        outcome.answer is Answer.ROLLBACK and not is_outside and Answer.ROLLBACK not in outcome.truth.answers
    )


def _is_quiet(outcome: Outcome) -> bool:
    return outcome.situation.kind in QUIET_KINDS


def _describe_kinds(outcomes: Sequence[Outcome]) -> Iterator[str]:
    titles = ("worlds", "rolled", "asked", "warned", "nothing")
    yield f"{'situation':58}" + "".join(f" {title:>7}" for title in titles) + "  right"
    rows: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        rows[f"{outcome.situation.kind}"].append(outcome)
        rows[f"  = {outcome.truth.row}"].append(outcome)
    for name in sorted(rows, key=lambda row: (row.startswith("  = "), row)):
        count = Counter(outcome.answer for outcome in rows[name])
        right = sum(outcome.is_right for outcome in rows[name])
        answers = "".join(f" {count[answer]:7}" for answer in Answer)
        yield f"{name:58} {len(rows[name]):7}{answers}  {describe_share(right, len(rows[name]))}"


def _describe_whole(outcomes: Sequence[Outcome]) -> Iterator[str]:
    rolled = [outcome for outcome in outcomes if outcome.answer is Answer.ROLLBACK]
    wanted = [outcome for outcome in outcomes if outcome.is_wanted]
    right = [outcome for outcome in rolled if not outcome.is_false]
    wanted_right = [outcome for outcome in right if outcome.is_wanted]
    busy = [outcome for outcome in wanted if not outcome.situation.is_quiet]
    thin = [outcome for outcome in wanted if outcome.situation.is_quiet]
    below = [*filter(_is_below_level, outcomes)]
    expected, upper = bound_false_rollbacks(outcomes)
    yield f"precision of automatic rollbacks      {describe_share(len(right), len(rolled))}"
    yield f"recall, from a request a second on    {_recall(busy)}"
    yield f"recall, below a request a second      {_recall(thin)}"
    yield f"rolled back below the rollback level  {len(below)}"
    yield f"false rollbacks a system-year         {expected:.3f}, at most {upper:.3f} (95 %)"
    probed, counted = (
        [outcome for outcome in wanted_right if outcome.is_probed is by_probe] for by_probe in (True, False)
    )
    yield f"from onset to decision                {_seconds(right, 'decided')}"
    yield f"from threshold to decision, probes    {_seconds(probed, 'overdue')}"
    yield f"the same, from the second source on   {_seconds(probed, 'overdue_of_counts')}"
    yield f"from its visible point to decision    {_seconds(counted, 'overdue_of_counts')}"
    restored = [
        outcome.overdue + outcome.restored - outcome.decided
        for outcome in wanted_right
        if not (outcome.overdue is None or outcome.restored is None or outcome.decided is None)
    ]
    detected = [
        outcome.overdue + outcome.detected - outcome.decided
        for outcome in wanted_right
        if not (outcome.overdue is None or outcome.detected is None or outcome.decided is None)
    ]
    yield f"from threshold to detection           {describe_seconds(detected)}"
    yield f"from threshold to restored            {describe_seconds(restored)}"
    yield f"from detection to decision            {_seconds(right, 'decided', 'detected')}"
    yield f"from detection to restored            {_seconds(right, 'restored', 'detected')}"
    in_time = sum(outcome.is_restored_in_time for outcome in wanted_right)
    yield f"restored within the runbook's target  {describe_share(in_time, len(wanted_right))}"
    taken = [(outcome.restored or math.inf) - (outcome.detected or 0.0) for outcome in wanted_right]
    fast = sum(seconds <= CRITICAL_SECONDS for seconds in taken)
    yield f"restored within 5 min of detection    {describe_share(fast, len(taken))}"
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
    announced = sum(notice.fits is not None for notice in notices)
    yield f"announced, and not verified           {describe_share(announced - len(delays), announced)}"
    for fits, label in ((True, "within"), (False, "MORE THAN"), (None, "too few requests")):
        claims = [notice.is_true for notice in notices if notice.fits is fits and notice.is_true is not None]
        share = describe_share(claims.count(False), len(claims))
        yield f"wrong claims about the target         {label}: {share}"


def _is_harmless(outcome: Outcome) -> bool:
    return Answer.NOTHING in outcome.truth.answers and Answer.ROLLBACK not in outcome.truth.answers


def _recall(outcomes: Collection[Outcome]) -> str:
    hits = sum(outcome.answer is Answer.ROLLBACK and outcome.is_covered for outcome in outcomes)
    return describe_share(hits, len(outcomes))


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
