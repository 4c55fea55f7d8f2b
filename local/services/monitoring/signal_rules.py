"""How each signal is measured over one minute, and what holds where the policy does not say."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from msgspec import Struct

from local.application import Part
from local.application.request_counts import RequestTotals, sum_requests
from local.services.monitoring.ingestion_delay import MINUTE
from local.services.monitoring.revision_metrics import REQUEST_COUNT, REQUEST_LATENCIES, RESOURCE

FAILING_RATE_ABOVE = 0.5
"""A function whose failure rate is above this counts as failing (functions_failing_share)."""
LATENCY_QUANTILE = 0.95
"""Latencies are judged by the time within which this share of the requests is answered."""


class Minute(Struct, frozen=True):
    """What one minute has brought."""

    functions: Mapping[str, RequestTotals]
    """By service."""
    latencies: Mapping[str, timedelta]
    """By service, within which `LATENCY_QUANTILE` of its requests were answered."""
    median: timedelta | None
    """Of the requests of all functions, each function counted alike."""
    usual: timedelta | None
    """That median when the first release began to serve."""
    parts: Mapping[Part, RequestTotals]
    critical: frozenset[str]
    """The services that the policy's probes exercise."""
    damaged: int
    """Documents that the integrity check found damaged when the minute was looked at."""


Readings = Mapping[str, float]
"""Values per service ("" for all of them); what had no requests has none."""


class ConditionMetric(Struct, frozen=True):
    """What a condition compares, as Cloud Monitoring names it."""

    type: str
    display_name: str
    resource: str
    resource_name: str


REQUESTS = ConditionMetric(REQUEST_COUNT, "Request Count", RESOURCE, "Cloud Run Revision")
LATENCIES = ConditionMetric(REQUEST_LATENCIES, "Request Latency", RESOURCE, "Cloud Run Revision")
UPTIME = ConditionMetric(
    "monitoring.googleapis.com/uptime_check/check_passed", "Check passed", "uptime_url", "Uptime Check URL"
)
SIGN_INS = ConditionMetric(
    "logging.googleapis.com/user/sign_in_failures", "Sign-in failures", "global", "Global"
)
DATABASE = ConditionMetric(
    "firestore.googleapis.com/api/request_count",
    "API Requests",
    "firestore.googleapis.com/Database",
    "Firestore Database",
)
INTEGRITY = ConditionMetric(
    "custom.googleapis.com/integrity/damaged_documents", "Damaged documents", "global", "Global"
)


class Rule(Struct, frozen=True):
    """How one kind of signal is measured."""

    display_name: str
    measure: Callable[[Minute], Readings]
    threshold: float
    duration: timedelta
    metric: ConditionMetric = REQUESTS
    per_function: bool = False


def function_failure_rates(minute: Minute) -> Readings:
    """Failed requests among all, per function."""
    rates = {service: requests.failure_rate for service, requests in minute.functions.items()}
    return {service: rate for service, rate in rates.items() if rate is not None}


def functions_failing_share(minute: Minute) -> Readings:
    """Failing functions among those that had requests."""
    rates = function_failure_rates(minute).values()
    return {"": sum(rate > FAILING_RATE_ABOVE for rate in rates) / len(rates)} if rates else {}


def error_rate(minute: Minute) -> Readings:
    """Failed requests among all, all functions together."""
    return _rate(sum_requests(minute.functions.values()))


def failed_checks(minute: Minute) -> Readings:
    """Uptime checks of the site that failed."""
    return {"": minute.parts[Part.SITE].failed}


def sign_in_failures(minute: Minute) -> Readings:
    """Failed sign-ins among all."""
    return _rate(minute.parts[Part.SIGN_INS])


def database_failures(minute: Minute) -> Readings:
    """Reads and writes of the database that failed."""
    return {"": minute.parts[Part.READS].failed + minute.parts[Part.WRITES].failed}


def database_failure_rate(minute: Minute) -> Readings:
    """Failed reads and writes of the database among all."""
    return _rate(minute.parts[Part.READS] + minute.parts[Part.WRITES])


def damaged_documents(minute: Minute) -> Readings:
    """Documents that are damaged."""
    return {"": minute.damaged}


def measure_slowest(minute: Minute) -> Readings:
    """Seconds that the slowest function takes for most of its requests."""
    return _slowest(minute.latencies)


def measure_slowest_critical(minute: Minute) -> Readings:
    """The same for the functions that the policy's probes exercise."""
    known = minute.latencies.items()
    return _slowest({name: taken for name, taken in known if name in minute.critical})


def measure_slowdown(minute: Minute) -> Readings:
    """By which share the median of all requests is above the usual; 0.5: half as much again."""
    if minute.median is None or not minute.usual:
        return {}
    return {"": minute.median / minute.usual - 1.0}


def _slowest(latencies: Mapping[str, timedelta]) -> Readings:
    return {"": max(latencies.values()).total_seconds()} if latencies else {}


def _rate(requests: RequestTotals) -> Readings:
    return {} if requests.failure_rate is None else {"": requests.failure_rate}


RULES = {
    "frontend_unavailable": Rule("uptime of the site", failed_checks, 2, MINUTE, UPTIME),
    "function_failure_rate": Rule(
        "function failure rate", function_failure_rates, 0.5, timedelta(minutes=2), per_function=True
    ),
    "functions_failing_share": Rule("share of functions failing", functions_failing_share, 0.25, timedelta()),
    "critical_path_blocked": Rule("critical path", measure_slowest_critical, 45, MINUTE, LATENCIES),
    "performance_degraded": Rule("performance", measure_slowdown, 0.5, timedelta(minutes=5), LATENCIES),
    "authentication_failure": Rule("sign-in failures", sign_in_failures, 0.8, timedelta(minutes=5), SIGN_INS),
    "database_connectivity": Rule("database failures", database_failures, 10, MINUTE, DATABASE),
    "database_failure_rate": Rule("database failure rate", database_failure_rate, 0.5, MINUTE, DATABASE),
    "database_corruption": Rule("damaged documents", damaged_documents, 0, MINUTE, INTEGRITY),
    "slow_response": Rule("slow responses", measure_slowest, 30, MINUTE, LATENCIES),
    "error_rate": Rule("error rate", error_rate, 0.1, timedelta(minutes=5)),
}
"""The signals that the application can tell about; a policy's other signals are somebody else's."""
