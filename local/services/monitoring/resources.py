"""What Cloud Monitoring stores of its users: `v3` but for dashboards, which are `v1`.

Shapes: https://cloud.google.com/monitoring/api/ref_v3/rest and .../monitoring/api/ref_v1/rest
(read 2026-11). No uptime check runs, and nothing is sent to a channel.
"""

import re
from collections.abc import Callable, Iterator
from itertools import count, filterfalse
from typing import Any, Literal

import grpc

from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.core.resource_store import ResourceStore, written_time
from local.core.resources import Change, Kind, ResourceCollection
from local.core.rest import Resource, RestMethod, RestRequest, invalid_argument
from local.services.workload_identity.agents import agent_email

MAX_CONDITIONS = 6
"""https://cloud.google.com/monitoring/quotas."""
_CONDITIONS = (
    *("conditionAbsent", "conditionMatchedLog", "conditionMonitoringQueryLanguage"),
    *("conditionPrometheusQueryLanguage", "conditionSql", "conditionThreshold"),
)
_LOG_METRIC_PATTERN = re.compile(r'metric\.type\s*=\s*"logging\.googleapis\.com/user/([^"]+)"')
_CHANNEL_LABELS = {
    "email": {"email_address"},
    "google_chat": {"space"},
    "pagerduty": {"service_key"},
    "pubsub": {"topic"},
    "slack": {"auth_token", "channel_name"},
    "sms": {"number"},
    "webhook_basicauth": {"url"},
    "webhook_tokenauth": {"url"},
}
"""The labels that a channel of each type needs."""
_SECRET_LABELS = frozenset(("auth_token", "password", "service_key"))
"""Those that Google shows obscured; Terraform's `sensitive_labels` are sent among the labels."""
_OBSCURED = "********"
_ID_PATTERN = r"[A-Za-z0-9_.-]{1,63}"
_LAYOUTS = ("columnLayout", "gridLayout", "mosaicLayout", "rowLayout")
_SERVICES = (
    *("appEngine", "basicService", "cloudEndpoints", "cloudRun", "clusterIstio", "custom"),
    *("gkeNamespace", "gkeService", "gkeWorkload", "istioCanonicalService", "meshIstio"),
)


def _complete_channel(change: Change) -> Resource:
    kind, labels = change.after["type"], change.after.get("labels", {})
    if kind not in _CHANNEL_LABELS:
        raise invalid_argument(f"type: '{kind}' is none of {', '.join(_CHANNEL_LABELS)}")
    if missing := _CHANNEL_LABELS[kind] - {*labels}:
        raise invalid_argument(f"labels: a channel of type {kind} needs {', '.join(sorted(missing))}")
    now = {"mutateTime": written_time(change.at)}
    created = (change.before or {}).get("creationRecord", now)
    enabled = change.after.get("enabled", True)
    return {"enabled": enabled, "creationRecord": created, "mutationRecords": [now]}


def _complete_dashboard(change: Change) -> Resource:
    """A number, text or truth of a layout that is its default is not shown, as in all JSON."""
    layouts = {key: _drop_defaults(change.after[key]) for key in _LAYOUTS if key in change.after}
    if len(layouts) != 1:
        raise invalid_argument("a dashboard has exactly one layout")
    return layouts


def _drop_defaults(value: Any) -> Any:
    if isinstance(value, dict):
        shown = {key: _drop_defaults(it) for key, it in value.items()}
        return {key: it for key, it in shown.items() if it not in (None, "", 0)}
    return [_drop_defaults(it) for it in value] if isinstance(value, list) else value


