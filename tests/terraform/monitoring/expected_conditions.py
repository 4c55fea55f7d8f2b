"""What must stand in the conditions of a signal's alert policy: read from the typed policy file."""

from collections.abc import Callable
from datetime import timedelta

from msgspec import Struct

from local.services.monitoring.signal_rules import RULES
from shared.domain.policy.signals import Unit
from shared.domain.policy.system_policy import Policy, is_pattern, service_of

RUN = "cloud_run_revision"
REQUESTS = "run.googleapis.com/request_count"
LATENCIES = "run.googleapis.com/request_latencies"
CHECK_PERIOD = 300
"""Seconds between two runs of a check whose probe the responders ask themselves."""
CHECKS = "monitoring.googleapis.com/uptime_check/check_passed"
DATABASE = "firestore.googleapis.com/Database"
SERVICE = "resource.label.service_name"
MINUTE = 60


class Threshold(Struct, frozen=True):
    """A condition on a filter."""

    metric: str
    resource: str
    aligner: str
    reducer: str
    above: float
    duration: int
    """Seconds."""
    period: int = MINUTE
    """Seconds."""
    grouped: tuple[str, ...] = ()
    ratio: bool = False


class Query(Struct, frozen=True):
    """A condition in PromQL: the metrics that it reads, and how it compares."""

    metrics: tuple[str, ...]
    compared: tuple[str, ...]
    duration: int
    """Seconds."""


Condition = Threshold | Query
ENOUGH_FAILURES = 8
"""Failed requests of a function, or of a group: fewer prove nothing."""


def counter(policy: Policy, name: str) -> str:
    """The type of a log-based counter of the system."""
    return f"logging.googleapis.com/user/rollback_{policy.system.replace('-', '_')}_{name}"


def series(metric: str) -> str:
    """A metric's name in PromQL: the first slash is a colon, all else is an underscore."""
    domain, _, path = metric.partition("/")
    return f"{domain.replace('.', '_')}:{path.replace('/', '_')}"


def expected(policy: Policy, name: str) -> list[Condition]:
    """Every condition that the signal must have in this system, its `also` included."""
    rule, signal = RULES.get(name), policy.signals[name]
    threshold, duration = signal.threshold, signal.duration
    if threshold is None:
        threshold = rule.threshold if rule else 0.8
    if duration is None:
        duration = rule.duration if rule else timedelta(minutes=1)
    conditions = EXPECTED[name](policy, threshold, _seconds(duration))
    for one in signal.also:
        lasting = _seconds(one.duration or (rule.duration if rule else timedelta(minutes=1)))
        conditions += ALSO[one.unit](policy, one.threshold, lasting)
    return conditions


def reads_checks(condition: Condition) -> bool:
    """Whether it is about what Google's uptime checks see."""
    if isinstance(condition, Query):
        return series(CHECKS) in condition.metrics
    return condition.metric == CHECKS


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())


def _slowest(_policy: Policy, seconds: float, lasting: int) -> list[Condition]:
    """Cloud Run counts milliseconds."""
    aligner, reducer = "ALIGN_DELTA", "REDUCE_PERCENTILE_95"
    above = seconds * 1000
    return [Threshold(LATENCIES, RUN, aligner, reducer, above, lasting, grouped=(SERVICE,))]


def _share_of(policy: Policy, failed: str, every: str, ratio: float, lasting: int) -> list[Condition]:
    """A share of enough calls within the five minutes that the gates count too."""
    enough = f"and sum(increase({series(every)}"
    compared = (f"> {ratio:g} {enough}", f"[5m])) >= {policy.gates.minimum_requests}")
    return [Query((series(failed), series(every)), compared, lasting)]


def _share(policy: Policy, ratio: float, lasting: int) -> list[Condition]:
    failed, every = (counter(policy, name) for name in ("server_errors", "requests"))
    return _share_of(policy, failed, every, ratio, lasting)


def _checks(_policy: Policy, count: float, window: int) -> list[Condition]:
    """That many are enough, and Monitoring knows only more than: one less."""
    grouped = ("metric.label.check_id",)
    aligner, above = "ALIGN_COUNT_FALSE", count - 1
    window = max(window, CHECK_PERIOD)
    return [Threshold(CHECKS, "uptime_url", aligner, "REDUCE_SUM", above, 0, window, grouped)]


def _frontend(_policy: Policy, regions: float, lasting: int) -> list[Condition]:
    return [Query((series(CHECKS),), (f"== 0) >= {regions:g}",), lasting)]


