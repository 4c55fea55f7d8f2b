"""How the jobs of Cloud Scheduler in the operations project went last.

Shapes: https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs
(read 2026-11).
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

from shared.adapters.gcp.rest import Rest
from shared.ports.operations_project import JobRun

HOST: Final = "cloudscheduler.googleapis.com"
PERMISSIONS: Final = ("cloudscheduler.jobs.list", "cloudscheduler.locations.list")

_ENABLED: Final = "ENABLED"
_PAGE: Final = 500


class _Location(Struct, frozen=True, rename="camel"):
    location_id: str


class _Status(Struct, frozen=True):
    code: int = 0


class _Job(Struct, frozen=True, rename="camel"):
    name: str
    state: str = ""
    status: _Status = _Status()
    last_attempt_time: datetime | None = None


class CloudSchedulerRuns:
    """SchedulerRuns over `v1` of one project."""

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._path = f"/v1/projects/{project}/locations"

    def regions(self) -> list[str]:
        return [one.location_id for one in self._rest.items(self._path, "locations", _Location, _PAGE)]

    def runs(self, region: str) -> dict[str, JobRun]:
        return {
            job.name.rpartition("/")[2]: JobRun(
                enabled=job.state == _ENABLED, at=job.last_attempt_time, code=job.status.code
            )
            for job in self._rest.items(f"{self._path}/{region}/jobs", "jobs", _Job, _PAGE)
        }
