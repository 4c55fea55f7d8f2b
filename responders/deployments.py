"""on_deployment: what is live now is recorded, and marked stable where the message says so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from shared import deployment as deployments
from shared.audit import event
from shared.deployment import Deployment, Status, placements
from shared.documents import encode
from shared.envelope import Message
from shared.errors import Exists, Refused
from shared.outside import write_down
from shared.policy import Policy
from shared.ports import Create, Ports


class Announcement(Struct, frozen=True, forbid_unknown_fields=True):
    """What CI or a person says of a deployment."""

    version: int
    system: str
    deployment: str = ""
    """Empty: named after its time."""
    git_hash: str = ""
    stable: bool = False
    barrier: str = ""
    at: datetime | None = None


class Deployments:
    """Records deployments that are announced, from what the inventory really shows."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = policies

    def receive(self, message: Message) -> None:
        """Return once the deployment is recorded; a redelivery, or a known id, changes nothing.

        Raises: Refused; Unavailable, when what is live could not be read.
        """
        said = _parse(message.data)
        if said.version != 1:
            raise Refused(f"an announcement of version {said.version}; 1 is understood")
        if said.system not in self._policies:
            raise Refused(f"system {said.system} is not known")
        inventory = self._ports.platform(said.system).inventory()
        now = self._ports.clock.now()
        at = said.at or message.published_at or now
        deployment = Deployment(
            id=said.deployment or deployments.default_id(at),
            system=said.system,
            at=at,
            status=Status.STABLE if said.stable else Status.LIVE,
            functions=placements(inventory),
            git_hash=said.git_hash,
            barrier=said.barrier,
        )
        told = event(
            "deployment.recorded",
            now,
            "on_deployment",
            deployment=deployment.id,
            status=deployment.status,
            functions=len(deployment.functions),
            message=message.id,
        )
        try:
            self._ports.store.commit(
                [
                    Create(deployments.path(said.system, deployment.id), encode(deployment)),
                    write_down(said.system, f"deployment:{deployment.id}", told),
                ]
            )
        except Exists:
            return


def _parse(data: bytes) -> Announcement:
    try:
        return msgspec.json.decode(data, type=Announcement)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as unreadable:
        raise Refused(f"no announcement of a deployment: {unreadable}") from unreadable
