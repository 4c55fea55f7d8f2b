"""A breach that a person declares: an alert like that of a finding, which nothing need confirm."""

from responders.alerts.incident_assignment import IncidentAssigner
from responders.support.command_handler import CommandEffect, CommandRequest
from responders.support.resumable_command import completed_record
from shared.core.codec import encode
from shared.core.errors import Refused
from shared.core.store import Document, Update
from shared.domain.commands.command import CommandRecord, command_path
from shared.domain.policy.signals import BREACH_SIGNAL
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.alert import DECLARED_PREFIX, create_alert
from shared.ports.groups import Ports


def declare_breach(asked: CommandRequest) -> CommandEffect:
    """It is declared; a worker records the alert. Raises: Refused, without such a signal."""
    if BREACH_SIGNAL not in asked.policy.signals:
        raise Refused(f"the policy of {asked.policy.system} has no signal {BREACH_SIGNAL}")
    return CommandEffect("a security breach is declared", goes_on=True)


def continue_breach(ports: Ports, policy: Policy, document: Document, record: CommandRecord) -> None:
    """Record the alert, once by the command's id. Raises: Moved, Unavailable."""
    now, said = document.read_at, f"declared by {record.actor}: {record.reason}"
    alert = create_alert(
        f"{DECLARED_PREFIX}{record.id}",
        "open",
        policy.system,
        BREACH_SIGNAL,
        started_at=record.received_at,
        now=now,
        notification=said,
    )
    IncidentAssigner(ports, "on_work").record(alert, policy)
    over = completed_record(record, now, record.result)
    ports.store.commit([Update(command_path(record.id), encode(over), document.version)])
