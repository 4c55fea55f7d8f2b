"""The registry of commands: the handler of each verb, and how a worker continues it."""

from collections.abc import Callable
from functools import partial

from responders.backups import database_copy
from responders.commands.incident import legal_hold, operator_answers
from responders.commands.rollback import drill, rollback, schedule, undo_and_unpin
from responders.commands.switches import switches
from responders.commands.upkeep import data_regeneration, deployment_mark, diagnostics
from responders.data import erasure_ledger
from responders.data.repair import erasure_after_repair
from responders.rollback import session_revocation
from responders.rollback.isolation import fence_command
from responders.support.command_handler import CommandHandler
from responders.support.resumable_command import ProcessPiece, build_end_report, continue_command
from shared.core.store import Document
from shared.domain.commands.command import CommandRecord
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports

Continuation = Callable[[Ports, Policy, Document, CommandRecord], None]
"""Does the next pieces of a command that a worker carries out."""


def _in_pieces(piece: ProcessPiece, end_event: str, severity: Severity) -> Continuation:
    return partial(continue_command, piece=piece, end=partial(build_end_report, end_event, severity))


COMMANDS: dict[str, CommandHandler] = {
    "rollback": schedule.order_rollback,
    "retry": rollback.retry,
    "undo": undo_and_unpin.undo,
    "unpin": undo_and_unpin.unpin,
    "breach": operator_answers.declare_breach,
    "revoke-sessions": session_revocation.revoke_sessions,
    "unplan": schedule.cancel_scheduled_rollbacks,
    "cancel": rollback.cancel,
    "approve": operator_answers.approve,
    "reject": operator_answers.reject,
    "ack": operator_answers.ack,
    "accept": operator_answers.accept,
    "publish": operator_answers.publish,
    "root-cause": operator_answers.record_root_cause,
    "mark": operator_answers.mark,
    "hold": legal_hold.change_hold,
    "release": legal_hold.change_hold,
    "pause": switches.pause,
    "resume": switches.resume,
    "freeze": switches.freeze,
    "unfreeze": switches.unfreeze,
    "promote": switches.promote,
    "export": diagnostics.export,
    "mark-stable": deployment_mark.mark_stable,
    "mark-bad": deployment_mark.mark_bad,
    "mark-barrier": deployment_mark.mark_barrier,
    "drill": drill.drill,
    "copy": database_copy.copy,
    "fence": fence_command.raise_fence,
    "lift-fence": fence_command.lift_fence,
    "erase": erasure_ledger.erase,
    "notify": diagnostics.notify,
    "check": diagnostics.check,
    "regenerate": data_regeneration.regenerate,
}
"""The handler of each verb in a command's JSON (`command.schema.json`)."""
CONTINUATIONS: dict[str, Continuation] = {
    "breach": operator_answers.continue_breach,
    "revoke-sessions": _in_pieces(session_revocation.revoke_page, "sessions.ended", Severity.HIGH),
    "hold": legal_hold.continue_legal_hold,
    "release": legal_hold.continue_legal_hold,
    "fence": fence_command.continue_fence,
    "regenerate": _in_pieces(data_regeneration.request_next_topic, "regeneration.asked", Severity.MEDIUM),
    erasure_ledger.ERASE_VERB: partial(
        continue_command,
        piece=erasure_after_repair.erase_quarantined_portion,
        end=erasure_after_repair.build_end_report,
    ),
    erasure_after_repair.ERASE_AFTER_REPAIR_VERB: _in_pieces(
        erasure_after_repair.erase_late_portion, "erased.taken-out", Severity.HIGH
    ),
}
"""What a worker continues, by the verb in the record; the responders alone give the last one."""
