"""The commands that are accepted about an incident, beside the rollbacks of other incidents."""

from collections.abc import Iterable

from shared.domain.incidents.incident import Incident
from shared.domain.incidents.next_actions import available_verbs
from shared.domain.rollback.rollback import Direction, Rollback
from shared.state.reader import StateReader


def read_available_verbs(
    reading: StateReader, incident: Incident, newest: Rollback | None
) -> tuple[str, ...]:
    """Return the verbs that are accepted now; `newest` is the newest rollback of the incident."""
    verbs = available_verbs(incident, newest)
    return verbs if newest is None else exclude_obstructed(reading, incident, newest, verbs)


def exclude_obstructed(
    reading: StateReader, incident: Incident, newest: Rollback, verbs: Iterable[str]
) -> tuple[str, ...]:
    """Return the verbs without a retry or an undo that a newer rollback obstructs."""
    return tuple(one for one in verbs if find_obstacle(reading, incident, newest, one) is None)


def find_obstacle(reading: StateReader, incident: Incident, newest: Rollback, verb: str) -> Rollback | None:
    """Return the newer rollback of another incident that a retry or an undo would overwrite.

    Each waits for one that changes the same now; an undo also keeps off what one has changed.
    """
    if verb not in ("retry", "undo") or reading.system(incident.system).incident == incident.id:
        return None
    undoes = verb == "undo" or newest.way is Direction.UNDO
    moved = [one.scope for one in reading.rollbacks(incident) if one.started_at is not None]
    scopes = moved if undoes else [newest.scope]
    mine = set[str]().union(*scopes) if all(scopes) else set[str]()
    for other in reversed(reading.rollbacks_of(incident.system)):
        began_at = other.started_at or other.created_at
        is_newer = other.incident != incident.id and began_at > newest.created_at
        counts = not other.has_ended or (undoes and other.started_at is not None)
        if is_newer and counts and not (mine and other.scope and mine.isdisjoint(other.scope)):
            return other
    return None
