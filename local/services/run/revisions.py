"""`google.cloud.run.v2.Revisions`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
from google.cloud import run_v2
from google.protobuf.message import Message

from local.application.applications import (
    ApplicationRegistry,
    Location,
    invalid_argument,
    not_found,
    parse_resource_name,
)
from local.core.pages import page
from local.services.plain_functions import PlainFunctions
from local.services.run import messages

MAX_PAGE_SIZE = 100


class Revisions:
    """Reads of revisions; here none is ever deleted. Of a plain function the newest is known."""

    def __init__(self, estate: ApplicationRegistry, plain: PlainFunctions) -> None:
        self._estate = estate
        self._plain = plain

    def GetRevision(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A revision by its full name."""
        location, (name, revision_name) = parse_resource_name(request.name, "services", "revisions")
        for found, build in self._revisions(location, name):
            if found == revision_name:
                return build()
        raise not_found(request.name)

    def ListRevisions(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The revisions of a service, or with `services/-` of all in the region, newest first."""
        location, (name,) = parse_resource_name(request.parent, "services")
        if location.region == "-":
            raise invalid_argument("parent must name a region")
        shown, token = page(
            self._revisions(location, name),
            lambda one: one[0],
            request.page_size,
            request.page_token,
            MAX_PAGE_SIZE,
        )
        response: Message = run_v2.ListRevisionsResponse.pb()(
            revisions=[build() for _, build in shown], next_page_token=token
        )
        return response

    def _revisions(self, location: Location, service: str) -> list[tuple[str, Callable[[], Message]]]:
        """The short names of a service's revisions, each with what builds its message.

        Raises: StatusError NOT_FOUND.
        """
        owned = [
            (application, one)
            for application in self._estate.applications_in(location)
            for one in application.run_services()
            if service in ("-", one.name)
        ]
        plain = self._plain.revisions(location, service) if service == "-" or not owned else []
        return [
            *(
                (revision.name, partial(messages.revision_message, application, one, revision))
                for application, one in owned
                for revision in reversed(one.revisions)
            ),
            *((one.name.rpartition("/")[2], partial(_identity, one)) for one in plain),
        ]


def _identity(message: Message) -> Message:
    return message
