"""The runtimes that Cloud Functions, `v2`, lists: as many as are needed, of both generations."""

from typing import Any

from google.cloud import functions_v2
from google.protobuf.message import Message

NAMES = ("nodejs16", "nodejs20", "nodejs22", "python311", "python312")
_LISTED: Any = functions_v2.ListRuntimesResponse.pb()
_Stage = functions_v2.ListRuntimesResponse.RuntimeStage
_GENERATIONS = (functions_v2.Environment.GEN_1, functions_v2.Environment.GEN_2)


class Runtimes:
    """The same in every project and region, until one is decommissioned."""

    def __init__(self) -> None:
        self.decommissioned = {"nodejs16"}

    def list(self) -> Message:
        """`google.cloud.functions.v2.ListRuntimesResponse`."""
        listed: Message = _LISTED(
            runtimes=[
                {
                    "name": name,
                    "display_name": name,
                    "environment": generation,
                    "stage": _Stage.DECOMMISSIONED if name in self.decommissioned else _Stage.GA,
                }
                for name in NAMES
                for generation in _GENERATIONS
            ]
        )
        return listed
