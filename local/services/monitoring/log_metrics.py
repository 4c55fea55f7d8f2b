"""`logging.googleapis.com/user/rollback_SYSTEM_…`: what is counted of who signs in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from local.application import Application, Part
from local.application.requests import Requests

PREFIX = "logging.googleapis.com/user/"
RESOURCE = "identitytoolkit_project"
USERS = "users_met"
"""A counter that an application has of its own, of users who meet a failure, each once."""
USERS_RESOURCE = "cloud_run_revision"
TRIES = 4
"""So often each of them tries."""
_COUNTED: dict[str, Callable[[Requests], int]] = {
    "sign_ins": lambda requests: requests.total,
    "sign_in_failures": lambda requests: requests.failed,
}


def names(application: Application) -> dict[str, str]:
    """What each counter of an application counts, by the type of its metric."""
    prefix = f"{PREFIX}rollback_{application.policy.system.replace('-', '_')}_"
    return {f"{prefix}{counted}": counted for counted in _COUNTED}


def resource(metric: str) -> str:
    """What a counter's series are of."""
    return USERS_RESOURCE if metric == f"{PREFIX}{USERS}" else RESOURCE


def count(application: Application, metric: str, start: datetime, end: datetime) -> int:
    """How much a counter of that application's has counted; of what is none of them, nothing."""
    if metric == f"{PREFIX}{USERS}" and end > start:
        every = (application.requests(one, start, end) for one in application.policy.functions)
        return -(-sum(one.failed for one in every) // TRIES)
    counted = _COUNTED.get(names(application).get(metric, ""))
    if counted is None or end <= start:
        return 0
    return counted(application.parts.requests([Part.SIGN_INS], start, end))
