"""Alerts as Cloud Monitoring shows them now: the read-back of what it has notified of."""

from typing import Literal
from urllib.parse import quote

from msgspec import Struct

from shared.adapters.gcp.rest import Rest

HOST = "monitoring.googleapis.com"
PERMISSIONS = ("monitoring.alerts.get",)


class _Alert(Struct, frozen=True):
    state: Literal["OPEN", "CLOSED"]


class MonitoringAlerts:
    """An AlertStates over `v3/projects/P/alerts` of one project.

    https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alerts (read 2026-11, public
    preview). That a notification's `incident_id` is the alert's id is not documented.
    """

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._path = f"/v3/projects/{project}/alerts"

    def is_open(self, alert: str) -> bool:
        """Whether it is open. Raises: Gone, Rejected, Unavailable (other states too), Throttled."""
        return self._rest.get(f"{self._path}/{quote(alert, safe='')}", _Alert).state == "OPEN"
