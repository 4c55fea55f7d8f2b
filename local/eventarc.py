"""Eventarc, `v1`: triggers as they are made, and those of functions; no event comes by them.

Shapes: https://cloud.google.com/eventarc/docs/reference/rest/v1/projects.locations.triggers
(read 2026-11-27).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import grpc

from local.application import Application
from local.application.estate import location_of
from local.application.service import Service
from local.clock import CloudClock
from local.journal import Journal
from local.monitoring.backlogs import topic_of, trigger_of
from local.rest import Call, Request, Resource, listed
from local.shelf import Shelf, written_time
from local.wire import Refused

HOST = "eventarc.googleapis.com"
LARGEST_PAGE = 50
"""How many there are is not documented: only that there may be fewer than were asked for."""
EVERYWHERE = "-"

_DESTINATIONS: Final = frozenset({"cloudRun", "gke", "httpEndpoint", "workflow"})
"""Without `cloudFunction`, which Functions alone may set."""


class Eventarc:
    """The triggers of every project and location."""

    def __init__(self, clock: CloudClock, journal: Journal) -> None:
        self._clock = clock
        self._shelf = Shelf(journal, "eventarc")
        self._applications: list[Application] = []
        self.unreachable: list[str] = []
        """Locations that give no answer when all are asked."""

    def found(self, application: Application) -> None:
        """Show the triggers of an application's functions."""
        self._applications.append(application)

    def calls(self) -> tuple[Call, ...]:
        """What is served."""
        triggers = "/v1/projects/{project}/locations/{location}/triggers"
        trigger = f"{triggers}/{{trigger}}"
        return (
            Call("projects.locations.triggers.list", "GET", triggers, self._list),
            Call("projects.locations.triggers.create", "POST", triggers, self._create),
            Call("projects.locations.triggers.delete", "DELETE", trigger, self._delete),
        )

    def _list(self, request: Request) -> Resource:
        """Those of a location, or of all that give an answer, by name."""
        here = f"projects/{request.ids['project']}/locations/"
        every = request.ids["location"] == EVERYWHERE
        silent = [f"{here}{one}" for one in self.unreachable] if every else []
        wanted = here if every else f"{here}{request.ids['location']}/"
        both = [*self._shelf.under(wanted), *self._of_functions(wanted)]
        shown = [one for one in both if one["name"].partition("/triggers/")[0] not in silent]
        shown.sort(key=lambda one: str(one["name"]))
        answer = listed(request, "triggers", shown, LARGEST_PAGE)
        return {**answer, "unreachable": silent} if silent else answer

    def _of_functions(self, wanted: str) -> Iterator[Resource]:
        for application in self._applications:
            for service in application.run_services():
                fed = service.waiting is not None and not service.queue
                if fed and trigger_of(application, service).startswith(wanted):
                    yield _of_function(application, service)

    def _create(self, request: Request) -> Resource:
        trigger, kinds = request.body, {*request.body.get("destination", {})} & _DESTINATIONS
        filtered = {one.get("attribute") for one in trigger.get("eventFilters", [])}
        parent = f"projects/{request.ids['project']}/locations/{request.ids['location']}"
        short = request.query.get("triggerId", "")
        if not short or len(kinds) != 1 or "type" not in filtered:
            said = "a trigger needs an id, one destination and a filter by type"
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, said)
        name = f"{parent}/triggers/{short}"
        with self._shelf.lock:
            if name in self._shelf:
                raise Refused(grpc.StatusCode.ALREADY_EXISTS, f"{name} exists")
            made = {"createTime": written_time(self._clock.now())}
            self._shelf.put({**trigger, **made, "name": name})
        return _done(parent)

    def _delete(self, request: Request) -> Resource:
        parent = f"projects/{request.ids['project']}/locations/{request.ids['location']}"
        with self._shelf.lock:
            found = self._shelf.find(f"{parent}/triggers/{request.ids['trigger']}")
            self._shelf.write({found["name"]: None})
        return _done(parent)


def _of_function(application: Application, service: Service) -> Resource:
    """What Functions has made for one of the 2nd generation."""
    published = "google.cloud.pubsub.topic.v1.messagePublished"
    return {
        "name": trigger_of(application, service),
        "createTime": written_time(service.created_at),
        "eventFilters": [{"attribute": "type", "value": published}],
        "destination": {
            "cloudFunction": f"{location_of(application)}/functions/{service.function}"
        },
        "transport": {"pubsub": {"topic": topic_of(application, service)}},
    }


def _done(parent: str) -> Resource:
    """An operation that is over."""
    return {"name": f"{parent}/operations/trigger", "done": True}
