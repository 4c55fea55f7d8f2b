"""Cloud Scheduler, `v1`: jobs as they are declared; nothing runs them."""

from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.core.resource_store import ResourceStore, written_time
from local.core.resources import Change, Kind, ResourceCollection
from local.core.rest import (
    PAGE_PARAMETERS,
    Resource,
    RestMethod,
    RestRequest,
    build_list_response,
    invalid_argument,
)
from local.services.scheduler.schedules import is_schedule

HOST = "cloudscheduler.googleapis.com"
MAX_PAGE_SIZE = 500
_TARGETS = ("pubsubTarget", "appEngineHttpTarget", "httpTarget")


def _complete(change: Change) -> Resource:
    """A new job is on; its last run is whenever it was made, as nothing runs it."""
    if sum(one in change.after for one in _TARGETS) != 1:
        raise invalid_argument("a job needs exactly one target")
    if not is_schedule(change.after["schedule"]):
        raise invalid_argument(f"Schedule or time zone is invalid: '{change.after['schedule']}'")
    if change.after.get("timeZone", "Etc/UTC") not in available_timezones():
        raise invalid_argument(f"Schedule or time zone is invalid: '{change.after['timeZone']}'")
    changed = {"userUpdateTime": written_time(change.at), "timeZone": change.after.get("timeZone", "Etc/UTC")}
    made = {"state": "ENABLED", "lastAttemptTime": written_time(change.at)}
    return changed if change.before else {**made, **changed}


KIND = Kind(
    calls="projects.locations.jobs",
    schema="cloudscheduler.v1.Job",
    path="/v1/projects/{project}/locations/{location}/jobs",
    id_field="name",
    id_pattern=r"[A-Za-z0-9_-]{1,500}",
    fields={
        "attemptDeadline": str,
        "description": str,
        "retryConfig": dict[str, Any],
        "schedule": str,
        "timeZone": str,
        **dict.fromkeys(_TARGETS, dict[str, Any]),
    },
    answers=("lastAttemptTime", "satisfiesPzs", "scheduleTime", "state", "status", "userUpdateTime"),
    required=("schedule",),
    complete=_complete,
)


class SchedulerService(ResourceCollection):
    """The jobs of every project and region."""

    def __init__(self, clock: CloudClock, journal: Journal) -> None:
        super().__init__(KIND, ResourceStore(journal, "scheduler"), clock)

    def provision(self, project: str, region: str, job: str, uri: str, since: datetime) -> None:
        """Give a region a job that calls an address each day, unless it has it."""
        name = f"projects/{project}/locations/{region}/jobs/{job}"
        job_fields = {"schedule": "0 3 * * *", "httpTarget": {"uri": uri, "httpMethod": "POST"}}
        with self._store.lock:
            if name not in self._store:
                made = Change(name, {}, {}, since, None, job_fields)
                self._store.put({"name": name, **job_fields, **_complete(made)})

    def record_run(self, name: str, at: datetime, code: int) -> None:
        """A job has been tried, and ended with a code of google/rpc/code.proto."""
        with self._store.lock:
            outcome = {"lastAttemptTime": written_time(at), "status": {"code": code}}
            self._store.put({**self._store.find(name), **outcome})

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        locations, one = "/v1/projects/{project}/locations", f"{KIND.path}/{{id}}"
        return (
            RestMethod("projects.locations.list", "GET", locations, self._regions, {}, PAGE_PARAMETERS),
            *super().calls(),
            RestMethod(f"{KIND.calls}.pause", "POST", f"{one}:pause", self._pause),
            RestMethod(f"{KIND.calls}.resume", "POST", f"{one}:resume", self._resume),
        )

    def _regions(self, request: RestRequest) -> Resource:
        """Those in which the project has jobs."""
        here = f"projects/{request.ids['project']}/locations/"
        regions = {one["name"].removeprefix(here).partition("/")[0] for one in self._store.under(here)}
        found = [{"name": f"{here}{one}", "locationId": one} for one in sorted(regions)]
        return build_list_response(request, "locations", found, MAX_PAGE_SIZE)

    def _pause(self, request: RestRequest) -> Resource:
        return self._become(request, "PAUSED")

    def _resume(self, request: RestRequest) -> Resource:
        return self._become(request, "ENABLED")

    def _become(self, request: RestRequest, state: str) -> Resource:
        with self._store.lock:
            self._store.put({**self.find(request), "state": state})
            return self.find(request)
