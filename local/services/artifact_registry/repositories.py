"""Artifact Registry, `v1`: the images of the functions' revisions; one that is deleted is gone.

Shapes: https://cloud.google.com/artifact-registry/docs/reference/rest (read 2026-11).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

import grpc
from msgspec.structs import replace

from local.application import Application, names
from local.application.service import ApplicationService, ServiceRevision
from local.core.clock import CloudClock
from local.core.finished_operations import EMPTY, FinishedOperations
from local.core.grpc_services import StatusError
from local.core.iam_policies import IamPolicies
from local.core.journal import Journal
from local.core.resource_store import ResourceStore, written_time
from local.core.resources import Change, Kind, ResourceCollection
from local.core.rest import PAGE_PARAMETERS, Resource, RestMethod, RestRequest, build_list_response
from local.services.artifact_registry.cleanup import PushedImage, check_policies, find_deleted

HOST = "artifactregistry.googleapis.com"
MAX_PAGE_SIZE = 1000
REPOSITORY = "gcf-artifacts"
"""Where Cloud Functions puts what it builds."""
STANDARD_MODE = "STANDARD_REPOSITORY"
_REPOSITORY_KIND = "google.devtools.artifactregistry.v1.Repository"


def _complete(change: Change) -> Resource:
    check_policies(change.after.get("cleanupPolicies", {}))
    now = written_time(change.at)
    made = {"createTime": now, "mode": change.after.get("mode", STANDARD_MODE)}
    return {"updateTime": now} if change.before else {**made, "updateTime": now}


KIND = Kind(
    calls="projects.locations.repositories",
    schema="artifactregistry.v1.Repository",
    path="/v1/projects/{project}/locations/{location}/repositories",
    id_query="repositoryId",
    id_pattern=r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
    fields={
        "cleanupPolicies": dict[str, dict[str, Any]],
        "cleanupPolicyDryRun": bool,
        "description": str,
        "dockerConfig": dict[str, bool],
        "format": Literal["APT", "DOCKER", "GENERIC", "GO", "KFP", "MAVEN", "NPM", "PYTHON", "YUM"],
        "kmsKeyName": str,
        "labels": dict[str, str],
        "mode": Literal["STANDARD_REPOSITORY"],
        "vulnerabilityScanningConfig": dict[str, str],
    },
    answers=("createTime", "registryUri", "satisfiesPzi", "satisfiesPzs", "sizeBytes", "updateTime"),
    required=("format",),
    immutable=("format", "kmsKeyName", "mode"),
    complete=_complete,
    policy="GET",
)


class ImageRegistry(ResourceCollection):
    """Repositories, and what Cloud Functions has built of every application into its own."""

    def __init__(self, clock: CloudClock, journal: Journal, policies: IamPolicies) -> None:
        super().__init__(KIND, ResourceStore(journal, "artifact-registry"), clock, policies)
        self._operations = FinishedOperations(journal, "artifact-registry-operations")
        self._applications: list[Application] = []

    def provision(self, application: Application) -> None:
        """Hold the images of an application's functions; no policy deletes any of them."""
        self._applications.append(application)
        name = f"projects/{application.project}/locations/{application.region}/repositories/{REPOSITORY}"
        if name not in self._store:
            labels = {"goog-managed-by": "cloudfunctions"}
            made_at = written_time(application.begun_at)
            made = {"format": "DOCKER", "mode": STANDARD_MODE, "createTime": made_at, "labels": labels}
            self._store.put({"name": name, **made})

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        repository = f"{KIND.path}/{{id}}"
        version = f"{repository}/packages/{{package}}/versions/{{version}}"
        calls = KIND.calls
        return (
            *super().calls(),
            RestMethod(
                *(f"{calls}.dockerImages.list", "GET", f"{repository}/dockerImages", self._list_images),
                parameters=PAGE_PARAMETERS,
            ),
            RestMethod(f"{calls}.packages.versions.delete", "DELETE", version, self._delete_version),
            *self._operations.calls("projects.locations.operations.get"),
        )

    def create(self, request: RestRequest) -> Resource:
        """As the base says, as an operation."""
        return self._operations.finish(_place(request), _REPOSITORY_KIND, super().create(request))

    def delete(self, request: RestRequest) -> Resource:
        """As the base says, as an operation."""
        return self._operations.finish(_place(request), EMPTY, super().delete(request))

    def clean_up(self) -> None:
        """Delete the images that the clean-up policies do not let stay until now."""
        for one in self._applications:
            name = f"projects/{one.project}/locations/{one.region}/repositories/{REPOSITORY}"
            repository = self._store.find(name)
            policies = list(repository.get("cleanupPolicies", {}).values())
            if not policies or repository.get("cleanupPolicyDryRun", False):
                continue
            stored = {image: _pushed_image(image, at) for image, at in _stored_images(one).items()}
            deleted = find_deleted(policies, stored.values(), self._clock.now())
            for service, revision, image in _revisions(one):
                if stored.get(image) in deleted:
                    _delete_image(one, service, revision.name)

    def _list_images(self, request: RestRequest) -> Resource:
        self.clean_up()
        parent = self.find_name(request)
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

    def _delete_version(self, request: RestRequest) -> Resource:
        """The image is gone at once; who serves it goes on, and nobody else ever starts it."""
        wanted = f"/{request.ids['package']}@{request.ids['version']}"
        self.find_name(request)
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
        return self._operations.finish(_place(request), EMPTY, {})

    def _in_place(self, request: RestRequest) -> list[Application]:
        """The applications whose images are in a repository."""
        place = request.ids["project"], request.ids["location"]
        if request.ids["id"] != REPOSITORY:
            return []
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


def _place(request: RestRequest) -> str:
    return f"projects/{request.ids['project']}/locations/{request.ids['location']}"
