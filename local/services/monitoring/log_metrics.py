"""`logging.googleapis.com/user/rollback_SYSTEM_…`: what is counted of who signs in."""

from collections.abc import Callable
from datetime import datetime

from local.application import Application, Part
from local.application.request_counts import RequestTotals

PREFIX = "logging.googleapis.com/user/"
SIGN_IN_RESOURCE = "identitytoolkit_project"
USERS_METRIC = "users_met"
"""A counter that an application has of its own, of users who meet a failure, each once."""
USERS_RESOURCE = "cloud_run_revision"
ATTEMPTS_PER_USER = 4
"""So often each of them tries."""
_SIGN_IN_COUNTERS: dict[str, Callable[[RequestTotals], int]] = {
    "sign_ins": lambda requests: requests.total,
    "sign_in_failures": lambda requests: requests.failed,
}


def metric_counters(application: Application) -> dict[str, str]:
    """What each counter of an application counts, by the type of its metric."""
    prefix = f"{PREFIX}rollback_{application.policy.system.replace('-', '_')}_"
    return {f"{prefix}{counted}": counted for counted in _SIGN_IN_COUNTERS}


def resource_type(metric: str) -> str:
    """What a counter's series are of."""
    return USERS_RESOURCE if metric == f"{PREFIX}{USERS_METRIC}" else SIGN_IN_RESOURCE


def count(application: Application, metric: str, start: datetime, end: datetime) -> int:
    """How much a counter of that application's has counted; of what is none of them, nothing."""
    if metric == f"{PREFIX}{USERS_METRIC}" and end > start:
        every = (application.requests(one, start, end) for one in application.policy.functions)
        return -(-sum(one.failed for one in every) // ATTEMPTS_PER_USER)
    counted = _SIGN_IN_COUNTERS.get(metric_counters(application).get(metric, ""))
    if counted is None or end <= start:
        return 0
    return counted(application.parts.requests([Part.SIGN_INS], start, end))
