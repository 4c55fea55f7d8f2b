"""`google.cloud.run.v2.Revisions`."""

from typing import Any

import grpc
from google.cloud import run_v2
from google.protobuf.message import Message

from local.application import Application
from local.application.applications import (
    ApplicationRegistry,
    Location,
    invalid_argument,
    not_found,
    parse_resource_name,
)
from local.application.service import ApplicationService, ServiceRevision
from local.core.pages import page
from local.services.run import messages

MAX_PAGE_SIZE = 100

Owned = tuple[Application, ApplicationService, ServiceRevision]


class Revisions:
    """Reads of revisions; here none is ever deleted."""

    def __init__(self, estate: ApplicationRegistry) -> None:
        self._estate = estate

    def GetRevision(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A revision by its full name."""
        location, (name, revision_name) = parse_resource_name(request.name, "services", "revisions")
        application, service = self._estate.service(location, name)
        revision = service.revision(revision_name)
        if revision is None:
            raise not_found(request.name)
        return messages.revision_message(application, service, revision)

    def ListRevisions(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The revisions of a service, or with `services/-` of all in the region, newest first."""
        location, (name,) = parse_resource_name(request.parent, "services")
        found = [
            (application, service, revision)
            for application, service in self._chosen(location, name)
            for revision in reversed(service.revisions)
        ]
        shown, token = page(
            found, lambda owned: owned[2].name, request.page_size, request.page_token, MAX_PAGE_SIZE
        )
        response: Message = run_v2.ListRevisionsResponse.pb()(
            revisions=[messages.revision_message(*owned) for owned in shown], next_page_token=token
        )
        return response

    def _chosen(self, location: Location, name: str) -> list[tuple[Application, ApplicationService]]:
        if location.region == "-":
            raise invalid_argument("parent must name a region")
        if name != "-":
            return [self._estate.service(location, name)]
        return [
            (application, service)
            for application in self._estate.applications_in(location)
            for service in application.run_services()
        ]