CHANNELS = Kind(
    calls="projects.notificationChannels",
    schema="monitoring.v3.NotificationChannel",
    path="/v3/projects/{project}/notificationChannels",
    fields={
        "description": str,
        "displayName": str,
        "enabled": bool,
        "labels": dict[str, str],
        "type": str,
        "userLabels": dict[str, str],
    },
    answers=("creationRecord", "mutationRecords", "verificationStatus"),
    required=("type",),
    immutable=("type",),
    explicit=("enabled",),
    replaces=True,
    delete_parameters=("force",),
    complete=_complete_channel,
)
UPTIME_CHECKS = Kind(
    calls="projects.uptimeCheckConfigs",
    schema="monitoring.v3.UptimeCheckConfig",
    path="/v3/projects/{project}/uptimeCheckConfigs",
    fields={
        "checkerType": str,
        "contentMatchers": list[dict[str, Any]],
        "disabled": bool,
        "displayName": str,
        "httpCheck": dict[str, Any],
        "logCheckFailures": bool,
        "monitoredResource": dict[str, Any],
        "period": str,
        "resourceGroup": dict[str, str],
        "selectedRegions": list[str],
        "syntheticMonitor": dict[str, Any],
        "tcpCheck": dict[str, Any],
        "timeout": str,
        "userLabels": dict[str, str],
    },
    required=("displayName", "timeout"),
    immutable=("monitoredResource", "resourceGroup"),
    replaces=True,
)
SERVICES = Kind(
    calls="services",
    schema="monitoring.v3.Service",
    path="/v3/projects/{project}/services",
    id_query="serviceId",
    id_pattern=_ID_PATTERN,
    is_numbered=True,
    fields={
        **dict.fromkeys(_SERVICES, dict[str, Any]),
        "displayName": str,
        "telemetry": dict[str, str],
        "userLabels": dict[str, str],
    },
    explicit=_SERVICES,
    replaces=True,
)
DASHBOARDS = Kind(
    calls="projects.dashboards",
    schema="monitoring.v1.Dashboard",
    path="/v1/projects/{project}/dashboards",
    is_numbered=True,
    fields={
        **dict.fromkeys(_LAYOUTS, dict[str, Any]),
        "annotations": dict[str, Any],
        "dashboardFilters": list[dict[str, Any]],
        "displayName": str,
        "labels": dict[str, str],
    },
    required=("displayName",),
    replaces=True,
    has_etag=True,
    complete=_complete_dashboard,
)


