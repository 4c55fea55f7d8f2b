"""The commands that are accepted about an incident, beside the rollbacks of other incidents."""

from collections.abc import Iterable

from shared.domain.incidents.incident import Incident
from shared.domain.incidents.next_actions import available_verbs
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, Direction, Rollback
from shared.state.reader import StateReader


def read_available_verbs(
    reading: StateReader, incident: Incident, rollback: Rollback | None
) -> tuple[str, ...]:
    """Return the verbs that are accepted now; `rollback` is the newest of the incident."""
    return exclude_obstructed(reading, incident, rollback, available_verbs(incident, rollback))


def exclude_obstructed(
    reading: StateReader, incident: Incident, rollback: Rollback | None, verbs: Iterable[str]
) -> tuple[str, ...]:
    """Return the verbs without a retry or an undo that a newer rollback obstructs."""
    if rollback is None:
        return tuple(verbs)
    return tuple(
        verb
        for verb in verbs
        if verb not in ("retry", "undo")
        or find_obstructing_rollback(reading, incident, rollback, verb) is None
    )


def find_obstructing_rollback(
    reading: StateReader, incident: Incident, rollback: Rollback, verb: str
) -> Rollback | None:
    """Return the newer rollback of another incident that changes the same now; None: none.

    An undo is also obstructed by one that has ended: it would overwrite what that one restored.
    """
    if reading.system(incident.system).incident == incident.id:
        return None
    undoes = verb == "undo" or rollback.way is Direction.UNDO
    moved = [one.scope for one in reading.rollbacks(incident) if one.started_at is not None]
    scopes = moved if undoes else [rollback.scope]
    changes = set[str]().union(*scopes) if all(scopes) else set[str]()
    for other in reversed(reading.rollbacks_of(incident.system)):
        is_newer = other.incident != incident.id and other.created_at > rollback.created_at
        counts = other.status not in ENDED_ROLLBACK_STATUSES or (undoes and other.started_at is not None)
        if is_newer and counts and not (changes and other.scope and changes.isdisjoint(other.scope)):
            return other
    return None
