"""The API: triggers as they are made, and those of functions.

Shapes: https://cloud.google.com/eventarc/docs/reference/rest/v1/projects.locations.triggers
(read 2026-11-27).
"""

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Final

import grpc
from msgspec import UNSET, Struct, UnsetType

from local.application import Application
from local.application.applications import location_of
from local.application.service import ApplicationService
from local.core.clock import CloudClock
from local.core.finished_operations import FinishedOperations
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.core.resource_store import ResourceStore, written_time
from local.core.rest import (
    PAGE_PARAMETERS,
    Resource,
    RestMethod,
    RestRequest,
    build_list_response,
    invalid_argument,
)
from local.services.eventarc.filters import OPERATORS, function_event_filters, has_event_source
from local.services.eventarc.names import messages_of, subscription_of, topic_of, trigger_of
from local.services.eventarc.publisher import DocumentEventPublisher, is_document_trigger
from local.services.eventarc.transports import TriggerTransports
from local.services.pubsub.service import PubSub

HOST = "eventarc.googleapis.com"
MAX_PAGE_SIZE = 50
"""How many there are is not documented: only that there may be fewer than were asked for."""
ALL_LOCATIONS = "-"

_TRIGGER_KIND = "google.cloud.eventarc.v1.Trigger"
_DESTINATIONS: Final = frozenset({"cloudRun", "gke", "httpEndpoint", "workflow"})
"""Without `cloudFunction`, which Functions alone may set."""
_ID_PATTERN = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


class _Filter(Struct, forbid_unknown_fields=True):
    attribute: str
    value: str
    operator: str | UnsetType = UNSET


_TRIGGER_ANSWERS = ("createTime", "etag", "name", "uid", "updateTime")
_TRIGGER_FIELDS: Final = {
    "destination": Resource,
    "eventDataContentType": str,
    "eventFilters": list[_Filter],
    "labels": dict[str, str],
    "serviceAccount": str,
}


