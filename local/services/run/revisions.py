"""`google.cloud.run.v2.Revisions`."""

from __future__ import annotations

from typing import Any

import grpc
from google.cloud import run_v2
from google.protobuf.message import Message

from local.application import Application
from local.application.applications import Estate, Location, invalid, not_found, parse
from local.application.service import Revision, Service
from local.core.pages import page
from local.services.run import messages

LARGEST_PAGE = 100

Owned = tuple[Application, Service, Revision]


class Revisions:
    """Reads of revisions; here none is ever deleted."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate

    def GetRevision(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A revision by its full name."""
        location, (name, revision_name) = parse(request.name, "services", "revisions")
        application, service = self._estate.service(location, name)
        revision = service.revision(revision_name)
        if revision is None:
            raise not_found(request.name)
        return messages.revision_message(application, service, revision)

    def ListRevisions(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The revisions of a service, or with `services/-` of all in the region, newest first."""
        location, (name,) = parse(request.parent, "services")
        found = [
            (application, service, revision)
            for application, service in self._chosen(location, name)
            for revision in reversed(service.revisions)
        ]
        shown, token = page(
            found, lambda owned: owned[2].name, request.page_size, request.page_token, LARGEST_PAGE
        )
        response: Message = run_v2.ListRevisionsResponse.pb()(
            revisions=[messages.revision_message(*owned) for owned in shown],
            next_page_token=token,
        )
        return response

    def _chosen(self, location: Location, name: str) -> list[tuple[Application, Service]]:
        if location.region == "-":
            raise invalid("parent must name a region")
        if name != "-":
            return [self._estate.service(location, name)]
        return [
            (application, service)
            for application in self._estate.within(location)
            for service in application.run_services()
        ]
