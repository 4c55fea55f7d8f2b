"""Cloud Scheduler, `v1`: jobs as they are declared; nothing runs them."""

from __future__ import annotations

from datetime import datetime

import grpc

from local.core.clock import CloudClock
from local.core.grpc_services import Refused
from local.core.journal import Journal
from local.core.resource_store import Shelf, written_time
from local.core.rest import Call, Request, Resource, listed

HOST = "cloudscheduler.googleapis.com"
LARGEST_PAGE = 500
_TARGETS = ("pubsubTarget", "appEngineHttpTarget", "httpTarget")


class Scheduler:
    """The jobs of every project and region."""

    def __init__(self, clock: CloudClock, journal: Journal) -> None:
        self._clock = clock
        self._shelf = Shelf(journal, "scheduler")

    def found(self, project: str, region: str, job: str, uri: str, since: datetime) -> None:
        """Give a region a job that calls an address each day, unless it has it."""
        name = f"projects/{project}/locations/{region}/jobs/{job}"
        target = {"uri": uri, "httpMethod": "POST"}
        with self._shelf.lock:
            if name not in self._shelf:
                self._shelf.put(
                    _enabled(name, {"schedule": "0 3 * * *", "httpTarget": target}, since)
                )

    def ran(self, name: str, at: datetime, code: int) -> None:
        """A job has been tried, and ended with a code of google/rpc/code.proto."""
        with self._shelf.lock:
            outcome = {"lastAttemptTime": written_time(at), "status": {"code": code}}
            self._shelf.put({**self._shelf.find(name), **outcome})

    def calls(self) -> tuple[Call, ...]:
        """What is served."""
        locations = "/v1/projects/{project}/locations"
        jobs = f"{locations}/{{region}}/jobs"
        job = f"{jobs}/{{job}}"
        return (
            Call("projects.locations.list", "GET", locations, self._regions),
            Call("projects.locations.jobs.list", "GET", jobs, self._list),
            Call("projects.locations.jobs.get", "GET", job, self._get),
            Call("projects.locations.jobs.create", "POST", jobs, self._create),
            Call("projects.locations.jobs.delete", "DELETE", job, self._delete),
            Call("projects.locations.jobs.pause", "POST", f"{job}:pause", self._pause),
            Call("projects.locations.jobs.resume", "POST", f"{job}:resume", self._resume),
        )

    def _regions(self, request: Request) -> Resource:
        """Those in which the project has jobs."""
        here = f"projects/{request.ids['project']}/locations/"
        regions = {
            one["name"].removeprefix(here).partition("/")[0] for one in self._shelf.under(here)
        }
        found = [{"name": f"{here}{one}", "locationId": one} for one in sorted(regions)]
        return listed(request, "locations", found, LARGEST_PAGE)

    def _list(self, request: Request) -> Resource:
        return listed(request, "jobs", self._shelf.below(_jobs(request)), LARGEST_PAGE)

    def _get(self, request: Request) -> Resource:
        return self._shelf.find(f"{_jobs(request)}/{request.ids['job']}")

    def _create(self, request: Request) -> Resource:
        name, targets = (
            request.body.get("name", ""),
            [one for one in _TARGETS if one in request.body],
        )
        if not str(name).startswith(f"{_jobs(request)}/") or len(targets) != 1:
            raise Refused(
                grpc.StatusCode.INVALID_ARGUMENT, "a job needs a name here and one target"
            )
        with self._shelf.lock:
            if name in self._shelf:
                raise Refused(grpc.StatusCode.ALREADY_EXISTS, f"{name} exists")
            self._shelf.put(_enabled(name, request.body, self._clock.now()))
            return self._shelf.find(name)

    def _delete(self, request: Request) -> Resource:
        with self._shelf.lock:
            self._shelf.write({self._get(request)["name"]: None})
            return {}

    def _pause(self, request: Request) -> Resource:
        return self._become(request, "PAUSED")

    def _resume(self, request: Request) -> Resource:
        return self._become(request, "ENABLED")

    def _become(self, request: Request, state: str) -> Resource:
        with self._shelf.lock:
            self._shelf.put({**self._get(request), "state": state})
            return self._get(request)


def _jobs(request: Request) -> str:
    return f"projects/{request.ids['project']}/locations/{request.ids['region']}/jobs"


def _enabled(name: str, job: Resource, at: datetime) -> Resource:
    """A job that is on; its last run is whenever it was made, as nothing runs it."""
    return {
        "timeZone": "Etc/UTC",
        **job,
        "name": name,
        "state": "ENABLED",
        "userUpdateTime": written_time(at),
        "lastAttemptTime": written_time(at),
    }
