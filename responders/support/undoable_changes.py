"""What the rollbacks of an incident left that an undo restores."""

from responders.scenarios import undo_targets
from shared.core.store import Query, Store
from shared.domain.data.repair import quarantine
from shared.domain.incidents.incident import Incident
from shared.domain.rollback.rollback import Direction, RollbackStatus
from shared.engine.engine import load_steps
from shared.state.reader import StateReader


def has_undoable_changes(store: Store, incident: Incident) -> bool:
    """Return whether an undo of the incident restores something; else it is refused."""
    return bool(moved_functions(store, incident) or repairs_with_writes(store, incident))


def moved_functions(store: Store, incident: Incident) -> dict[str, undo_targets.UndoTarget]:
    """The functions that an incident's rollbacks have moved, as they were found."""
    steps = [load_steps(store, name).values() for name in incident.rollback_ids]
    return undo_targets.collect_undo_targets(steps)


def repairs_with_writes(store: Store, incident: Incident) -> list[str]:
    """Return an incident's repairs with writes, newest first; those before an undo are undone."""
    repaired: list[str] = []
    for known in StateReader(store).rollbacks(incident):  # of any other the journal is gone as well
        if known.way is Direction.UNDO and known.status is RollbackStatus.SUCCEEDED:
            repaired.clear()
        elif known.way is Direction.REPAIR and store.query(Query(quarantine.journal_path(known.id), limit=1)):
            repaired.insert(0, known.id)
    return repaired
