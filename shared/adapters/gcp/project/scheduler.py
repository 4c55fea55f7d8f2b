"""Jobs of Cloud Scheduler: what they are to do, and how they went last.

Shapes: https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs
(read 2026-11).
"""

from dataclasses import dataclass
from datetime import datetime

from shared.adapters.gcp.rest import Answer, Rest
from shared.core.codec import JsonObject
from shared.core.errors import Unavailable
from shared.core.text import last_segment
from shared.domain.deployments.inventory.inventory_parts import SchedulerJob, json_fingerprint
from shared.ports.operations_project import JobRun

HOST = "cloudscheduler.googleapis.com"
PERMISSIONS = ("cloudscheduler.jobs.list",)
RUNS_PERMISSIONS = (*PERMISSIONS, "cloudscheduler.locations.list")

_PAGE = 500
_VOLATILE_FIELDS = frozenset({"lastAttemptTime", "scheduleTime", "state", "status", "userUpdateTime"})
"""Fields of a job that tell how it went, not what it is to do."""
_TARGETS = {"httpTarget": "uri", "pubsubTarget": "topicName", "appEngineHttpTarget": "relativeUri"}
"""Where each kind of target says what it reaches."""

Job = JsonObject


@dataclass
class CloudScheduler:
    """A Schedules over `v1` of one project and region."""

    _rest: Rest
    _project: str
    _region: str

    def jobs(self) -> dict[str, SchedulerJob]:
        """Every job of the region, by short name; bodies and headers are in the hash alone."""
        path = f"/v1/projects/{self._project}/locations/{self._region}/jobs"
        found = self._rest.items(path, "jobs", Job, _PAGE)
        try:
            return {last_segment(job["name"]): _schedule(job) for job in found}
        except (KeyError, AttributeError) as error:
            raise Unavailable(f"{HOST}: a job that cannot be read: {error}") from error


def _schedule(job: Job) -> SchedulerJob:
    """Raises: KeyError, AttributeError for what is not a job."""
    target = next((job[kind][field] for kind, field in _TARGETS.items() if kind in job), "")
    return SchedulerJob(
        schedule=f"{job['schedule']} {job.get('timeZone', '')}".strip(),
        target=target.partition("?")[0],
        state=job["state"],
        hash=json_fingerprint({key: value for key, value in job.items() if key not in _VOLATILE_FIELDS}),
    )


class _Location(Answer):
    location_id: str


class _Status(Answer):
    code: int = 0


class _Job(Answer):
    name: str
    state: str = ""
    status: _Status = _Status()
    last_attempt_time: datetime | None = None


@dataclass
class CloudSchedulerRuns:
    """SchedulerRuns over `v1` of one project."""

    _rest: Rest
    _project: str

    def regions(self) -> list[str]:
        path = f"/v1/projects/{self._project}/locations"
        return [location.location_id for location in self._rest.items(path, "locations", _Location, _PAGE)]

    def runs(self, region: str) -> dict[str, JobRun]:
        path = f"/v1/projects/{self._project}/locations/{region}/jobs"
        return {
            last_segment(job.name): JobRun(
                enabled=job.state == "ENABLED", at=job.last_attempt_time, code=job.status.code
            )
            for job in self._rest.items(path, "jobs", _Job, _PAGE)
        }