class Eventarc:
    """The triggers of every project and location; by those of documents events come."""

    def __init__(
        self, clock: CloudClock, journal: Journal, pubsub: PubSub, require_account: Callable[[str], None]
    ) -> None:
        """`require_account` refuses a service account that is not there."""
        self._clock = clock
        self._shelf = ResourceStore(journal, "eventarc")
        self._require_account = require_account
        self._operations = FinishedOperations(journal, "eventarc-operations")
        self._transports = TriggerTransports(pubsub)
        self._applications: list[Application] = []
        self.herald = DocumentEventPublisher(journal, pubsub)
        self.unreachable: list[str] = []
        """Locations that give no answer when all are asked."""
        self._listen()

    def provision(self, application: Application) -> None:
        """Show the triggers of an application's functions, and let them hear of documents."""
        self._applications.append(application)
        application.heard = self._heard
        self._listen()

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        triggers = "/v1/projects/{project}/locations/{location}/triggers"
        trigger = f"{triggers}/{{trigger}}"
        return (
            RestMethod("projects.locations.triggers.list", "GET", triggers, self._list, {}, PAGE_PARAMETERS),
            RestMethod("projects.locations.triggers.get", "GET", trigger, self._get),
            RestMethod(
                *("projects.locations.triggers.create", "POST", triggers, self._create),
                {**_TRIGGER_FIELDS, **dict.fromkeys(_TRIGGER_ANSWERS, str), "satisfiesPzs": bool},
                ("triggerId", "validateOnly"),
            ),
            RestMethod(
                *("projects.locations.triggers.delete", "DELETE", trigger, self._delete),
                parameters=("allowMissing", "etag", "validateOnly"),
            ),
            *self._operations.calls("projects.locations.operations.get"),
        )

    def _list(self, request: RestRequest) -> Resource:
        """Those of a location, or of all that give an answer, by name."""
        here = f"projects/{request.ids['project']}/locations/"
        every = request.ids["location"] == ALL_LOCATIONS
        silent = [f"{here}{one}" for one in self.unreachable] if every else []
        wanted = here if every else f"{here}{request.ids['location']}/"
        both = [*self._shelf.under(wanted), *self._of_functions(wanted)]
        shown = [one for one in both if one["name"].partition("/triggers/")[0] not in silent]
        shown.sort(key=lambda one: str(one["name"]))
        answer = build_list_response(request, "triggers", shown, MAX_PAGE_SIZE)
        return {**answer, "unreachable": silent} if silent else answer

    def _get(self, request: RestRequest) -> Resource:
        name = f"{_parent_of(request)}/triggers/{request.ids['trigger']}"
        of_function = (one for one in self._of_functions(name) if one["name"] == name)
        return next(of_function, None) or self._shelf.find(name)

    def _of_functions(self, wanted: str) -> Iterator[Resource]:
        for application in self._applications:
            for service in application.run_services():
                if has_event_source(service) and trigger_of(application, service).startswith(wanted):
                    yield _build_function_trigger(application, service)

    def _create(self, request: RestRequest) -> Resource:
        trigger = {key: it for key, it in request.body.items() if key in _TRIGGER_FIELDS}
        stated, filters = {*trigger.get("destination", {})}, trigger.get("eventFilters", [])
        filtered = {one.get("attribute") for one in filters}
        parent, short = _parent_of(request), request.query.get("triggerId", "")
        if not _ID_PATTERN.fullmatch(short):
            raise invalid_argument(f"triggerId '{short}' is not the id of a trigger")
        if (
            len(stated & _DESTINATIONS) != 1
            or stated - _DESTINATIONS - {"networkConfig"}
            or "type" not in filtered
        ):
            raise invalid_argument("a trigger needs one destination and a filter by type")
        if not {one.get("operator", "") for one in filters} <= OPERATORS:
            raise invalid_argument("a filter has an unknown operator")
        self._require_account(trigger.get("serviceAccount", ""))
        name = f"{parent}/triggers/{short}"
        with self._shelf.lock:
            if name in self._shelf:
                raise StatusError(grpc.StatusCode.ALREADY_EXISTS, f"{name} exists")
            now, mark = written_time(self._clock.now()), str(uuid.uuid4())
            made = {**trigger, "createTime": now, "updateTime": now, "uid": mark, "etag": mark, "name": name}
            if request.query.get("validateOnly") != "true":
                made = self._transports.make(made) if is_document_trigger(made) else made
                self._shelf.put(made)
                self._listen()
        return self._operations.finish(parent, _TRIGGER_KIND, made)

    def _delete(self, request: RestRequest) -> Resource:
        parent = _parent_of(request)
        with self._shelf.lock:
            name = f"{parent}/triggers/{request.ids['trigger']}"
            if name not in self._shelf and request.query.get("allowMissing") == "true":
                return self._operations.finish(parent, _TRIGGER_KIND, {})
            found = self._shelf.find(name)
            if request.query.get("etag", found.get("etag")) != found.get("etag"):
                raise StatusError(grpc.StatusCode.ABORTED, f"{name} has another etag")
            if request.query.get("validateOnly") != "true":
                self._shelf.write({found["name"]: None})
                self._listen()
                if is_document_trigger(found):
                    self._transports.remove(found["name"])
        return self._operations.finish(parent, _TRIGGER_KIND, found)

    def _heard(self, application: Application, service: ApplicationService) -> None:
        """A function has a trigger of documents now, or has none."""
        if service.hears is None:
            self._transports.remove(trigger_of(application, service))
        else:
            self._transports.make(_build_function_trigger(application, service))
        self._listen()

    def _listen(self) -> None:
        every = [*self._shelf.under(""), *self._of_functions("")]
        self.herald.listen([one for one in every if is_document_trigger(one)])


def _build_function_trigger(application: Application, service: ApplicationService) -> Resource:
    """What Functions has made for one of the 2nd generation."""
    name = trigger_of(application, service)
    return {
        "name": name,
        "createTime": written_time(service.created_at),
        "eventFilters": function_event_filters(service),
        "destination": {"cloudFunction": f"{location_of(application)}/functions/{service.function}"},
        "transport": {"pubsub": _build_function_transport(application, service, name)},
    }


def _build_function_transport(
    application: Application, service: ApplicationService, trigger: str
) -> Resource:
    """Where a function's events come from; the subscription is there for documents alone."""
    if service.hears is None:
        return {"topic": messages_of(application, service)}
    return {"topic": topic_of(trigger), "subscription": subscription_of(trigger)}


def _parent_of(request: RestRequest) -> str:
    return f"projects/{request.ids['project']}/locations/{request.ids['location']}"
