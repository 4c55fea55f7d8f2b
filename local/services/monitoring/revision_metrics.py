"""What is measured of the revisions of applications: requests, and how long they take."""

from collections.abc import Iterator
from datetime import datetime

from local.application import Application
from local.application.latency import Mix

REQUEST_COUNT = "run.googleapis.com/request_count"
REQUEST_LATENCIES = "run.googleapis.com/request_latencies"
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
FIELDS = _OF_REVISIONS | _OF_REQUESTS
"""What its series can be grouped by."""

Labels = tuple[tuple[str, str], ...]
"""Fields and values of a series, as sorted pairs."""
Window = tuple[datetime, datetime]
Visible = list[tuple[Window, Window]]
"""Windows, each with what of it can be seen by now."""
Counted = tuple[Labels, Window, int]
"""How many in a window, and of which series."""


def count_requests(application: Application, function: str, visible: Visible) -> Iterator[Counted]:
    """The requests of a function: labels, window, and how many."""
    shared = labels_of(application, function, REQUEST_COUNT)
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


def weigh_latencies(application: Application, function: str, start: datetime, end: datetime) -> Mix:
    """Return the medians of a function's requests, each with the number of its requests."""
    requests = application.requests(function, start, end).total if start < end else 0
    mix = application.latencies(function, start, end) if requests else ()
    weights = sum(weight for weight, _ in mix)
    return [(requests * weight / weights, median) for weight, median in mix]


def labels_of(application: Application, function: str, metric: str) -> dict[str, str]:
    """Return what all series of a function's revisions share."""
    service = application.service_of(function).name
    return {
        "metric.type": metric,
        "resource.type": RESOURCE,
        "resource.label.project_id": application.project,
        "resource.label.location": application.region,
        "resource.label.service_name": service,
        "resource.label.configuration_name": service,
    }