class MonitoringResources:
    """Alert policies, channels, uptime checks, services with their objectives, dashboards."""

    def __init__(
        self, clock: CloudClock, journal: Journal, has_log_metric: Callable[[str, str], bool]
    ) -> None:
        """`has_log_metric` says whether a project has a log-based metric of a name."""
        self._store = ResourceStore(journal, "monitoring")
        self._has_log_metric = has_log_metric
        policies = Kind(
            calls="projects.alertPolicies",
            schema="monitoring.v3.AlertPolicy",
            path="/v3/projects/{project}/alertPolicies",
            fields={
                "alertStrategy": dict[str, Any],
                "combiner": Literal["AND", "OR", "AND_WITH_MATCHING_RESOURCE"],
                "conditions": list[dict[str, Any]],
                "displayName": str,
                "documentation": dict[str, Any],
                "enabled": bool,
                "notificationChannels": list[str],
                "severity": Literal["SEVERITY_UNSPECIFIED", "CRITICAL", "ERROR", "WARNING"],
                "userLabels": dict[str, str],
            },
            answers=("creationRecord", "mutationRecord", "validity"),
            required=("combiner", "conditions", "displayName"),
            explicit=("enabled",),
            replaces=True,
            complete=self._complete_policy,
        )
        objectives = Kind(
            calls="services.serviceLevelObjectives",
            schema="monitoring.v3.ServiceLevelObjective",
            path="/v3/projects/{project}/services/{service}/serviceLevelObjectives",
            id_query="serviceLevelObjectiveId",
            id_pattern=_ID_PATTERN,
            is_numbered=True,
            fields={
                "calendarPeriod": str,
                "displayName": str,
                "goal": float,
                "rollingPeriod": str,
                "serviceLevelIndicator": dict[str, Any],
                "userLabels": dict[str, str],
            },
            required=("goal", "serviceLevelIndicator"),
            replaces=True,
            complete=self._complete_objective,
        )
        self.policies = ResourceCollection(policies, self._store, clock)
        self.dashboards = ResourceCollection(DASHBOARDS, self._store, clock)
        self.collections = (
            self.policies,
            self.dashboards,
            _Channels(CHANNELS, self._store, clock),
            *(ResourceCollection(kind, self._store, clock) for kind in (UPTIME_CHECKS, SERVICES, objectives)),
        )

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served, but for reads that show more than what somebody has stored."""
        lists = (f"{one.kind.calls}.list" for one in (self.policies, self.dashboards))
        hidden = {*lists, f"{self.policies.kind.calls}.get"}
        return tuple(call for one in self.collections for call in one.calls() if call.name not in hidden)

    def has_notifier(self, email: str) -> bool:
        """Whether a project has a channel, to which Monitoring publishes as that account."""
        return any(
            email == agent_email(one["name"].split("/")[1], "monitoring-notification")
            for one in self._store.under("projects/")
            if "/notificationChannels/" in one["name"]
        )

    def _complete_policy(self, change: Change) -> Resource:
        """A policy has one to six conditions, each of one kind, on metrics that are known."""
        conditions = change.after["conditions"]
        if len(conditions) > MAX_CONDITIONS:
            raise invalid_argument(f"An alert policy has at most {MAX_CONDITIONS} conditions.")
        for one in conditions:
            if sum(kind in one for kind in _CONDITIONS) != 1:
                raise invalid_argument("conditions: each has exactly one kind of condition")
            for metric in _log_metrics(one):
                if not self._has_log_metric(change.ids["project"], metric):
                    kind = f"logging.googleapis.com/user/{metric}"
                    said = f'Cannot find metric that matches type = "{kind}".'
                    raise StatusError(grpc.StatusCode.NOT_FOUND, said)
        names = (f"{change.name}/conditions/{number}" for number in count(1))
        free = filterfalse({one.get("name") for one in conditions}.__contains__, names)
        now = {"mutateTime": written_time(change.at)}
        return {
            "conditions": [one if one.get("name") else {**one, "name": next(free)} for one in conditions],
            "enabled": change.after.get("enabled", True),
            "creationRecord": (change.before or {}).get("creationRecord", now),
            "mutationRecord": now,
        }

    def _complete_objective(self, change: Change) -> Resource:
        """A service of that name is there, and the goal can be missed."""
        self._store.find(change.name.rpartition("/serviceLevelObjectives/")[0])
        if not 0 < change.after["goal"] < 1:
            raise invalid_argument("goal: between 0 and 1")
        if ("calendarPeriod" in change.after) == ("rollingPeriod" in change.after):
            raise invalid_argument("exactly one of calendarPeriod and rollingPeriod is needed")
        return {}


class _Channels(ResourceCollection):
    """Notification channels; one that a policy names is deleted only by force."""

    def get(self, request: RestRequest) -> Resource:
        """As the base says; secrets are obscured."""
        return _obscure(super().get(request))

    def stored(self, request: RestRequest) -> list[Resource]:
        """As the base says; secrets are obscured."""
        return [_obscure(one) for one in super().stored(request)]

    def _put(self, request: RestRequest, name: str, before: Resource | None, fields: Resource) -> Resource:
        return _obscure(super()._put(request, name, before, fields))

    def delete(self, request: RestRequest) -> Resource:
        """As the base says. Raises: StatusError FAILED_PRECONDITION."""
        name = self.name_of(request)
        with self._store.lock:
            return self._delete(request, name)

    def _delete(self, request: RestRequest, name: str) -> Resource:
        policies = self._store.below(f"projects/{request.ids['project']}/alertPolicies")
        users = [one for one in policies if name in one.get("notificationChannels", [])]
        if users and request.query.get("force") != "true":
            said = f"{name} is used by {users[0]['name']}: force deletes it all the same"
            raise StatusError(grpc.StatusCode.FAILED_PRECONDITION, said)
        answer = super().delete(request)
        for one in users:
            left = [channel for channel in one["notificationChannels"] if channel != name]
            self._store.put({**one, "notificationChannels": left})
        return answer


def _obscure(channel: Resource) -> Resource:
    labels = channel.get("labels", {})
    hidden = dict.fromkeys(_SECRET_LABELS & {*labels}, _OBSCURED)
    return {**channel, "labels": {**labels, **hidden}} if hidden else channel


def _log_metrics(condition: Resource) -> Iterator[str]:
    """The log-based metrics that the filters of a condition name."""
    for kind in _CONDITIONS:
        for filtered in ("filter", "denominatorFilter"):
            yield from _LOG_METRIC_PATTERN.findall(condition.get(kind, {}).get(filtered, ""))
