"""Triggers of Eventarc.

Shapes: https://cloud.google.com/eventarc/docs/reference/rest/v1/projects.locations.triggers, and
its `list`, which names the permission; `locations/-` is all of them
(https://cloud.google.com/eventarc/docs/managing-triggers; all read 2026-11-27).
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from shared.adapters.gcp.rest import Rest
from shared.core.text import last_segment
from shared.domain.data.events.document_triggers import EventarcTrigger, parse_filters

HOST = "eventarc.googleapis.com"
PERMISSIONS = ("eventarc.triggers.list",)

_PAGE = 1000
"""The service may send fewer."""
_HOST = re.compile(r"\w+://(?:[^/?#]*@)?([^/?#]+)")
"""Of an address: what stands around it may hold a secret."""


class _Service(Struct, frozen=True):
    service: str


class _Gke(Struct, frozen=True):
    namespace: str
    service: str


class _Endpoint(Struct, frozen=True):
    uri: str


class _Destination(Struct, frozen=True, rename="camel"):
    """One of them is set. Whoever makes a trigger cannot name a function: Functions alone does."""

    workflow: str = ""
    cloud_run: _Service | None = None
    cloud_function: str = ""
    gke: _Gke | None = None
    http_endpoint: _Endpoint | None = None


class _Trigger(Struct, frozen=True, rename="camel"):
    name: str
    event_filters: list[dict[str, str]] = []
    destination: _Destination = _Destination()


class EventarcTriggers:
    """A Triggers over `v1` of one project.

    What Eventarc Advanced routes is not among them: its buses are sent none of Firestore's events
    (https://cloud.google.com/eventarc/docs/event-types, read 2026-11-27).
    """

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._path = f"/v1/projects/{project}/locations/-/triggers"

    def list_triggers(self) -> list[EventarcTrigger]:
        return [
            EventarcTrigger(
                name=one.name,
                starts=next(_event_destinations(one.destination), "something unknown"),
                filters=parse_filters(one.event_filters),
            )
            for one in self._rest.items(self._path, "triggers", _Trigger, _PAGE)
        ]


def _event_destinations(by: _Destination) -> Iterator[str]:
    """What is sent the events, by kind and name; nothing of a kind that is not known."""
    if by.workflow:
        yield f"workflow {last_segment(by.workflow)}"
    if by.cloud_run is not None:
        yield f"service {last_segment(by.cloud_run.service)}"
    if by.cloud_function:
        yield f"function {last_segment(by.cloud_function)}"
    if by.gke is not None:
        yield f"GKE service {by.gke.namespace}/{by.gke.service}"
    if by.http_endpoint is not None:
        at = _HOST.match(by.http_endpoint.uri)
        yield f"endpoint {at[1]}" if at else "endpoint"
