"""Artifact Registry, `v1`: the images of the functions' revisions; one that is deleted is gone.

Shapes: https://cloud.google.com/artifact-registry/docs/reference/rest (read 2026-11).
"""

from collections.abc import Iterator
from datetime import datetime

import grpc
from msgspec.structs import replace

from local.application import Application, names
from local.application.service import ApplicationService, ServiceRevision
from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.core.resource_store import ResourceStore, written_time
from local.core.rest import Resource, RestMethod, RestRequest, build_list_response
from local.services.artifact_registry.cleanup import PushedImage, check_policies, find_deleted

HOST = "artifactregistry.googleapis.com"
MAX_PAGE_SIZE = 1000
REPOSITORY = "gcf-artifacts"
"""Where Cloud Functions puts what it builds."""
_CHANGEABLE = frozenset(("cleanupPolicies", "cleanupPolicyDryRun", "description", "labels"))


class ImageRegistry:
    """What Cloud Functions has built of every application, and how it is cleaned up."""

    def __init__(self, clock: CloudClock, journal: Journal) -> None:
        self._clock = clock
        self._shelf = ResourceStore(journal, "artifact-registry")
        self._applications: list[Application] = []

    def provision(self, application: Application) -> None:
        """Hold the images of an application's functions; no policy deletes any of them."""
        self._applications.append(application)
        name = f"projects/{application.project}/locations/{application.region}/repositories/{REPOSITORY}"
        if name not in self._shelf:
            labels = {"goog-managed-by": "cloudfunctions"}
            made_at = written_time(application.begun_at)
            self._shelf.put({"name": name, "format": "DOCKER", "createTime": made_at, "labels": labels})

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        repository = "/v1/projects/{project}/locations/{region}/repositories/{repository}"
        version = f"{repository}/packages/{{package}}/versions/{{version}}"
        calls = "projects.locations.repositories"
        return (
            RestMethod(f"{calls}.get", "GET", repository, self._get),
            RestMethod(f"{calls}.patch", "PATCH", repository, self._patch),
            RestMethod(f"{calls}.dockerImages.list", "GET", f"{repository}/dockerImages", self._list),
            RestMethod(f"{calls}.packages.versions.delete", "DELETE", version, self._delete),
        )

    def clean_up(self) -> None:
        """Delete the images that the clean-up policies do not let stay until now."""
        for one in self._applications:
            name = f"projects/{one.project}/locations/{one.region}/repositories/{REPOSITORY}"
            repository = self._shelf.find(name)
            policies = list(repository.get("cleanupPolicies", {}).values())
            if not policies or repository.get("cleanupPolicyDryRun", False):
                continue
            stored = {image: _pushed_image(image, at) for image, at in _stored_images(one).items()}
            deleted = find_deleted(policies, stored.values(), self._clock.now())
            for service, revision, image in _revisions(one):
                if stored.get(image) in deleted:
                    _delete_image(one, service, revision.name)

    def _get(self, request: RestRequest) -> Resource:
        return self._shelf.find(_repository_name(request))

    def _patch(self, request: RestRequest) -> Resource:
        """The repository with the fields of `updateMask` as in the body, absent ones cleared."""
        with self._shelf.lock:
            found = self._shelf.find(_repository_name(request))
            paths = [path for path in request.query.get("updateMask", "").split(",") if path]
            changed = {*(paths or request.body)} - {"name"}
            if unknown := {*changed, *request.body} - _CHANGEABLE - {"name"}:
                raise StatusError(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"updateMask: cannot change {', '.join(sorted(unknown))}",
                )
            check_policies(request.body.get("cleanupPolicies", {}))
            left = {field: value for field, value in found.items() if field not in changed}
            self._shelf.put(left | {field: request.body[field] for field in changed & {*request.body}})
            return self._shelf.find(_repository_name(request))

    def _list(self, request: RestRequest) -> Resource:
        self.clean_up()
        parent = _repository_name(request)
        images: dict[str, datetime] = {}
        for application in self._in_place(request):
            images |= _stored_images(application)
        shown: list[Resource] = [
            {
                "name": f"{parent}/dockerImages/{image.rpartition('/')[2]}",
                "uri": image,
                "uploadTime": written_time(pushed_at),
            }
            for image, pushed_at in sorted(images.items())
        ]
        return build_list_response(request, "dockerImages", shown, MAX_PAGE_SIZE)

    def _delete(self, request: RestRequest) -> Resource:
        """The image is gone at once; who serves it goes on, and nobody else ever starts it."""
        wanted = f"/{request.ids['package']}@{request.ids['version']}"
        name = _repository_name(request)
        found = [
            (application, service, revision)
            for application in self._in_place(request)
            for service, revision, image in _revisions(application)
            if image.endswith(wanted)
        ]
        if not found:
            raise StatusError(grpc.StatusCode.NOT_FOUND, f"version {wanted[1:]} does not exist")
        for application, service, revision in found:
            _delete_image(application, service, revision.name)
        return {"name": f"{name}/operations/delete", "done": True}

    def _in_place(self, request: RestRequest) -> list[Application]:
        """The applications whose images are in a repository."""
        place = request.ids["project"], request.ids["region"]
        return [one for one in self._applications if (one.project, one.region) == place]


def _revisions(application: Application) -> Iterator[tuple[ApplicationService, ServiceRevision, str]]:
    """Every revision of an application whose image is stored, with that."""
    for service in application.services():
        for one in service.revisions:
            if not one.image_deleted:
                image = names.image(application.project, application.region, service.function, one.release)
                yield service, one, image


def _stored_images(application: Application) -> dict[str, datetime]:
    """When each image was pushed: with its first revision that has it."""
    pushed: dict[str, datetime] = {}
    for _, revision, image in _revisions(application):
        pushed[image] = min(revision.created_at, pushed.get(image, revision.created_at))
    return pushed


def _pushed_image(image: str, pushed_at: datetime) -> PushedImage:
    package, _, version = image.rpartition("/")[2].partition("@")
    return PushedImage(package, version, pushed_at)


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
