"""The runtimes that Cloud Functions, `v2`, lists: as many as are needed here, of both generations.

Shapes: https://cloud.google.com/functions/docs/reference/rest/v2/projects.locations.runtimes (read
2026-11).
"""

from local.core.rest import Resource, RestMethod, RestRequest

HOST = "cloudfunctions.googleapis.com"
NAMES = ("nodejs16", "nodejs20", "nodejs22", "python312")


class Runtimes:
    """The same in every project and region, until one is decommissioned."""

    def __init__(self) -> None:
        self.decommissioned = {"nodejs16"}

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        path = "/v2/projects/{project}/locations/{region}/runtimes"
        return (RestMethod("projects.locations.runtimes.list", "GET", path, self._list),)

    def _list(self, _request: RestRequest) -> Resource:
        return {
            "runtimes": [
                {
                    "name": name,
                    "displayName": name,
                    "environment": generation,
                    "stage": "DECOMMISSIONED" if name in self.decommissioned else "GA",
                }
                for name in NAMES
                for generation in ("GEN_1", "GEN_2")
            ]
        }