def _failure_rate(policy: Policy, ratio: float, lasting: int) -> list[Condition]:
    errors, every = (counter(policy, name) for name in ("server_errors", "requests"))
    enough, grouped = policy.gates.minimum_requests - 1, (SERVICE,)
    return [
        Threshold(errors, RUN, "ALIGN_RATE", "REDUCE_SUM", ratio, lasting, MINUTE, grouped, ratio=True),
        Threshold(every, RUN, "ALIGN_DELTA", "REDUCE_SUM", enough, 0, 5 * MINUTE, grouped),
        Threshold(errors, RUN, "ALIGN_DELTA", "REDUCE_SUM", ENOUGH_FAILURES - 1, 0, 5 * MINUTE, grouped),
        *_quiet(policy, ratio, lasting),
    ]


def _quiet(policy: Policy, ratio: float, lasting: int) -> list[Condition]:
    """Fifteen minutes of a function, and of a group of several whose services a pattern covers."""
    errors, requests = (series(counter(policy, name)) for name in ("server_errors", "requests"))
    failed = f"[15m])) >= {ENOUGH_FAILURES})"
    exceeded = f"[15m])) >= {policy.gates.minimum_requests}) > {ratio:g}"
    compared: list[tuple[str, ...]] = [(f"(sum by (service_name) (increase({errors}", failed, exceeded)]
    for name, group in policy.groups.items():
        services = sorted(
            service_of(function).replace("*", ".*").replace("?", ".") for function in group.functions
        )
        is_several = len(services) > 1 or any(map(is_pattern, group.functions))
        if is_several and ".*" not in services and not group.codebases:
            matchers = f'{{monitored_resource="{RUN}",service_name=~"{"|".join(services)}"}}[15m])'
            sums = (f"sum(increase({metric}{matchers}" for metric in (errors, requests))
            compared.append((*sums, failed, f'{exceeded}, "group", "{name}"'))
    return [Query((errors, requests), texts, max(MINUTE, lasting)) for texts in compared]


def _failing_share(policy: Policy, ratio: float, lasting: int) -> list[Condition]:
    metrics = tuple(series(counter(policy, name)) for name in ("server_errors", "requests"))
    return [Query(metrics, (f"> {ratio:g} and", ">= 8"), lasting)]


def _critical_path(policy: Policy, seconds: float, lasting: int) -> list[Condition]:
    return [*_slowest(policy, seconds, lasting), Query((series(CHECKS),), ("== 0) >= 2",), lasting)]


def _degraded(policy: Policy, ratio: float, lasting: int) -> list[Condition]:
    metrics = (f"{series(LATENCIES)}_bucket", series(counter(policy, "requests")))
    return [Query(metrics, (f"- 1 > {ratio:g}",), lasting)]


def _sign_ins(policy: Policy, ratio: float, lasting: int) -> list[Condition]:
    failed, every = (counter(policy, name) for name in ("sign_in_failures", "sign_ins"))
    return _share_of(policy, failed, every, ratio, lasting)


def _connectivity(policy: Policy, count: float, window: int) -> list[Condition]:
    pairs = ((counter(policy, "database_failures"), RUN), (FIRESTORE, DATABASE))
    return [
        Threshold(metric, resource, "ALIGN_DELTA", "REDUCE_SUM", count - 1, 0, window)
        for metric, resource in pairs
    ]


def _database_rate(policy: Policy, ratio: float, lasting: int) -> list[Condition]:
    return _share_of(policy, FIRESTORE, FIRESTORE, ratio, lasting)


def _quota(_policy: Policy, ratio: float, lasting: int) -> list[Condition]:
    quota = "serviceruntime.googleapis.com/quota"
    limit, exceeded = series(f"{quota}/limit"), f"{quota}/exceeded"
    grouped = ("metric.label.quota_metric",)
    return [
        Query((series(f"{quota}/rate/net_usage"), limit), (f"> {ratio:g}",), lasting),
        Query((series(f"{quota}/allocation/usage"), limit), (f"> {ratio:g}",), lasting),
        Threshold(exceeded, "consumer_quota", "ALIGN_COUNT_TRUE", "REDUCE_SUM", 0, 0, MINUTE, grouped),
    ]


FIRESTORE = "firestore.googleapis.com/api/request_count"

ALSO: dict[Unit, Callable[[Policy, float, int], list[Condition]]] = {
    Unit.RATIO: _share,
    Unit.SECONDS: _slowest,
    Unit.COUNT: _checks,
}
EXPECTED: dict[str, Callable[[Policy, float, int], list[Condition]]] = {
    "frontend_unavailable": _frontend,
    "function_failure_rate": _failure_rate,
    "functions_failing_share": _failing_share,
    "critical_path_blocked": _critical_path,
    "performance_degraded": _degraded,
    "authentication_failure": _sign_ins,
    "database_connectivity": _connectivity,
    "database_failure_rate": _database_rate,
    "slow_response": _slowest,
    "error_rate": _share,
    "quota_usage": _quota,
}
"""From a threshold in the signal's unit, and seconds. What no metric shows is not here."""
