"""The alerts of Cloud Monitoring, `v3/projects.alerts`: what its incidents are in now.

Shapes: https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alerts (read 2026-11, public
preview).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import grpc

from local.core.grpc_services import Refused
from local.core.rest import Call, Request, Resource
from local.services.monitoring.notification import Incident

HOST = "monitoring.googleapis.com"


class Alerts:
    """One alert for each incident of a project, of the same id; `incidents` tells those."""

    def __init__(self, incidents: Callable[[str], Iterable[Incident]]) -> None:
        self._incidents = incidents

    def calls(self) -> tuple[Call, ...]:
        """What is served."""
        return (
            Call("projects.alerts.get", "GET", "/v3/projects/{project}/alerts/{alert}", self._get),
        )

    def _get(self, request: Request) -> Resource:
        project, wanted = request.ids["project"], request.ids["alert"]
        for incident in self._incidents(project):
            if incident.id == wanted:
                return _shown(project, incident)
        raise Refused(grpc.StatusCode.NOT_FOUND, f"Alert {wanted} was not found")


def _shown(project: str, incident: Incident) -> Resource:
    alert: Resource = {
        "name": f"projects/{project}/alerts/{incident.id}",
        "state": incident.state.upper(),
        "openTime": _written(incident.started_at),
    }
    return alert | ({"closeTime": _written(incident.ended_at)} if incident.ended_at else {})


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
