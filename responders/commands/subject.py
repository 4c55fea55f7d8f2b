"""What a command is about: an incident, its newest rollback, and their system, as they stand."""

from datetime import datetime, timedelta

from responders.support.command_handler import CommandRequest
from shared.core.codec import FrozenStruct
from shared.core.errors import Refused
from shared.core.store import Document, Query, Update, Write
from shared.core.text import suggest_names
from shared.domain.commands.command import Command
from shared.domain.incidents.incident import Incident, acknowledge, incident_path, rollback_id
from shared.domain.rollback.rollback import Rollback, rollback_path
from shared.domain.signals.labels import status_label
from shared.domain.system_record import system_path
from shared.engine.audited_commit import CommitDraft, build_rollback_writes
from shared.engine.lease import DUE_TIME_SKEW_TOLERANCE
from shared.state.available_commands import find_obstacle, read_available_verbs
from shared.state.reader import StateReader

STOPPING_VERBS = frozenset({"cancel", "reject"})
"""What at worst keeps something from happening, which a person may order again."""


class CommandSubject(FrozenStruct):
    """The documents as read, and their values."""

    asked: CommandRequest
    system: Document
    incident_document: Document
    incident: Incident
    rollback_document: Document
    newest: Rollback | None
    """The newest of the incident; None: it was kept for its time, and is kept no more."""

    @property
    def rollback(self) -> Rollback:
        """The incident's newest. Raises: Refused, when it is deleted."""
        if self.newest is None:
            raise Refused(f"the rollback of {self.incident.id} is deleted: request a new rollback")
        return self.newest

    def require_possible(self, verb: str) -> None:
        """Raises: Refused, if the verb does nothing here, or was about an earlier rollback."""
        rollback, reading = self.newest, StateReader(self.asked.ports.store)
        possible = read_available_verbs(reading, self.incident, rollback)
        if verb not in possible:
            instead = ", ".join(possible) or "none: the incident has ended"
            its = f"{rollback.id} is “{status_label(rollback.status)}”" if rollback else "is deleted"
            raise Refused(
                f"{verb} is not possible: {self.incident.id} is “{status_label(self.incident.status)}” "
                f"and its rollback {its}; possible commands: {instead}"
            )
        if verb != "ack" and rollback is not None:
            self.require_current()

    def require_current(self) -> None:
        """Raises: Refused, when what was said is, or may be, older than the rollback."""
        if is_command_outdated(self.asked.command, self.asked.said_at, self.incident, self.rollback):
            raise Refused(f"{self.rollback.id} started after the command was sent")

    def require_unobstructed(self, verb: str) -> None:
        """Raises: Refused, when a newer rollback changes the same; for an undo, when it has."""
        reading, rollback = StateReader(self.asked.ports.store), self.newest
        other = rollback and find_obstacle(reading, self.incident, rollback, verb)
        if other is not None:
            said = f"the newer rollback {other.id} ({status_label(other.status)}) is about the same"
            raise Refused(f"{said}: {verb} would overwrite its result")

    def write_incident(self, incident: Incident) -> Update:
        """The write of the incident, unless somebody has written it since it was read."""
        return self.incident_document.build_update(incident)

    def write_acknowledgement(self) -> list[Write]:
        """Return the write that acknowledges the incident for who acts on it, if nobody has."""
        owned = acknowledge(self.incident, self.asked.responder, self.incident_document.read_at)
        return [self.write_incident(owned)] if owned != self.incident else []

    def write_rollback(self, draft: CommitDraft) -> list[Write]:
        """The commit of a person's word: fenced, in the rollback's own chain, if there is one."""
        if self.newest is None:
            return []
        return build_rollback_writes(self.newest, self.rollback_document, draft, self.asked.ports.ids)


def is_command_outdated(command: Command, said_at: datetime, incident: Incident, rollback: Rollback) -> bool:
    """Whether a word is to be taken for one about an earlier rollback than the incident's newest.

    Pub/Sub says when it was said, the store when the rollback began, each by its own clock: within
    SKEW nobody can tell which came first. Then it is taken for a word about the newest where it can
    be about no other (the first of its incident, or one that it names, itself or by its plan), and
    where it only stops something. What lets something happen may be the word of a person who has
    seen the rollback before: it is refused, and said again.
    """
    named = bool(command.rollback or command.plan)
    plain = incident.rollbacks == 1 or named or command.command in STOPPING_VERBS
    return said_at < rollback.created_at - (DUE_TIME_SKEW_TOLERANCE if plain else timedelta(0))


def find_subject(asked: CommandRequest) -> CommandSubject:
    """The incident that a command names. Raises: Refused, with the nearest known ones."""
    command, store = asked.command, asked.ports.store
    system = store.get(system_path(command.system))
    document = store.get(incident_path(command.incident))
    incident = document.find(Incident)
    if incident is None or incident.system != command.system:
        ours = store.query(Query.equal("incidents", system=command.system))
        raise Refused(
            f"incident {command.incident} is not known in {command.system}"
            f"{suggest_names(command.incident, [one.decode(Incident).id for one in ours])}"
        )
    newest = rollback_id(incident.id, incident.rollbacks)
    if command.rollback not in ("", newest):
        raise Refused(f"rollback {command.rollback} is not the newest of its incident: {newest} is")
    kept = store.get(rollback_path(newest))
    return CommandSubject(asked, system, document, incident, kept, kept.find(Rollback))
