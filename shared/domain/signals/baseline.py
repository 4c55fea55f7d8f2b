"""How it was before the trouble, and whether it is worse now; pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median

from msgspec import Struct

from shared.domain.policy.gate_limits import Gates
from shared.domain.signals.health import Health, HealthVerdict, RouterRequests, failure_ratio, sum_requests
from shared.domain.signals.probe_history import QUICK_ANSWER_SECONDS, ProbeResult

BASELINE_DURATION = timedelta(hours=1)
"""What came before the trouble and counts as how it was."""
MIN_PROBE_RESULTS = 5
"""With fewer good looks of a probe nobody knows what it takes."""

TimeWindow = tuple[datetime, datetime]


class Baseline(Struct, frozen=True):
    """The hour before the trouble, as it was recorded when the rollback was decided."""

    since: datetime
    until: datetime
    requests: RouterRequests | None
    """Of the plan's functions together, by the routers; None: they could not be read."""
    seconds: dict[str, float] = {}
    """The median of what each probe took; without those that too few looks tell of."""
    is_verifiable: bool = True
    """Whether as many requests as then can verify a recovery in time."""


def baseline_window(onset: datetime, changes: Iterable[datetime]) -> TimeWindow:
    """The hour that ends where the first change of the hour before the trouble began."""
    until = min([onset, *(at for at in changes if onset - BASELINE_DURATION < at)])
    return until - BASELINE_DURATION, until


def record_baseline(
    window: TimeWindow,
    requests: Mapping[str, RouterRequests] | None,
    looks: Mapping[str, Sequence[ProbeResult]],
) -> Baseline:
    """What is kept of that hour; `requests` are per function, `looks` per probe."""
    return Baseline(
        *window,
        requests=None if requests is None else sum_requests(requests.values()),
        seconds=_median_seconds(looks, *window),
    )


def compare_with_baseline(
    baseline: Baseline | None,
    requests: Mapping[str, RouterRequests] | None,
    looks: Mapping[str, Sequence[ProbeResult]],
    window: TimeWindow,
    gates: Gates,
) -> Health:
    """Whether the present window is worse than the hour before the trouble.

    Ill by a share of failed requests that is more than `worse_by` above that hour's, or by a probe
    that takes more than `slower_by` longer. Without enough requests then or now: inconclusive.
    """
    if baseline is None:
        return Health(HealthVerdict.INCONCLUSIVE, "how it was before the trouble is not known")
    slower = list(_slower_probes(baseline, _median_seconds(looks, *window), gates))
    if slower:
        return Health(HealthVerdict.ILL, f"slower than before the trouble: {', '.join(slower)}")
    was, now = baseline.requests, None if requests is None else sum_requests(requests.values())
    if was is None or was.total < gates.minimum_requests:
        return Health(HealthVerdict.INCONCLUSIVE, "too few requests are known of before the trouble")
    if now is None or now.total < gates.minimum_requests:
        return Health(HealthVerdict.INCONCLUSIVE, "too few requests are known of now")
    before, after = failure_ratio(was), failure_ratio(now)
    told = f"{after:.1%} of the requests fail, {before:.1%} before the trouble"
    if after > before + gates.worse_by:
        return Health(HealthVerdict.ILL, f"worse than before: {told}")
    return Health(HealthVerdict.WELL, told)


def _slower_probes(baseline: Baseline, took: Mapping[str, float], gates: Gates) -> Iterable[str]:
    for probe, seconds in sorted(took.items()):
        usual = baseline.seconds.get(probe)
        if usual is not None and seconds > max(QUICK_ANSWER_SECONDS, usual * (1 + gates.slower_by)):
            yield f"{probe} takes {seconds:.1f} s, {usual:.1f} s then"


def _median_seconds(
    looks: Mapping[str, Sequence[ProbeResult]], since: datetime, until: datetime
) -> dict[str, float]:
    """The median of each probe's good looks in [since, until)."""
    good = {
        probe: [one.seconds for one in several if one.passed and since <= one.at < until]
        for probe, several in looks.items()
    }
    return {probe: median(found) for probe, found in good.items() if len(found) >= MIN_PROBE_RESULTS}
