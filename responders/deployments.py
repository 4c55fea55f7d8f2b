"""on_deployment: what is live now is recorded, and marked stable where the message says so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from shared import deployment as deployments
from shared import system as systems
from shared.audit import event
from shared.deployment import Deployment, Inventory, Status, placements
from shared.documents import decode, encode
from shared.envelope import Message
from shared.errors import Moved, Refused, Unavailable
from shared.outside import write_down
from shared.policy import Policy
from shared.ports import Ports, written
from shared.scrubbing import scrubbed
from shared.system import System

COMMIT_ATTEMPTS = 20
SKEW = timedelta(seconds=5)
"""How far the clocks of CI and of Cloud Run may differ."""
LONG_AGO = datetime(2008, 4, 7, tzinfo=UTC)
"""Nothing ran on Google Cloud before App Engine's first day."""

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,200}\Z")]
Text = Annotated[str, Meta(max_length=500)]


class Announcement(Struct, frozen=True, forbid_unknown_fields=True):
    """What CI or a person says of a deployment."""

    version: Literal[1]
    system: str
    deployment: Name = ""
    """Empty: named after its time."""
    git_hash: Name = ""
    stable: bool = False
    barrier: Text = ""
    at: Annotated[datetime, Meta(tz=True)] | None = None


class Deployments:
    """Records deployments that are announced, from what the inventory really shows."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = policies

    def receive(self, message: Message) -> None:
        """Return once the deployment is recorded; a redelivery changes nothing.

        A deployment that is known can become stable, if it is what is live.
        Raises: Refused; Unavailable, when what is live could not be read.
        """
        said = _parse(message.data)
        if said.system not in self._policies:
            raise Refused(f"system {said.system} is not known")
        now = self._ports.clock.now()
        at = said.at or message.published_at or now
        if not LONG_AGO < at < now + timedelta(days=1):
            raise Refused(f"a deployment at {at.isoformat()}: not at any time that can be meant")
        inventory = self._ports.platform(said.system).inventory()
        if said.stable:
            self._refuse_unstable(said.system, inventory, at)
        for _ in range(COMMIT_ATTEMPTS):
            try:
                self._record(said, message.id, at, inventory)
            except Moved:  # somebody recorded it first: look again
                continue
            return
        raise Unavailable(f"deployment {said.deployment}: its document changes too fast")

    def _refuse_unstable(self, system: str, inventory: Inventory, at: datetime) -> None:
        """Raises: Refused, when what is live cannot be what was called stable."""
        newer = sorted(
            function
            for function, live in inventory.items()
            for revision in map(live.revision, placements({function: live})[function].revisions)
            if revision is not None and revision.created_at > at + SKEW
        )
        if newer:
            raise Refused(f"not what was called stable: {newer[0]} serves a newer revision")
        document = self._ports.store.get(systems.path(system))
        known = decode(System, document.fields) if document.fields else System(system)
        if known.incident and known.incident_ended_at is None:
            raise Refused(f"nothing is stable during {known.incident}")

    def _record(
        self, said: Announcement, message_id: str, at: datetime, inventory: Inventory
    ) -> None:
        """Record it under its name, or in the next free second. Raises: Moved, Refused."""
        store = self._ports.store
        name = said.deployment or deployments.default_id(at)
        document = store.get(deployments.path(said.system, name))
        live = placements(inventory)
        deployment = Deployment(
            id=name,
            system=said.system,
            at=at,
            status=Status.STABLE if said.stable else Status.LIVE,
            functions=live,
            announced_by=message_id,
            git_hash=said.git_hash,
            barrier=said.barrier,
        )
        if document.fields is not None:
            known = decode(Deployment, document.fields)
            if known.announced_by == message_id:
                return
            if not said.deployment:
                self._record(said, message_id, at + timedelta(seconds=1), inventory)
                return
            if known.status is deployment.status or not said.stable:
                return
            if known.functions != live:
                raise Refused(f"{name} is not what is live: it cannot be called stable")
            deployment = replace(known, status=Status.STABLE)
        now = self._ports.clock.now()
        told = event(
            "deployment.recorded",
            now,
            "on_deployment",
            deployment=deployment.id,
            status=deployment.status,
            functions=len(deployment.functions),
            message=message_id,
        )
        store.commit(
            [
                written(document, encode(deployment)),
                write_down(said.system, f"deployment:{name}:{deployment.status.lower()}", told),
            ]
        )


def _parse(data: bytes) -> Announcement:
    try:
        return msgspec.json.decode(scrubbed(data), type=Announcement)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as unreadable:
        raise Refused(f"no announcement of a deployment: {unreadable}") from unreadable
