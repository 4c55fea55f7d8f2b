"""Cloud Logging, `v2`: sinks, exclusions and log-based metrics; no entry is routed or counted.

Shapes: https://cloud.google.com/logging/docs/reference/v2/rest (read 2026-11).
"""

import re
from typing import Any

from local.application.names import project_number
from local.core.clock import CloudClock
from local.core.journal import Journal
from local.core.resource_store import ResourceStore, written_time
from local.core.resources import Change, Kind, ResourceCollection
from local.core.rest import Resource, invalid_argument

HOST = "logging.googleapis.com"
SHARED_WRITER = "serviceAccount:cloud-logs@system.gserviceaccount.com"
_DESTINATION_PATTERN = re.compile(r"(?:bigquery|logging|pubsub|storage)\.googleapis\.com/.+")
_ID_PATTERN = r"[A-Za-z0-9_.-]{1,100}"
_TIMES = ("createTime", "updateTime")


def _times(change: Change) -> Resource:
    now = written_time(change.at)
    return {"createTime": (change.before or {}).get("createTime", now), "updateTime": now}


def _complete_sink(change: Change) -> Resource:
    """A sink writes as the project's own agent where `uniqueWriterIdentity` asks for it."""
    if not _DESTINATION_PATTERN.fullmatch(change.after["destination"]):
        raise invalid_argument(f"Unsupported destination: {change.after['destination']}")
    for one in change.after.get("exclusions", []):
        if not one.get("name") or not one.get("filter"):
            raise invalid_argument("exclusions: each has a name and a filter")
    writer = (change.before or {}).get("writerIdentity", SHARED_WRITER)
    if change.query.get("uniqueWriterIdentity") == "true":
        number = project_number(change.ids["project"])
        writer = f"serviceAccount:service-{number}@gcp-sa-logging.iam.gserviceaccount.com"
    return {**_times(change), "writerIdentity": change.query.get("customWriterIdentity", writer)}


def _complete_metric(change: Change) -> Resource:
    """Monitoring knows a metric by a type that is made of its name."""
    kind = f"logging.googleapis.com/user/{change.after['name']}"
    default = {"metricKind": "DELTA", "valueType": "INT64", "unit": "1"}
    descriptor = {
        **change.after.get("metricDescriptor", default),
        "name": f"projects/{change.ids['project']}/metricDescriptors/{kind}",
        "type": kind,
    }
    extracted, labels = change.after.get("labelExtractors", {}), descriptor.get("labels", [])
    if {*extracted} != {one.get("key") for one in labels}:
        raise invalid_argument("labelExtractors: each label of metricDescriptor has one, and no other")
    if (descriptor.get("valueType") == "DISTRIBUTION") != ("valueExtractor" in change.after):
        raise invalid_argument("valueExtractor: a distribution has one, and no other metric")
    return {**_times(change), "metricDescriptor": descriptor}


SINKS = Kind(
    calls="projects.sinks",
    schema="logging.v2.LogSink",
    path="/v2/projects/{project}/sinks",
    verbs=("create", "get", "list", "patch", "update", "delete"),
    id_field="name",
    id_pattern=_ID_PATTERN,
    shows_id=True,
    fields={
        "bigqueryOptions": dict[str, Any],
        "description": str,
        "destination": str,
        "disabled": bool,
        "exclusions": list[dict[str, Any]],
        "filter": str,
        "includeChildren": bool,
        "interceptChildren": bool,
        "outputVersionFormat": str,
    },
    answers=(*_TIMES, "resourceName", "writerIdentity"),
    required=("destination",),
    parameters=("uniqueWriterIdentity", "customWriterIdentity"),
    complete=_complete_sink,
)
EXCLUSIONS = Kind(
    calls="projects.exclusions",
    schema="logging.v2.LogExclusion",
    path="/v2/projects/{project}/exclusions",
    id_field="name",
    id_pattern=_ID_PATTERN,
    shows_id=True,
    fields={"description": str, "disabled": bool, "filter": str},
    answers=_TIMES,
    required=("filter",),
    complete=_times,
)
METRICS = Kind(
    calls="projects.metrics",
    schema="logging.v2.LogMetric",
    path="/v2/projects/{project}/metrics",
    verbs=("create", "get", "list", "update", "delete"),
    id_field="name",
    id_pattern=_ID_PATTERN,
    shows_id=True,
    fields={
        "bucketName": str,
        "bucketOptions": dict[str, Any],
        "description": str,
        "disabled": bool,
        "filter": str,
        "labelExtractors": dict[str, str],
        "metricDescriptor": dict[str, Any],
        "valueExtractor": str,
    },
    answers=(*_TIMES, "resourceName", "version"),
    required=("filter",),
    upserts=True,
    complete=_complete_metric,
)


class LoggingConfiguration:
    """What is declared of logs in every project."""

    def __init__(self, clock: CloudClock, journal: Journal) -> None:
        self._store = ResourceStore(journal, "logging")
        kinds = (SINKS, EXCLUSIONS, METRICS)
        self.collections = tuple(ResourceCollection(kind, self._store, clock) for kind in kinds)

    def has_metric(self, project: str, metric: str) -> bool:
        """Whether a project has a log-based metric of that name."""
        return f"projects/{project}/metrics/{metric}" in self._store

    def has_writer(self, email: str) -> bool:
        """Whether a sink writes as the account of that address."""
        writer = f"serviceAccount:{email}"
        return any(one.get("writerIdentity") == writer for one in self._store.under("projects/"))
