"""mark-stable, mark-bad and mark-barrier: what a person knows of a deployment."""

from typing import Any

from msgspec import Struct

from responders.support.command_handler import CommandEffect, CommandRequest
from shared.core.codec import decode
from shared.core.errors import Refused
from shared.core.store import Document, Query, Reader, Update
from shared.core.text import suggest_names
from shared.domain.deployments.deployment import Deployment, DeploymentStatus, deployment_path, record_path
from shared.state.reader import StateReader


class _DeploymentSubject(Struct, frozen=True):
    document: Document
    deployment: Deployment

    def change_fields(self, result: str, **changes: Any) -> CommandEffect:
        """The effect that changes these fields of it, unless somebody has changed it since."""
        document, name = self.document, self.deployment.id
        writes = [Update(document.path, changes, document.version)]
        if "expires_at" in changes and self.deployment.settled_at is not None:
            record = record_path(self.deployment.system, name)
            writes.append(Update(record, {"expires_at": changes["expires_at"]}))
        told: dict[str, tuple[Any, Any]] = {
            name: (getattr(self.deployment, name), changes[name])
            for name in ("status", "barrier")
            if name in changes
        }
        return CommandEffect(result, tuple(writes), changes=told)


def mark_stable(asked: CommandRequest) -> CommandEffect:
    """One may go back to it; whether all is there for that is proven at once."""
    marked, command = _find_deployment(asked), asked.command
    deployment = marked.deployment
    if deployment.status is DeploymentStatus.ROLLING_OUT:
        raise Refused(f"{deployment.id} is still rolling out")
    system = StateReader(asked.ports.store).system(command.system)
    if system.open_incident:
        raise Refused(f"nothing is stable during {system.open_incident}")
    return marked.change_fields(
        f"{deployment.id} is STABLE",
        status=DeploymentStatus.STABLE.value,
        reason=f"{command.actor}: {command.reason}",
        untested=[],
        due_at=marked.document.read_at,
        expires_at=None,
    )


def mark_bad(asked: CommandRequest) -> CommandEffect:
    """Nobody goes back to it, by machine or by order of last-stable."""
    marked, command = _find_deployment(asked), asked.command
    return marked.change_fields(
        f"{marked.deployment.id} is BAD",
        status=DeploymentStatus.BAD.value,
        baked_at=None,
        reason=f"{command.actor}: {command.reason}",
        due_at=None,
        expires_at=None,
    )


def mark_barrier(asked: CommandRequest) -> CommandEffect:
    """Nobody goes back past it by machine."""
    marked, command = _find_deployment(asked), asked.command
    return marked.change_fields(f"{marked.deployment.id} is a barrier", barrier=command.reason)


def _find_deployment(asked: CommandRequest) -> _DeploymentSubject:
    """The deployment that a command names. Raises: Refused, with the nearest known ones."""
    command, store = asked.command, asked.ports.store
    document = store.get(deployment_path(command.system, command.deployment))
    if document.fields is None:
        raise build_unknown_deployment_refusal(store, command.system, command.deployment)
    deployment = decode(Deployment, document.fields)
    if deployment.named:
        raise Refused(f"{deployment.id} is called {deployment.named}")
    return _DeploymentSubject(document, deployment)


def build_unknown_deployment_refusal(store: Reader, system: str, deployment: str) -> Refused:
    """What is said of a deployment that is not known, with the nearest that are."""
    ours = store.query(Query("deployments", where=(("system", "==", system),)))
    known = [str((one.fields or {})["id"]) for one in ours]
    return Refused(f"deployment {deployment} is not known in {system}{suggest_names(deployment, known)}")
