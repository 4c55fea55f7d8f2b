"""What there is of a database's past, gathered: our catalogue and proofs, and Google's account."""

from __future__ import annotations

from functools import partial
from typing import Any

from responders.asking import answered, ask_all
from shared.backing import Backup
from shared.backup import Database
from shared.copying import Copy
from shared.deployment import Deployment
from shared.documents import decode
from shared.errors import Rejected
from shared.filling import Status
from shared.policy import Policy
from shared.ports import Ports, Query
from shared.proving import Proof
from shared.restore_point import Kept, Point, Source

_GONE = "NOT_FOUND"


def kept(ports: Ports, policy: Policy, database: str = "") -> Kept:
    """All that a restore point of a database can be; where none is said, of the one backed up.

    Raises: Unavailable, Rejected (no right).
    """
    name = database or policy.backups.database
    ours = (("system", "==", policy.system),)
    backups, store = ports.backups(policy.system), ports.store
    answers = ask_all(
        ports,
        {
            "database": partial(backups.database, name),
            "natives": partial(backups.backups, name),
            "exports": partial(store.query, Query("backups", where=ours)),
            "proofs": partial(store.query, Query("proofs", where=ours)),
            "deployments": partial(store.query, Query("deployments", where=ours)),
            "copies": partial(store.query, Query("copies", where=ours)),
        },
    )
    exports = [decode(Backup, one.fields) for one in answered(answers["exports"])]
    deployments = [decode(Deployment, one.fields) for one in answered(answers["deployments"])]
    return Kept(
        now=ports.clock.now(),
        database=_there(answers["database"]),
        exports=tuple(one for one in exports if one.database == name),
        natives=tuple(answered(answers["natives"])),
        proofs=tuple(decode(Proof, one.fields) for one in answered(answers["proofs"])),
        deployments=tuple(one for one in deployments if not one.named),
        copies=tuple(
            _of(copy)
            for copy in (decode(Copy, one.fields) for one in answered(answers["copies"]))
            if copy.status is Status.READY and copy.original == name
        ),
    )


def _of(copy: Copy) -> Point:
    """A copy as a restore point."""
    return Point(copy.point.at, Source.COPY, copy.id, copy.id, copy.ready_at, copy.kept_until)


def _there(answer: Any) -> Database | None:
    """The database's own account; None where there is no such database (any more)."""
    if isinstance(answer, Rejected) and str(answer).startswith(_GONE):
        return None
    found: Database = answered(answer)
    return found
