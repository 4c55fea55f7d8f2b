"""The alerts of Cloud Monitoring, `v3/projects.alerts`: what its incidents are in now.

Shapes: https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alerts (read 2026-11, public
preview).
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import grpc

from local.core.grpc_services import StatusError
from local.core.rest import Resource, RestMethod, RestRequest
from local.services.monitoring.notification import AlertIncident

HOST = "monitoring.googleapis.com"


class Alerts:
    """One alert for each incident of a project, of the same id; `incidents` tells those."""

    def __init__(self, incidents: Callable[[str], Iterable[AlertIncident]]) -> None:
        self._incidents = incidents

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        return (RestMethod("projects.alerts.get", "GET", "/v3/projects/{project}/alerts/{alert}", self._get),)

    def _get(self, request: RestRequest) -> Resource:
        project, wanted = request.ids["project"], request.ids["alert"]
        for incident in self._incidents(project):
            if incident.id == wanted:
                return _build_alert(project, incident)
        raise StatusError(grpc.StatusCode.NOT_FOUND, f"Alert {wanted} was not found")


def _build_alert(project: str, incident: AlertIncident) -> Resource:
    alert: Resource = {
        "name": f"projects/{project}/alerts/{incident.id}",
        "state": incident.state.upper(),
        "openTime": _format_time(incident.started_at),
    }
    return alert | ({"closeTime": _format_time(incident.ended_at)} if incident.ended_at else {})


def _format_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
