"""The commands check, export and notify: a data check, an audit log export, test notices."""

from msgspec.structs import replace

from responders.data.document_check import read_known_damage
from responders.support.command_handler import CommandEffect, CommandRequest
from shared.core.errors import Refused
from shared.domain.notices.notice import notice_writes
from shared.domain.notices.recipients import create_test_notices
from shared.domain.system_record import ALL_SYSTEMS, system_path


def check(asked: CommandRequest) -> CommandEffect:
    """By a person: the clock begins a run within a minute, or once the one under way is over."""
    command, policy = asked.command, asked.policy
    if not policy.collections:
        raise Refused(f"{policy.system} declares no collections")
    document, known = read_known_damage(asked.ports, policy)
    wanted = replace(known, asked=f"requested by {command.actor}: {command.reason}")
    when = "after the check in progress" if known.run is not None else "within a minute"
    names = ", ".join(sorted(policy.collections))
    return CommandEffect(f"data check {when}: {names}", (document.build_write(wanted),))


def export(asked: CommandRequest) -> CommandEffect:
    """The record is all there is to do: who exports reads the trail themselves."""
    command = asked.command
    return CommandEffect(f"{command.format} of {command.system or ALL_SYSTEMS}")


def notify(asked: CommandRequest) -> CommandEffect:
    """Each channel is told that it works, as it would be told of an incident."""
    command, policy = asked.command, asked.policy
    now = asked.ports.store.get(system_path(policy.system)).read_at
    text = f"This is a test by {command.actor}: {command.reason}"
    said = create_test_notices(policy, f"test-{command.id}", text, now)
    if not said:
        raise Refused(f"{policy.system} has no channel for the team or the stakeholders")
    names = ", ".join(one.channel for one in said)
    return CommandEffect(f"a test notification is sent to {names}", tuple(notice_writes(said)))
