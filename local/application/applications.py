"""Every application of one cloud, found by the names that Google's services use."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import grpc

from local.application.application import Application
from local.application.service import ApplicationService, is_shown_by_run
from local.core.grpc_services import StatusError

_PARENT_PATTERN = re.compile(r"projects/([^/]+)/locations/([^/]+)")


class Location(NamedTuple):
    """A project and one of its regions."""

    project: str
    region: str

    def __str__(self) -> str:
        return f"projects/{self.project}/locations/{self.region}"


class ApplicationRegistry:
    """The applications, by project and region; several may share both."""

    def __init__(self, applications: Sequence[Application]) -> None:
        self.applications = tuple(applications)

    def applications_in(self, location: Location) -> list[Application]:
        """The applications of a project and region; the region `-` stands for all."""
        return [
            application
            for application in self.applications
            if application.project == location.project and location.region in ("-", application.region)
        ]

    def service(self, location: Location, name: str) -> tuple[Application, ApplicationService]:
        """A service and the application that it belongs to. Raises: Refused NOT_FOUND."""
        for application in self.applications_in(location):
            try:
                service = application.service(name)
            except KeyError:
                continue
            if is_shown_by_run(service):
                return application, service
        raise not_found(f"{location}/services/{name}")


def location_of(application: Application) -> Location:
    """Where an application runs."""
    return Location(application.project, application.region)


def parse_resource_name(name: str, *collections: str) -> tuple[Location, list[str]]:
    """The location of a resource name and the ids below it, one per collection.

    `parse("projects/p/locations/r/services/s", "services")` is ((p, r), ["s"]).
    Raises: Refused INVALID_ARGUMENT when the name has another shape.
    """
    pattern = _PARENT_PATTERN.pattern + "".join(f"/{collection}/([^/]+)" for collection in collections)
    found = re.fullmatch(pattern, name)
    if found is None:
        raise invalid_argument(f"'{name}' is not the name of a resource of this kind")
    project, region, *ids = found.groups()
    return Location(project, region), ids


def invalid_argument(message: str) -> StatusError:
    """The answer to a request that can never be right."""
    return StatusError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(name: str) -> StatusError:
    """The answer to a question about something that is not there."""
    return StatusError(grpc.StatusCode.NOT_FOUND, f"Resource '{name}' was not found")
