"""The container images that Artifact Registry holds."""

from typing import Final

from msgspec import Struct

from shared.adapters.gcp.rest import Rest
from shared.core.errors import Gone

HOST: Final = "artifactregistry.googleapis.com"
PERMISSIONS: Final = ("artifactregistry.dockerimages.list",)

_PAGE = 1000
"""The largest of dockerImages.list
(https://cloud.google.com/artifact-registry/docs/reference/rest, read 2026-11)."""


class _Image(Struct, frozen=True):
    uri: str
    """`LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE@sha256:…`"""
    tags: list[str] = []


class ArtifactRegistry:
    """An Images over `v1`."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def list_images(self, repository: str) -> frozenset[str]:
        host, project, name = repository.split("/")
        location = host.removesuffix("-docker.pkg.dev")
        path = f"/v1/projects/{project}/locations/{location}/repositories/{name}/dockerImages"
        try:
            images = list(self._rest.items(path, "dockerImages", _Image, _PAGE))
        except Gone:
            return frozenset()
        tagged = (f"{one.uri.partition('@')[0]}:{tag}" for one in images for tag in one.tags)
        return frozenset((*(one.uri for one in images), *tagged))
