"""Alerts as Cloud Monitoring shows them now: the read-back of what it has notified of."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from shared.adapters.gcp.rest import Answer, Rest

HOST = "monitoring.googleapis.com"
PERMISSIONS = ("monitoring.alerts.get",)


class _Alert(Answer):
    state: Literal["OPEN", "CLOSED"]


@dataclass
class MonitoringAlerts:
    """An AlertStates over `v3/projects/P/alerts` of one project.

    https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alerts (read 2026-11, public
    preview). That a notification's `incident_id` is the alert's id is not documented.
    """

    _rest: Rest
    _project: str

    def is_open(self, alert: str) -> bool:
        """Whether it is open. Raises: Gone, Rejected, Unavailable (other states too), Throttled."""
        path = f"/v3/projects/{self._project}/alerts/{quote(alert, safe='')}"
        return self._rest.get(path, _Alert).state == "OPEN"
