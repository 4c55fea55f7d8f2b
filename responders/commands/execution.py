"""Execute an operator command once by its id and in time, in one commit with its record."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache, partial

from msgspec.structs import replace

from responders.commands.authentication import authenticate_command, build_token_use_writes
from responders.commands.registry import COMMANDS
from responders.support.command_handler import CommandRequest
from shared.core.codec import encode
from shared.core.durations import describe_duration
from shared.core.errors import Refused
from shared.core.pubsub_message import PubSubMessage
from shared.core.store import Create, Write, retry_on_conflict
from shared.domain.audit.system_chain import system_event
from shared.domain.commands.command import Command, CommandRecord, command_path
from shared.domain.commands.registry import COMMAND_RULES
from shared.domain.policy.scenario_names import Mode
from shared.domain.policy.system_policy import Policies
from shared.domain.retention import RECORD_RETENTION
from shared.domain.system_record import ALL_SYSTEMS
from shared.ports.groups import Ports

OBSERVE_MODE_NAME = Mode.OBSERVE.name.lower()
"""The automation mode that a late `promote` may still set: it stops automation."""
COMMIT_ATTEMPTS = 20


def execute(
    ports: Ports, policies: Policies, command: Command, message: PubSubMessage, *, needs_token: bool
) -> None:
    """Return once the command is committed, now or earlier. Raises: Refused, Unavailable."""
    said_at = message.first_published_at or ports.clock.now()
    identified = cache(partial(authenticate_command, message, ports, policies, needs_token=needs_token))

    def attempt() -> None:
        if _is_done(ports, command):
            return
        _refuse_stale(ports, policies, command, said_at)
        actor = identified()
        said = replace(command, actor=actor.name)
        try:
            used_up = build_token_use_writes(actor, command.id, ports)
            request = CommandRequest(
                said, said_at, ports, policies, actor.person, actor.right, actor.at_console
            )
            _commit(request, used_up)
        except Refused:
            if not _is_done(ports, command):  # a copy of it was faster
                raise

    too_fast = f"command {command.id}: its documents change too fast"
    retry_on_conflict(attempt, COMMIT_ATTEMPTS, too_fast, ports.clock.sleep)


def _is_done(ports: Ports, command: Command) -> bool:
    """Return whether its record is stored. Raises: Refused, for a record of another command."""
    done = ports.store.get(command_path(command.id)).find(CommandRecord)
    if done is None:
        return False
    is_order = command.command == "rollback"  # its record names the incident that it opened
    incident = done.incident if is_order or not command.incident else command.incident
    system, verb, reason = command.system or ALL_SYSTEMS, command.command, command.reason
    if done != replace(
        done, command=verb, system=system, reason=reason, incident=incident, digest=command.digest
    ):
        raise Refused(f"id {command.id} was already used by another command: {done.command}")
    return True


def _refuse_stale(ports: Ports, policies: Policies, command: Command, said_at: datetime) -> None:
    """Raises: Refused, for a command that is too late to let something happen."""
    if not COMMAND_RULES[command.command].expires or command.mode == OBSERVE_MODE_NAME:
        return
    late = ports.clock.now() - said_at
    if late > policies[command.system].gates.stale_after:
        raise Refused(f"sent {describe_duration(late)} ago: too late for the command {command.command}")


def _commit(asked: CommandRequest, used_up: Sequence[Write]) -> None:
    """Commit the record and the token together with the effect. Raises: Moved, Refused."""
    command = asked.command
    effect = COMMANDS[command.command](asked)
    now, planned = asked.ports.clock.now(), effect.planned
    goes_on = effect.goes_on or effect.rehearses is not None or planned is not None
    record = CommandRecord(
        id=command.id,
        command=command.command,
        system=command.system or ALL_SYSTEMS,
        actor=command.actor,
        reason=command.reason,
        received_at=now,
        result=effect.result,
        digest=command.digest,
        responder=asked.responder,
        incident=effect.incident or command.incident,
        order=effect.rehearses,
        drills=effect.drills,
        planned=planned,
        due_at=planned.begins_at if planned is not None else now if goes_on else None,
        answer=dict(effect.answer),
        tells=effect.tells,
        expires_at=None if goes_on else now + RECORD_RETENTION,
    )
    told = system_event(
        record.system,
        f"command:{command.id}",
        f"command.{command.command}",
        now,
        command.actor,
        command=encode(command),
        right=asked.right,
        changes=effect.changes,
    )
    asked.ports.store.commit(
        [Create(command_path(command.id), encode(record)), told, *used_up, *effect.writes]
    )
