"""on_command: what a person asks for is checked whole, done once by its id, and recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, partial

from msgspec.structs import replace

from responders.commands.authentication import identify, use_up
from responders.commands.registry import COMMANDS
from responders.commands.switches import audit_events
from responders.support.command_handler import CommandRequest
from shared.core.codec import encode
from shared.core.errors import Refused
from shared.core.store import Create, Write
from shared.core.write_conflicts import retry_on_conflict
from shared.domain.audit.chain import event
from shared.domain.audit.system_chain import write_down
from shared.domain.commands import command as commands
from shared.domain.commands.command import Command, CommandRecord
from shared.domain.commands.registry import COMMAND_RULES
from shared.domain.policy.model import Mode, Policy
from shared.domain.retention import KEPT_FOR
from shared.domain.system import EVERYWHERE
from shared.engine.lease import SKEW
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.envelope import Message

OBSERVE = Mode.OBSERVE.name.lower()
"""The promotion that stops automation."""
COMMIT_ATTEMPTS = 20
RETRY_SECONDS = 0.1


class CommandsTrigger:
    """Carries out what people ask for, who prove who they are."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = policies

    def receive(self, message: Message) -> None:
        """Return once the command is committed with its effects, and their work published.

        A redelivery, or another message with the same id, changes nothing and republishes what is
        due; one that was replayed has the id and the age that it had at first. Raises: Refused,
        with every fault; Unavailable.
        """
        command = commands.parse_command(message.data, message.first_id, self._policies)
        said_at = message.first_published_at or self._ports.clock.now()
        identified = cache(partial(identify, message, self._ports, self._policies))

        def carried_out() -> None:
            if self._is_done(command):
                return
            self._refuse_stale(command, said_at)
            actor = identified()
            said = replace(command, actor=actor.name)
            try:
                used_up = use_up(actor, command.id, self._ports)
                who = actor.person, actor.right
                asked = CommandRequest(said, said_at, self._ports, self._policies, *who)
                self._carry_out(asked, used_up)
            except Refused:
                if not self._is_done(command):  # a copy of it was faster
                    raise

        too_fast = f"command {command.id}: its documents change too fast"
        pause = partial(self._ports.clock.sleep, RETRY_SECONDS)
        retry_on_conflict(carried_out, COMMIT_ATTEMPTS, too_fast, pause)
        audit_events.tell(self._ports, command.id)
        self._republish()

    def _is_done(self, command: Command) -> bool:
        """Whether this command, by its id, was carried out."""
        return self._ports.store.get(commands.command_path(command.id)).fields is not None

    def _refuse_stale(self, command: Command, said_at: datetime) -> None:
        """Raises: Refused, for what is not to happen in another hour."""
        if not COMMAND_RULES[command.command].expires or command.mode == OBSERVE:
            return
        late = self._ports.clock.now() - said_at
        if late > self._policies[command.system].gates.stale_after:
            raise Refused(f"said {late} ago: too late for a {command.command}")

    def _carry_out(self, asked: CommandRequest, used_up: Sequence[Write]) -> None:
        """Commit the command's record and token together with its effect.

        Raises: Moved, Refused.
        """
        command = asked.command
        effect = COMMANDS[command.command].handle(asked)
        now, planned = self._ports.clock.now(), effect.planned
        goes_on = effect.goes_on or effect.rehearses is not None or planned is not None
        record = CommandRecord(
            id=command.id,
            command=command.command,
            system=command.system or EVERYWHERE,
            actor=command.actor,
            reason=command.reason,
            received_at=now,
            result=effect.result,
            incident=effect.incident or command.incident,
            order=effect.rehearses,
            drills=effect.drills,
            planned=planned,
            due_at=planned.begins_at if planned is not None else now if goes_on else None,
            answer=dict(effect.answer),
            tells=effect.tells,
            expires_at=None if goes_on else now + KEPT_FOR,
        )
        told = event(
            f"command.{command.command}",
            now,
            command.actor,
            command=encode(command),
            right=asked.right,
            changes=effect.changes,
        )
        self._ports.store.commit(
            [
                Create(commands.command_path(command.id), encode(record)),
                write_down(record.system, f"command:{command.id}", told),
                *used_up,
                *effect.writes,
            ]
        )

    def _republish(self) -> None:
        """Hand over what the command made due, by the store's clock, and whatever else is."""
        ports, now = self._ports, self._ports.clock.now() + SKEW
        for kind in work_queue.COLLECTIONS:
            work_queue.publish_due(ports.store, ports.bus, kind, now, self._policies)
