"""What there is of a database's past, gathered: our catalogue and proofs, and Google's account."""

from __future__ import annotations

from functools import partial
from typing import Any

from responders.support.parallel_calls import answered, ask_all
from shared.core.errors import Rejected
from shared.domain.data.backups.database_copy import Copy
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.restore_point import AvailablePoints, Point, RestoreSource
from shared.domain.data.backups.values import Database
from shared.domain.policy.model import Policy
from shared.ports.groups import Ports
from shared.state.reader import Reading

_GONE = "NOT_FOUND"


def available_points(ports: Ports, policy: Policy, database: str = "") -> AvailablePoints:
    """All that a restore point of a database can be; where none is said, of the one backed up.

    Raises: Unavailable, Rejected (no right).
    """
    name = database or policy.backups.database
    backups, reading = ports.system(policy.system).backups, Reading(ports.store)
    answers = ask_all(
        ports,
        {
            "database": partial(backups.database, name),
            "natives": partial(backups.backups, name),
            "exports": partial(reading.backups, policy.system),
            "proofs": partial(reading.proofs, policy.system),
            "deployments": partial(reading.deployments, policy.system),
            "copies": partial(reading.copies, policy.system),
        },
    )
    return AvailablePoints(
        now=ports.clock.now(),
        database=_there(answers["database"]),
        exports=tuple(one for one in answered(answers["exports"]) if one.database == name),
        natives=tuple(answered(answers["natives"])),
        proofs=tuple(answered(answers["proofs"])),
        deployments=tuple(answered(answers["deployments"])),
        copies=tuple(
            _of(copy)
            for copy in answered(answers["copies"])
            if copy.status is FillStatus.READY and copy.original == name
        ),
    )


def _of(copy: Copy) -> Point:
    """A copy as a restore point."""
    return Point(
        copy.point.at, RestoreSource.COPY, copy.id, copy.id, copy.ready_at, copy.kept_until
    )


def _there(answer: Any) -> Database | None:
    """The database's own account; None where there is no such database (any more)."""
    if isinstance(answer, Rejected) and str(answer).startswith(_GONE):
        return None
    found: Database = answered(answer)
    return found
