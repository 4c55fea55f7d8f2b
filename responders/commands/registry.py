"""The registry of commands: the handler of each verb, and how a worker continues it.

`shared.domain.commands.registry` says who may give each of them.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from responders.backups import copy_command
from responders.commands.incident import answers, breach, legal_hold, root_cause
from responders.commands.rollback import drill, rollback, schedule, undo
from responders.commands.switches import switches
from responders.commands.upkeep import data_regeneration, deployment_mark, diagnostics
from responders.data import erasure
from responders.data.repair import erasure_after_repair, quarantine_erasure
from responders.rollback import session_revocation
from responders.rollback.isolation import fence_command
from responders.rollback.isolation.retired_suppression import SUPPRESSION, end_suppression
from responders.support.command_handler import Verb
from shared.core.store import Document
from shared.domain.commands.command import CommandRecord
from shared.domain.policy.model import Policy
from shared.ports.groups import Ports

Continuation = Callable[[Ports, Policy, Document, CommandRecord], None]
"""Does the next pieces of a command that a worker carries out."""


class RegisteredCommand(Struct, frozen=True):
    """What carries out one command."""

    handle: Verb
    """Decides at once, and returns what is committed with the command's record."""
    go_on: Continuation | None = None
    """None: the handler does all of it, or a worker decides about the order in its record."""


COMMANDS: dict[str, RegisteredCommand] = {
    "rollback": RegisteredCommand(schedule.order),
    "retry": RegisteredCommand(rollback.retry),
    "undo": RegisteredCommand(undo.undo),
    "unpin": RegisteredCommand(undo.unpin),
    "breach": RegisteredCommand(breach.declare, breach.go_on),
    "revoke-sessions": RegisteredCommand(session_revocation.revoke, session_revocation.go_on),
    "unplan": RegisteredCommand(schedule.call_off),
    "cancel": RegisteredCommand(rollback.cancel),
    "approve": RegisteredCommand(answers.approve),
    "reject": RegisteredCommand(answers.reject),
    "ack": RegisteredCommand(answers.ack),
    "accept": RegisteredCommand(answers.accept),
    "publish": RegisteredCommand(answers.publish),
    "root-cause": RegisteredCommand(root_cause.record),
    "hold": RegisteredCommand(legal_hold.hold, legal_hold.go_on),
    "release": RegisteredCommand(legal_hold.release, legal_hold.go_on),
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
    "fence": RegisteredCommand(fence_command.raise_fence, fence_command.go_on),
    "lift-fence": RegisteredCommand(fence_command.lift),
    "erase": RegisteredCommand(erasure.erase),
    "notify": RegisteredCommand(diagnostics.notify),
    "check": RegisteredCommand(diagnostics.check),
    "regenerate": RegisteredCommand(data_regeneration.regenerate, data_regeneration.go_on),
}
"""By the verb in a command's JSON (`command.schema.json`)."""
INTERNAL: dict[str, Continuation] = {
    quarantine_erasure.VERB: quarantine_erasure.go_on,
    erasure_after_repair.VERB: erasure_after_repair.go_on,
    SUPPRESSION: end_suppression,
}
"""What the responders order themselves, by the name in its record; no message may say it."""


def continuation(command: str) -> Continuation:
    """Return what continues a command. Raises: KeyError, for one that has nothing to continue."""
    found = INTERNAL.get(command) or COMMANDS[command].go_on
    if found is None:
        raise KeyError(command)
    return found
