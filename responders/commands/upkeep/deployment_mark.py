"""mark-stable, mark-bad and mark-barrier: what a person knows of a deployment."""

from typing import Any

from responders.support.command_handler import CommandEffect, CommandRequest
from shared.core.errors import Refused
from shared.core.store import Document, Query, Reader, Update
from shared.core.text import suggest_names
from shared.domain.deployments.deployment import Deployment, DeploymentStatus, deployment_path, record_path
from shared.state.reader import StateReader


def mark_stable(asked: CommandRequest) -> CommandEffect:
    """One may go back to it; whether all is there for that is proven at once."""
    found = document, deployment = _find_deployment(asked)
    if deployment.status is DeploymentStatus.ROLLING_OUT:
        raise Refused(f"{deployment.id} is still rolling out")
    system = StateReader(asked.ports.store).system(asked.command.system)
    if system.open_incident:
        raise Refused(f"no deployment becomes stable during {system.open_incident}")
    return _set_status(asked, found, DeploymentStatus.STABLE, untested=[], due_at=document.read_at)


def mark_bad(asked: CommandRequest) -> CommandEffect:
    """Nobody goes back to it, by machine or by order of last-stable."""
    return _set_status(asked, _find_deployment(asked), DeploymentStatus.BAD, baked_at=None, due_at=None)


def mark_barrier(asked: CommandRequest) -> CommandEffect:
    """Nobody goes back past it by machine."""
    document, deployment = _find_deployment(asked)
    return _change_fields(document, deployment, f"{deployment.id} is a barrier", barrier=asked.command.reason)


def _set_status(
    asked: CommandRequest, found: tuple[Document, Deployment], status: DeploymentStatus, **changes: Any
) -> CommandEffect:
    """The effect that gives a deployment a status for a person's reason, and keeps its record."""
    (document, deployment), reason = found, f"{asked.command.actor}: {asked.command.reason}"
    changes |= {"status": status.value, "reason": reason, "expires_at": None}
    return _change_fields(document, deployment, f"{deployment.id} is {status.value}", **changes)


def _change_fields(document: Document, deployment: Deployment, result: str, **changes: Any) -> CommandEffect:
    """The effect that changes these fields of it, unless somebody has changed it since."""
    writes = [document.build_update(changes)]
    if "expires_at" in changes and deployment.settled_at is not None:
        record = record_path(deployment.system, deployment.id)
        writes.append(Update(record, {"expires_at": changes["expires_at"]}))
    told: dict[str, tuple[Any, Any]] = {
        name: (getattr(deployment, name), changes[name]) for name in ("status", "barrier") if name in changes
    }
    return CommandEffect(result, tuple(writes), changes=told)


def _find_deployment(asked: CommandRequest) -> tuple[Document, Deployment]:
    """The deployment that a command names. Raises: Refused, with the nearest known ones."""
    command, store = asked.command, asked.ports.store
    document = store.get(deployment_path(command.system, command.deployment))
    if document.fields is None:
        raise build_unknown_deployment_refusal(store, command.system, command.deployment)
    deployment = document.decode(Deployment)
    if deployment.named:
        raise Refused(f"{deployment.id} is called {deployment.named}")
    return document, deployment


def build_unknown_deployment_refusal(store: Reader, system: str, deployment: str) -> Refused:
    """What is said of a deployment that is not known, with the nearest that are."""
    documents = store.query(Query.equal("deployments", system=system))
    names = [str((document.fields or {})["id"]) for document in documents]
    return Refused(f"deployment {deployment} is not known in {system}{suggest_names(deployment, names)}")
