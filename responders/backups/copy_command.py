"""copy: a person wants a database as of a restore point, beside the one that there is."""

from responders.data import restore_points
from responders.support.command_handler import CommandEffect, CommandRequest
from shared.core.codec import encode
from shared.core.errors import Refused, Rejected
from shared.core.store import Create
from shared.domain.data.backups import database_copy as copies
from shared.domain.data.backups import restore_point
from shared.domain.data.backups.database_copy import MAX_COPIES_PER_SYSTEM, DatabaseCopy
from shared.domain.data.backups.filled_database import FILLING_STATUSES
from shared.domain.data.backups.restore_point import AvailablePoints, RestorePoint, RestoreSource
from shared.state.reader import StateReader


def copy(asked: CommandRequest) -> CommandEffect:
    """Record a copy, which the clock makes. Raises: Refused, with nearest points; Unavailable."""
    command, policy = asked.command, asked.policy
    if policy.backups.copies is None:
        raise Refused(f"{policy.system} declares no copies (backups.copies)")
    known = StateReader(asked.ports.store).copies(policy.system)
    open_ones = [one.id for one in known if one.status in FILLING_STATUSES]
    if len(open_ones) >= MAX_COPIES_PER_SYSTEM:
        raise Refused(f"{', '.join(open_ones)} are made now: wait for one of them")
    try:
        kept = restore_points.read_available_points(asked.ports, policy)
    except Rejected as no:
        raise Refused(f"what there is to copy cannot be seen: {no}") from no
    point = select_copy_source(command.restore_point, kept)
    now = asked.ports.clock.now()
    made = DatabaseCopy(
        id=copies.new_copy_id(policy.system, now),
        system=policy.system,
        original=policy.backups.database,
        point=point,
        location=_copy_location(kept, point),
        command=command.id,
        actor=command.actor,
        reason=command.reason,
        began_at=now,
    )
    untried = "" if point.is_verified else "; it was never restored to try it"
    result = f"{made.id}: {policy.backups.database} as of {point}, within minutes to hours{untried}"
    return CommandEffect(result, (Create(copies.copy_path(made.id), encode(made)),), answer={"copy": made.id})


def select_copy_source(text: str, kept: AvailablePoints) -> RestorePoint:
    """What a copy is made of. Raises: Refused."""
    point = restore_point.resolve_restore_point(text, kept)
    if point.source is RestoreSource.COPY:
        raise Refused(f"{point.place} is a copy already")
    return point


def _copy_location(kept: AvailablePoints, point: RestorePoint) -> str:
    """Return the location of the original, or of its backups where it is gone. Raises: Refused."""
    if kept.database is not None:
        return kept.database.location
    places = [one.name.split("/")[3] for one in kept.natives]
    if not places and point.source is RestoreSource.EXPORT:
        raise Refused("the database is gone, and nothing tells where it lay: import it by hand")
    return places[-1] if places else ""
