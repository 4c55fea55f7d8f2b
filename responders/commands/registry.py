"""The registry of commands: the handler of each verb, and how a worker continues it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from responders.backups import copy_command
from responders.commands.incident import breach, legal_hold, operator_answers, root_cause
from responders.commands.rollback import drill, rollback, schedule, undo
from responders.commands.switches import switches
from responders.commands.upkeep import data_regeneration, deployment_mark, diagnostics
from responders.data import erasure_ledger
from responders.data.repair import erasure_after_repair, quarantine_erasure
from responders.rollback import session_revocation
from responders.rollback.isolation import fence_command
from responders.rollback.isolation.retired_suppression import SUPPRESSION_VERB, end_suppression
from responders.support.command_handler import CommandHandler
from shared.core.store import Document
from shared.domain.commands.command import CommandRecord
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports

Continuation = Callable[[Ports, Policy, Document, CommandRecord], None]
"""Does the next pieces of a command that a worker carries out."""


class RegisteredCommand(Struct, frozen=True):
    """What carries out one command."""

    handle: CommandHandler
    """Decides at once, and returns what is committed with the command's record."""
    go_on: Continuation | None = None
    """None: the handler does all of it, or a worker decides about the order in its record."""


COMMANDS: dict[str, RegisteredCommand] = {
    "rollback": RegisteredCommand(schedule.order_rollback),
    "retry": RegisteredCommand(rollback.retry),
    "undo": RegisteredCommand(undo.undo),
    "unpin": RegisteredCommand(undo.unpin),
    "breach": RegisteredCommand(breach.declare_breach, breach.continue_breach),
    "revoke-sessions": RegisteredCommand(
        session_revocation.revoke_sessions, session_revocation.continue_session_revocation
    ),
    "unplan": RegisteredCommand(schedule.cancel_scheduled_rollbacks),
    "cancel": RegisteredCommand(rollback.cancel),
    "approve": RegisteredCommand(operator_answers.approve),
    "reject": RegisteredCommand(operator_answers.reject),
    "ack": RegisteredCommand(operator_answers.ack),
    "accept": RegisteredCommand(operator_answers.accept),
    "publish": RegisteredCommand(operator_answers.publish),
    "root-cause": RegisteredCommand(root_cause.record_root_cause),
    "hold": RegisteredCommand(legal_hold.hold, legal_hold.continue_legal_hold),
    "release": RegisteredCommand(legal_hold.release, legal_hold.continue_legal_hold),
    "pause": RegisteredCommand(switches.pause),
    "resume": RegisteredCommand(switches.resume),
    "freeze": RegisteredCommand(switches.freeze),
    "unfreeze": RegisteredCommand(switches.unfreeze),
    "promote": RegisteredCommand(switches.promote),
    "export": RegisteredCommand(diagnostics.export),
    "mark-stable": RegisteredCommand(deployment_mark.mark_stable),
    "mark-bad": RegisteredCommand(deployment_mark.mark_bad),
    "mark-barrier": RegisteredCommand(deployment_mark.mark_barrier),
    "drill": RegisteredCommand(drill.drill),
    "copy": RegisteredCommand(copy_command.copy),
    "fence": RegisteredCommand(fence_command.raise_fence, fence_command.continue_fence),
    "lift-fence": RegisteredCommand(fence_command.lift_fence),
    "erase": RegisteredCommand(erasure_ledger.erase),
    "notify": RegisteredCommand(diagnostics.notify),
    "check": RegisteredCommand(diagnostics.check),
    "regenerate": RegisteredCommand(data_regeneration.regenerate, data_regeneration.continue_regeneration),
}
"""By the verb in a command's JSON (`command.schema.json`)."""
INTERNAL: dict[str, Continuation] = {
    erasure_ledger.ERASE_VERB: quarantine_erasure.continue_quarantine_erasure,
    erasure_after_repair.ERASE_AFTER_REPAIR_VERB: erasure_after_repair.continue_late_erasure,
    SUPPRESSION_VERB: end_suppression,
}
"""What the responders order themselves, by the name in its record; no message may say it."""


def continuation(command: str) -> Continuation:
    """Return what continues a command. Raises: KeyError, for one that has nothing to continue."""
    found = INTERNAL.get(command) or COMMANDS[command].go_on
    if found is None:
        raise KeyError(command)
    return found
