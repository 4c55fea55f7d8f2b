"""What there is of a database's past, gathered: our catalogue and proofs, and Google's account."""

from functools import partial
from typing import Any

from responders.data.document_check import read_known_damage
from responders.support.parallel_calls import call_all, require_answer
from shared.core.errors import Rejected
from shared.domain.data.backups.backup_records import Database
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.restore_point import AvailablePoints, RestorePoint, RestoreSource
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports
from shared.state.reader import StateReader

_GONE = "NOT_FOUND"


def read_available_points(ports: Ports, policy: Policy, database: str = "") -> AvailablePoints:
    """Return the points of a database, by default the backed-up one. Raises: Unavailable."""
    name = database or policy.backups.database
    backups, reading = ports.system(policy.system).backups, StateReader(ports.store)
    answers = call_all(
        ports,
        {
            "database": partial(backups.database, name),
            "natives": partial(backups.backups, name),
            "exports": partial(reading.backups, policy.system),
            "proofs": partial(reading.restore_tests, policy.system),
            "deployments": partial(reading.deployments, policy.system),
            "copies": partial(reading.copies, policy.system),
            "integrity": lambda: read_known_damage(ports, policy)[1].last_valid_at,
        },
    )
    return AvailablePoints(
        now=ports.clock.now(),
        database=_existing_database(answers["database"]),
        exports=tuple(one for one in require_answer(answers["exports"]) if one.database == name),
        natives=tuple(require_answer(answers["natives"])),
        proofs=tuple(require_answer(answers["proofs"])),
        deployments=tuple(require_answer(answers["deployments"])),
        copies=tuple(
            RestorePoint(copy.point.at, RestoreSource.COPY, copy.id, copy.id, copy.ready_at, copy.kept_until)
            for copy in require_answer(answers["copies"])
            if copy.status is FillStatus.READY and copy.original == name
        ),
        valid_at=require_answer(answers["integrity"]) if name == policy.integrity.database else None,
    )


def _existing_database(answer: Any) -> Database | None:
    if isinstance(answer, Rejected) and str(answer).startswith(_GONE):
        return None
    found: Database = require_answer(answer)
    return found
