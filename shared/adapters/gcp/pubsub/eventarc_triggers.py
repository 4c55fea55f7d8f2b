"""Triggers of Eventarc.

Shapes: https://cloud.google.com/eventarc/docs/reference/rest/v1/projects.locations.triggers, and
its `list`, which names the permission; `locations/-` is all of them
(https://cloud.google.com/eventarc/docs/managing-triggers; all read 2026-11-27).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.adapters.gcp.rest import Answer, Rest
from shared.core.text import last_segment
from shared.domain.data.events.document_triggers import EventarcTrigger, parse_filters

HOST = "eventarc.googleapis.com"
PERMISSIONS = ("eventarc.triggers.list",)

_PAGE = 1000
"""The service may send fewer."""
_HOST = re.compile(r"\w+://(?:[^/?#]*@)?([^/?#]+)")
"""Of an address: what stands around it may hold a secret."""


class _Service(Answer):
    service: str


class _Gke(Answer):
    namespace: str
    service: str


class _Endpoint(Answer):
    uri: str


class _Destination(Answer):
    """One of them is set. Whoever makes a trigger cannot name a function: Functions alone does."""

    workflow: str = ""
    cloud_run: _Service | None = None
    cloud_function: str = ""
    gke: _Gke | None = None
    http_endpoint: _Endpoint | None = None


class _Trigger(Answer):
    name: str
    event_filters: list[dict[str, str]] = []
    destination: _Destination = _Destination()


@dataclass
class EventarcTriggers:
    """A Triggers over `v1` of one project.

    What Eventarc Advanced routes is not among them: its buses are sent none of Firestore's events
    (https://cloud.google.com/eventarc/docs/event-types, read 2026-11-27).
    """

    _rest: Rest
    _project: str

    def list_triggers(self) -> list[EventarcTrigger]:
        path = f"/v1/projects/{self._project}/locations/-/triggers"
        return [
            EventarcTrigger(
                name=one.name,
                starts=next(_event_destinations(one.destination), "something unknown"),
                filters=parse_filters(one.event_filters),
            )
            for one in self._rest.items(path, "triggers", _Trigger, _PAGE)
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
