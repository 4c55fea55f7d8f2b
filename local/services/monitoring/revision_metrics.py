"""What is counted of the revisions of applications, minute by minute: requests."""

from collections.abc import Iterator
from datetime import datetime

from local.application import Application

REQUEST_COUNT = "run.googleapis.com/request_count"
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
    shared = labels_of(application, application.service_of(function).name)
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


def labels_of(application: Application, service: str) -> dict[str, str]:
    """What all series of a service's revisions share."""
    return {
        "metric.type": REQUEST_COUNT,
        "resource.type": RESOURCE,
        "resource.label.project_id": application.project,
        "resource.label.location": application.region,
        "resource.label.service_name": service,
        "resource.label.configuration_name": service,
    }
