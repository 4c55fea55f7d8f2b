"""Cloud Scheduler, `v1`: jobs as they are declared; nothing runs them."""

from datetime import datetime

import grpc

from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.core.resource_store import ResourceStore, written_time
from local.core.rest import Resource, RestMethod, RestRequest, build_list_response

HOST = "cloudscheduler.googleapis.com"
MAX_PAGE_SIZE = 500
_TARGETS = ("pubsubTarget", "appEngineHttpTarget", "httpTarget")


class SchedulerService:
    """The jobs of every project and region."""

    def __init__(self, clock: CloudClock, journal: Journal) -> None:
        self._clock = clock
        self._shelf = ResourceStore(journal, "scheduler")

    def provision(self, project: str, region: str, job: str, uri: str, since: datetime) -> None:
        """Give a region a job that calls an address each day, unless it has it."""
        name = f"projects/{project}/locations/{region}/jobs/{job}"
        target = {"uri": uri, "httpMethod": "POST"}
        with self._shelf.lock:
            if name not in self._shelf:
                self._shelf.put(_enable_job(name, {"schedule": "0 3 * * *", "httpTarget": target}, since))

    def record_run(self, name: str, at: datetime, code: int) -> None:
        """A job has been tried, and ended with a code of google/rpc/code.proto."""
        with self._shelf.lock:
            outcome = {"lastAttemptTime": written_time(at), "status": {"code": code}}
            self._shelf.put({**self._shelf.find(name), **outcome})

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        locations = "/v1/projects/{project}/locations"
        jobs = f"{locations}/{{region}}/jobs"
        job = f"{jobs}/{{job}}"
        return (
            RestMethod("projects.locations.list", "GET", locations, self._regions),
            RestMethod("projects.locations.jobs.list", "GET", jobs, self._list),
            RestMethod("projects.locations.jobs.get", "GET", job, self._get),
            RestMethod("projects.locations.jobs.create", "POST", jobs, self._create),
            RestMethod("projects.locations.jobs.delete", "DELETE", job, self._delete),
            RestMethod("projects.locations.jobs.pause", "POST", f"{job}:pause", self._pause),
            RestMethod("projects.locations.jobs.resume", "POST", f"{job}:resume", self._resume),
        )

    def _regions(self, request: RestRequest) -> Resource:
        """Those in which the project has jobs."""
        here = f"projects/{request.ids['project']}/locations/"
        regions = {one["name"].removeprefix(here).partition("/")[0] for one in self._shelf.under(here)}
        found = [{"name": f"{here}{one}", "locationId": one} for one in sorted(regions)]
        return build_list_response(request, "locations", found, MAX_PAGE_SIZE)

    def _list(self, request: RestRequest) -> Resource:
        return build_list_response(request, "jobs", self._shelf.below(_jobs_prefix(request)), MAX_PAGE_SIZE)

    def _get(self, request: RestRequest) -> Resource:
        return self._shelf.find(f"{_jobs_prefix(request)}/{request.ids['job']}")

    def _create(self, request: RestRequest) -> Resource:
        name, targets = (request.body.get("name", ""), [one for one in _TARGETS if one in request.body])
        if not str(name).startswith(f"{_jobs_prefix(request)}/") or len(targets) != 1:
            raise StatusError(grpc.StatusCode.INVALID_ARGUMENT, "a job needs a name here and one target")
        with self._shelf.lock:
            if name in self._shelf:
                raise StatusError(grpc.StatusCode.ALREADY_EXISTS, f"{name} exists")
            self._shelf.put(_enable_job(name, request.body, self._clock.now()))
            return self._shelf.find(name)

    def _delete(self, request: RestRequest) -> Resource:
        with self._shelf.lock:
            self._shelf.write({self._get(request)["name"]: None})
            return {}

    def _pause(self, request: RestRequest) -> Resource:
        return self._become(request, "PAUSED")

    def _resume(self, request: RestRequest) -> Resource:
        return self._become(request, "ENABLED")

    def _become(self, request: RestRequest, state: str) -> Resource:
        with self._shelf.lock:
            self._shelf.put({**self._get(request), "state": state})
            return self._get(request)


def _jobs_prefix(request: RestRequest) -> str:
    return f"projects/{request.ids['project']}/locations/{request.ids['region']}/jobs"


def _enable_job(name: str, job: Resource, at: datetime) -> Resource:
    """A job that is on; its last run is whenever it was made, as nothing runs it."""
    return {
        "timeZone": "Etc/UTC",
        **job,
        "name": name,
        "state": "ENABLED",
        "userUpdateTime": written_time(at),
        "lastAttemptTime": written_time(at),
    }
