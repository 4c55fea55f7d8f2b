"""What people are told of a copy: how far it is, what to do with it, how it ended. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from shared import copying
from shared.copying import Copy
from shared.filling import Status
from shared.policy import Policy
from shared.severity import Severity

TOLD: Final[Mapping[str, Severity]] = {
    "copy.ready": Severity.HIGH,
    "copy.failed": Severity.HIGH,
    "copy.ends": Severity.MEDIUM,
    "copy.deleted": Severity.LOW,
    "copy.left": Severity.MEDIUM,
}
"""The events that people hear of."""
CUT_OVER: Final = "let the application use it as docs/cutover.md says"


def text(event: str, copy: Copy, policy: Policy) -> Iterator[str]:
    """The lines of one notice."""
    of = f"{copy.original} as of {copy.point}"
    match event:
        case "copy.ready":
            yield f"{copy.system}: the copy {copy.id} is ready: {of}"
            yield from copying.found(copy, policy)
            yield f"{CUT_OVER}, or leave it: it is deleted at {_at(copy.kept_until)}, and paid for"
            yield f"keep it: {protecting(copy, policy)}"
        case "copy.failed":
            yield f"{copy.system}: there is no copy {copy.id}: {of}"
            yield from copy.faults
        case "copy.ends":
            yield f"{copy.system}: the copy {copy.id} is deleted at {_at(copy.kept_until)}: {of}"
            yield f"keep it: {protecting(copy, policy)}"
        case "copy.deleted":
            yield f"{copy.system}: the copy {copy.id} is deleted: {of}"
        case _:
            yield f"{copy.system}: the copy {copy.id} is nobody's of ours any more: {copy.waiting}"
            yield f"whoever uses it pays for it, and deletes it: {deleting(copy, policy)}"


def line(copy: Copy) -> str:
    """How far it is, for a glance at the system."""
    said = f"copy {copy.id} of {copy.point}: {copy.status}"
    if copy.status is Status.READY:
        return f"{said} until {_at(copy.kept_until)}: {CUT_OVER}"
    return f"{said}, {copy.waiting}" if copy.waiting else said


def protecting(copy: Copy, policy: Policy) -> str:
    """The line by which a person keeps its database."""
    return _gcloud("update", copy, policy, "--delete-protection")


def deleting(copy: Copy, policy: Policy) -> str:
    """The line by which a person deletes it."""
    return _gcloud("delete", copy, policy)


def _gcloud(verb: str, copy: Copy, policy: Policy, *more: str) -> str:
    about = (f"--database={copy.id}", f"--project={policy.project}", *more)
    return shlex.join(("gcloud", "firestore", "databases", verb, *about))


def _at(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "some time"
