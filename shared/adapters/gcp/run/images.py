"""The container images that Artifact Registry holds, and how it cleans them up."""

from dataclasses import dataclass

from shared.adapters.gcp.rest import Rest
from shared.core.errors import Gone
from shared.domain.deployments.images import Cleanup, StoredImage

HOST = "artifactregistry.googleapis.com"
PERMISSIONS = ("artifactregistry.dockerimages.list", "artifactregistry.repositories.get")

_PAGE = 1000
"""The largest of dockerImages.list
(https://cloud.google.com/artifact-registry/docs/reference/rest, read 2026-11)."""


@dataclass
class ArtifactRegistry:
    """An Images over `v1`."""

    _rest: Rest

    def list_images(self, repository: str) -> dict[str, StoredImage]:
        try:
            images = list(
                self._rest.items(f"{_path(repository)}/dockerImages", "dockerImages", StoredImage, _PAGE)
            )
        except Gone:
            return {}
        return {name: image for image in images for name in _names(image)}

    def cleanup(self, repository: str) -> Cleanup:
        try:
            return self._rest.get(_path(repository), Cleanup)
        except Gone:
            return Cleanup()


def _path(repository: str) -> str:
    host, project, name = repository.split("/")
    location = host.removesuffix("-docker.pkg.dev")
    return f"/v1/projects/{project}/locations/{location}/repositories/{name}"


def _names(image: StoredImage) -> list[str]:
    return [image.uri, *(f"{image.uri.partition('@')[0]}:{tag}" for tag in image.tags)]
