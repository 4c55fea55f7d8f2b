"""The runtimes that Cloud Functions offers."""

from msgspec import Struct

from shared.adapters.gcp.rest import Rest
from shared.domain.deployments.inventory.inventory_parts import Generation

HOST = "cloudfunctions.googleapis.com"

_DECOMMISSIONED = "DECOMMISSIONED"
"""Nothing is deployed with it any more, and what runs may be disabled
(https://cloud.google.com/functions/docs/runtime-support, read 2026-11)."""


class _Runtime(Struct, frozen=True):
    name: str
    environment: str = ""
    stage: str = ""


class _Answer(Struct, frozen=True):
    runtimes: list[_Runtime] = []


class FunctionRuntimes:
    """A Runtimes over `v2` of one project and region, which lists all of them on one page."""

    def __init__(self, rest: Rest, project: str, region: str) -> None:
        self._rest = rest
        self._path = f"/v2/projects/{project}/locations/{region}/runtimes"

    def list_runtimes(self) -> frozenset[tuple[Generation, str]]:
        answer = self._rest.get(self._path, _Answer)
        known = {*Generation}
        return frozenset(
            (Generation(one.environment), one.name)
            for one in answer.runtimes
            if one.stage != _DECOMMISSIONED and one.environment in known
        )
