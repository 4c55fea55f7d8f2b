"""What is counted of the revisions of applications, minute by minute: requests, and starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from local.application import Application

REQUEST_COUNT = "run.googleapis.com/request_count"
STARTUPS = "run.googleapis.com/container/startup_latencies"
"""A distribution of as many values as have started; what each took is not told: nothing runs."""
RESOURCE = "cloud_run_revision"

_CLASSES = {"2xx": "200", "5xx": "500"}
_OF_REVISIONS = frozenset(
    {
        "resource.label.project_id",
        "resource.label.location",
        "resource.label.service_name",
        "resource.label.configuration_name",
        "resource.label.revision_name",
    }
)
_OF_REQUESTS = frozenset({"metric.label.response_code", "metric.label.response_code_class"})
FIELDS = {REQUEST_COUNT: _OF_REVISIONS | _OF_REQUESTS, STARTUPS: _OF_REVISIONS}
"""What series of each metric can be grouped by."""

Labels = tuple[tuple[str, str], ...]
"""Fields and values of a series, as sorted pairs."""
Window = tuple[datetime, datetime]
Visible = list[tuple[Window, Window]]
"""Windows, each with what of it can be seen by now."""
Counted = tuple[Labels, Window, int]
"""How many in a window, and of which series."""


def _requests(application: Application, function: str, visible: Visible) -> Iterator[Counted]:
    shared = labels_of(application, application.service_of(function).name, REQUEST_COUNT)
    for window, (start, end) in visible:
        if end <= start:
            continue
        for revision, requests in application.requests_by_revision(function, start, end).items():
            succeeded = requests.total - requests.failed
            for code_class, count in (("2xx", succeeded), ("5xx", requests.failed)):
                labels = {
                    **shared,
                    "resource.label.revision_name": revision,
                    "metric.label.response_code": _CLASSES[code_class],
                    "metric.label.response_code_class": code_class,
                }
                yield tuple(sorted(labels.items())), window, count


def _startups(application: Application, function: str, visible: Visible) -> Iterator[Counted]:
    shared = labels_of(application, application.service_of(function).name, STARTUPS)
    for revision, moment in application.starts(function):
        labels = {**shared, "resource.label.revision_name": revision}
        for window, (start, end) in visible:
            if start <= moment < end:
                yield tuple(sorted(labels.items())), window, 1


COUNTED: dict[str, Callable[[Application, str, Visible], Iterator[Counted]]] = {
    REQUEST_COUNT: _requests,
    STARTUPS: _startups,
}
"""What is counted of a function, by its metric: labels, window, and how many."""


def labels_of(application: Application, service: str, metric: str) -> dict[str, str]:
    """What all series of a service's revisions share."""
    return {
        "metric.type": metric,
        "resource.type": RESOURCE,
        "resource.label.project_id": application.project,
        "resource.label.location": application.region,
        "resource.label.service_name": service,
        "resource.label.configuration_name": service,
    }
