"""The API: triggers as they are made, and those of functions.

Shapes: https://cloud.google.com/eventarc/docs/reference/rest/v1/projects.locations.triggers
(read 2026-11-27).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import grpc

from local.application import Application
from local.application.applications import location_of
from local.application.service import Service
from local.core.clock import CloudClock
from local.core.grpc_services import Refused
from local.core.journal import Journal
from local.core.resource_store import Shelf, written_time
from local.core.rest import Call, Request, Resource, listed
from local.services.eventarc.filters import OPERATORS, is_fed, of_function
from local.services.eventarc.names import messages_of, subscription_of, topic_of, trigger_of
from local.services.eventarc.publisher import Herald, is_of_documents
from local.services.eventarc.transports import Transports
from local.services.pubsub.service import PubSub

HOST = "eventarc.googleapis.com"
LARGEST_PAGE = 50
"""How many there are is not documented: only that there may be fewer than were asked for."""
EVERYWHERE = "-"

_DESTINATIONS: Final = frozenset({"cloudRun", "gke", "httpEndpoint", "workflow"})
"""Without `cloudFunction`, which Functions alone may set."""


class Eventarc:
    """The triggers of every project and location; by those of documents events come."""

    def __init__(self, clock: CloudClock, journal: Journal, pubsub: PubSub) -> None:
        self._clock = clock
        self._shelf = Shelf(journal, "eventarc")
        self._transports = Transports(pubsub)
        self._applications: list[Application] = []
        self.herald = Herald(journal, pubsub)
        self.unreachable: list[str] = []
        """Locations that give no answer when all are asked."""
        self._listen()

    def found(self, application: Application) -> None:
        """Show the triggers of an application's functions, and let them hear of documents."""
        self._applications.append(application)
        application.heard = self._heard
        self._listen()

    def calls(self) -> tuple[Call, ...]:
        """What is served."""
        triggers = "/v1/projects/{project}/locations/{location}/triggers"
        trigger = f"{triggers}/{{trigger}}"
        return (
            Call("projects.locations.triggers.list", "GET", triggers, self._list),
            Call("projects.locations.triggers.get", "GET", trigger, self._get),
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

    def _get(self, request: Request) -> Resource:
        name = f"{_parent(request)}/triggers/{request.ids['trigger']}"
        of_function = (one for one in self._of_functions(name) if one["name"] == name)
        return next(of_function, None) or self._shelf.find(name)

    def _of_functions(self, wanted: str) -> Iterator[Resource]:
        for application in self._applications:
            for service in application.run_services():
                if is_fed(service) and trigger_of(application, service).startswith(wanted):
                    yield _of_function(application, service)

    def _create(self, request: Request) -> Resource:
        trigger, kinds = request.body, {*request.body.get("destination", {})} & _DESTINATIONS
        filters = trigger.get("eventFilters", [])
        filtered = {one.get("attribute") for one in filters}
        parent, short = _parent(request), request.query.get("triggerId", "")
        if not short or len(kinds) != 1 or "type" not in filtered:
            said = "a trigger needs an id, one destination and a filter by type"
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, said)
        if not {one.get("operator", "") for one in filters} <= OPERATORS:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "a filter has an unknown operator")
        name = f"{parent}/triggers/{short}"
        with self._shelf.lock:
            if name in self._shelf:
                raise Refused(grpc.StatusCode.ALREADY_EXISTS, f"{name} exists")
            made = {**trigger, "createTime": written_time(self._clock.now()), "name": name}
            self._shelf.put(self._transports.make(made) if is_of_documents(made) else made)
            self._listen()
        return _done(parent)

    def _delete(self, request: Request) -> Resource:
        parent = _parent(request)
        with self._shelf.lock:
            found = self._shelf.find(f"{parent}/triggers/{request.ids['trigger']}")
            self._shelf.write({found["name"]: None})
            self._listen()
            if is_of_documents(found):
                self._transports.remove(found["name"])
        return _done(parent)

    def _heard(self, application: Application, service: Service) -> None:
        """A function has a trigger of documents now, or has none."""
        if service.hears is None:
            self._transports.remove(trigger_of(application, service))
        else:
            self._transports.make(_of_function(application, service))
        self._listen()

    def _listen(self) -> None:
        every = [*self._shelf.under(""), *self._of_functions("")]
        self.herald.listen([one for one in every if is_of_documents(one)])


def _of_function(application: Application, service: Service) -> Resource:
    """What Functions has made for one of the 2nd generation."""
    name = trigger_of(application, service)
    return {
        "name": name,
        "createTime": written_time(service.created_at),
        "eventFilters": of_function(service),
        "destination": {
            "cloudFunction": f"{location_of(application)}/functions/{service.function}"
        },
        "transport": {"pubsub": _feed(application, service, name)},
    }


def _feed(application: Application, service: Service, trigger: str) -> Resource:
    """Where a function's events come from; the subscription is there for documents alone."""
    if service.hears is None:
        return {"topic": messages_of(application, service)}
    return {"topic": topic_of(trigger), "subscription": subscription_of(trigger)}


def _parent(request: Request) -> str:
    return f"projects/{request.ids['project']}/locations/{request.ids['location']}"


def _done(parent: str) -> Resource:
    """An operation that is over."""
    return {"name": f"{parent}/operations/trigger", "done": True}
