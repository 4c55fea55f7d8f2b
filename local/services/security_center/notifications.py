"""Security Command Center, `v2`: where findings are published; none is ever found.

Shapes: https://cloud.google.com/security-command-center/docs/reference/rest/v2 (read 2026-11).
"""

from local.application.names import project_number
from local.core.resources import Change, Kind
from local.core.rest import Resource

HOST = "securitycenter.googleapis.com"


def _complete(change: Change) -> Resource:
    number = project_number(change.ids["project"])
    agent = f"service-project-{number}@gcp-sa-scc-notification.iam.gserviceaccount.com"
    return {"serviceAccount": agent}


NOTIFICATION_CONFIGS = Kind(
    calls="projects.locations.notificationConfigs",
    schema="securitycenter.v1.NotificationConfig",
    path="/v2/projects/{project}/locations/{location}/notificationConfigs",
    id_query="configId",
    id_pattern=r"[A-Za-z][A-Za-z0-9_-]{0,127}",
    fields={"description": str, "pubsubTopic": str, "streamingConfig": dict[str, str]},
    answers=("serviceAccount", "updateTime"),
    required=("pubsubTopic",),
    complete=_complete,
)
