"""The runtimes that Cloud Functions offers."""

from dataclasses import dataclass

from shared.adapters.gcp.rest import Answer, Rest
from shared.domain.deployments.inventory.inventory_parts import Generation

HOST = "cloudfunctions.googleapis.com"

_DECOMMISSIONED = "DECOMMISSIONED"
"""Nothing is deployed with it any more, and what runs may be disabled
(https://cloud.google.com/functions/docs/runtime-support, read 2026-11)."""


class _Runtime(Answer):
    name: str
    environment: str = ""
    stage: str = ""


class _Answer(Answer):
    runtimes: list[_Runtime] = []


@dataclass
class FunctionRuntimes:
    """A Runtimes over `v2` of one project and region, which lists all of them on one page."""

    _rest: Rest
    _project: str
    _region: str

    def list_runtimes(self) -> frozenset[tuple[Generation, str]]:
        answer = self._rest.get(f"/v2/projects/{self._project}/locations/{self._region}/runtimes", _Answer)
        known = {*Generation}
        return frozenset(
            (Generation(one.environment), one.name)
            for one in answer.runtimes
            if one.stage != _DECOMMISSIONED and one.environment in known
        )
