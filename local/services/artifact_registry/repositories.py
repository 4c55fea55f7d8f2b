"""Artifact Registry, `v1`: the images of the functions' revisions; one that is deleted is gone.

Shapes: https://cloud.google.com/artifact-registry/docs/reference/rest (read 2026-11).
"""

from collections.abc import Iterator

import grpc
from msgspec.structs import replace

from local.application import Application, names
from local.application.service import ApplicationService, ServiceRevision
from local.core.grpc_services import StatusError
from local.core.resource_store import written_time
from local.core.rest import Resource, RestMethod, RestRequest, build_list_response

HOST = "artifactregistry.googleapis.com"
MAX_PAGE_SIZE = 1000
REPOSITORY = "gcf-artifacts"
"""Where Cloud Functions puts what it builds."""


class ImageRegistry:
    """What Cloud Functions has built of every application."""

    def __init__(self) -> None:
        self._applications: list[Application] = []

    def provision(self, application: Application) -> None:
        """Hold the images of an application's functions."""
        self._applications.append(application)

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        repository = "/v1/projects/{project}/locations/{region}/repositories/{repository}"
        version = f"{repository}/packages/{{package}}/versions/{{version}}"
        return (
            RestMethod(
                "projects.locations.repositories.dockerImages.list",
                "GET",
                f"{repository}/dockerImages",
                self._list,
            ),
            RestMethod(
                "projects.locations.repositories.packages.versions.delete", "DELETE", version, self._delete
            ),
        )

    def _list(self, request: RestRequest) -> Resource:
        parent = _repository_name(request)
        images = {
            image: revision for _, _, revision, image in self._images(request) if not revision.image_deleted
        }
        shown: list[Resource] = [
            {
                "name": f"{parent}/dockerImages/{image.rpartition('/')[2]}",
                "uri": image,
                "uploadTime": written_time(revision.created_at),
            }
            for image, revision in sorted(images.items())
        ]
        return build_list_response(request, "dockerImages", shown, MAX_PAGE_SIZE)

    def _delete(self, request: RestRequest) -> Resource:
        """The image is gone at once; who serves it goes on, and nobody else ever starts it."""
        wanted = f"/{request.ids['package']}@{request.ids['version']}"
        found = [
            (application, service, revision)
            for application, service, revision, image in self._images(request)
            if image.endswith(wanted) and not revision.image_deleted
        ]
        if not found:
            raise StatusError(grpc.StatusCode.NOT_FOUND, f"version {wanted[1:]} does not exist")
        for application, service, revision in found:
            _delete_image(application, service, revision.name)
        return {"name": f"{_repository_name(request)}/operations/delete", "done": True}

    def _images(
        self, request: RestRequest
    ) -> Iterator[tuple[Application, ApplicationService, ServiceRevision, str]]:
        """Every revision of the applications of a repository, with its image."""
        _repository_name(request)
        for one in self._applications:
            if (one.project, one.region) == (request.ids["project"], request.ids["region"]):
                for service in one.services():
                    for revision in service.revisions:
                        image = names.image(one.project, one.region, service.function, revision.release)
                        yield one, service, revision, image


def _delete_image(application: Application, service: ApplicationService, name: str) -> None:
    application.update(
        service.name,
        lambda seen, _: replace(
            seen,
            revisions=tuple(
                replace(one, image_deleted=one.image_deleted or one.name == name) for one in seen.revisions
            ),
        ),
    )


def _repository_name(request: RestRequest) -> str:
    """The full name of the one repository that each region has. Raises: Refused NOT_FOUND."""
    ids = request.ids
    name = f"projects/{ids['project']}/locations/{ids['region']}/repositories/{ids['repository']}"
    if ids["repository"] != REPOSITORY:
        raise StatusError(grpc.StatusCode.NOT_FOUND, f"{name} does not exist")
    return name
