"""on_command: what a person asks for is checked whole, done once by its id, and recorded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec.structs import replace

from responders.ordering import Ordering
from shared import command as commands
from shared import handover
from shared import rollback as rollbacks
from shared import system as systems
from shared.audit import event
from shared.command import Command, CommandRecord
from shared.documents import decode, encode
from shared.envelope import Message
from shared.errors import Moved, Refused, Unavailable
from shared.outside import EVERYWHERE, write_down
from shared.policy import Mode, Policy
from shared.ports import Create, Document, Ports, Query, Write, written
from shared.rollback import KEPT_FOR, Rollback, Status
from shared.system import GLOBAL, Controls, Pause, System
from shared.tenure import Draft, prepared

COMMIT_ATTEMPTS = 20
RETRY_SECONDS = 0.1


class Commands:
    """Rollback, pause, resume and promote. Who may publish on the topic may command."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = policies

    def receive(self, message: Message) -> None:
        """Return once the command is committed with its effects, and their work published.

        A redelivery, or another message with the same id, changes nothing and republishes what is
        due. Raises: Refused, with every fault; Unavailable.
        """
        command = commands.parse(message.data, message.id, self._policies)
        said_at = message.published_at or self._ports.clock.now()
        for _ in range(COMMIT_ATTEMPTS):
            if self._ports.store.get(commands.path(command.id)).fields is None:
                self._refuse_stale(command, said_at)
                try:
                    self._carry_out(command, said_at)
                except Moved:  # somebody wrote first, perhaps this very command: look again
                    self._ports.clock.sleep(RETRY_SECONDS)
                    continue
            self._republish()
            return
        raise Unavailable(f"command {command.id}: its documents change too fast")

    def _refuse_stale(self, command: Command, said_at: datetime) -> None:
        """Raises: Refused, for an order of another hour; a switch is never too late."""
        if command.command not in ("rollback", "promote"):
            return
        late = self._ports.clock.now() - said_at
        if late > self._policies[command.system].gates.stale_after:
            raise Refused(f"said {late} ago: too late for a {command.command}")

    def _carry_out(self, command: Command, said_at: datetime) -> None:
        """Commit the command's record together with its effect. Raises: Moved."""
        match command.command:
            case "rollback":
                policy = self._policies[command.system]
                writes, result = Ordering(self._ports, policy).compose(command)
            case "promote":
                writes, result = self._promotion(command), f"{command.system} may {command.mode}"
            case "pause" | "resume":
                writes = self._switched(command, said_at)
                result = f"{command.command}d" if writes else "overtaken by a newer switch"
        now = self._ports.clock.now()
        record = CommandRecord(
            id=command.id,
            command=command.command,
            system=command.system or EVERYWHERE,
            actor=command.actor,
            reason=command.reason,
            received_at=now,
            result=result,
            expires_at=now + KEPT_FOR,
        )
        told = event(f"command.{command.command}", now, command.actor, command=encode(command))
        self._ports.store.commit(
            [
                Create(commands.path(command.id), encode(record)),
                write_down(record.system, f"command:{command.id}", told),
                *writes,
            ]
        )
        if writes and command.command in ("pause", "resume"):
            self._tell_running(command)

    def _promotion(self, command: Command) -> list[Write]:
        document = self._ports.store.get(systems.path(command.system))
        return [_system_write(document, command.system, mode=Mode[command.mode.upper()])]

    def _switched(self, command: Command, said_at: datetime) -> list[Write]:
        """The kill switch, here or everywhere; nothing where a newer command has set it."""
        pausing = command.command == "pause"
        pause = Pause(command.actor, said_at, command.reason) if pausing else None
        store = self._ports.store
        if not command.system:
            document = store.get(GLOBAL)
            switched_at = (document.fields or {}).get("switched_at")
            write = written(document, encode(Controls(pause, said_at)))
        else:
            document = store.get(systems.path(command.system))
            switched_at = _system(document, command.system).switched_at
            write = _system_write(document, command.system, pause=pause, switched_at=said_at)
        overtaken = switched_at is not None and switched_at > said_at
        return [] if overtaken else [write]

    def _tell_running(self, command: Command) -> None:
        """Write the switch into the trail of each rollback that it concerns, and wake it.

        The switch itself is in force already; a rollback whose worker keeps writing at this moment
        is told again, a bounded number of times.
        """
        for rollback in self._alive(command.system):
            for _ in range(COMMIT_ATTEMPTS):
                try:
                    self._append(command, rollback)
                    break
                except Moved:
                    self._ports.clock.sleep(RETRY_SECONDS)

    def _append(self, command: Command, rollback_id: str) -> None:
        document = self._ports.store.get(rollbacks.path(rollback_id))
        rollback = decode(Rollback, document.fields)
        if rollback.due_at is None:
            return
        now = document.read_at
        told = event(f"rollback.{command.command}d", now, command.actor, reason=command.reason)
        woken = {"due_at": min(rollback.due_at, now)} if rollback.status is Status.RUNNING else {}
        draft = Draft((told,), woken)
        _, writes = prepared(rollback, document.version, draft, self._ports.ids(), renew=False)
        self._ports.store.commit(writes)

    def _alive(self, system: str) -> list[str]:
        """The rollbacks that have not ended, of one system or of all."""
        found = self._ports.store.query(
            Query("rollbacks", where=(("due_at", ">", datetime(1970, 1, 1, tzinfo=UTC)),))
        )
        alive = (decode(Rollback, document.fields) for document in found)
        return [one.id for one in alive if system in ("", one.system)]

    def _republish(self) -> None:
        """Hand over what the command made due, and whatever else is."""
        ports, now = self._ports, self._ports.clock.now()
        handover.publish_due(ports.store, ports.bus, handover.ROLLBACK, now, self._policies)
        handover.publish_due(ports.store, ports.bus, handover.NOTICE, now, self._policies)


def _system(document: Document, name: str) -> System:
    return decode(System, document.fields) if document.fields else System(name=name)


def _system_write(document: Document, name: str, **changes: object) -> Write:
    """The write of a system's document, unless it has changed since it was read."""
    return written(document, encode(replace(_system(document, name), **changes)))
