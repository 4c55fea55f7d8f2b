"""`rollback retry`: the plan of the last rollback once more, over what is not restored yet."""

from cli.act.pins import request_undo
from cli.act.run import preview_rollback, show_preview
from cli.support.command_sending import Incident, Reason, build_order
from cli.support.confirmation import DryRun, Follow, Manner, Yes, confirm_and_send
from cli.support.context import open_operations
from cli.support.output import AsJson
from responders.commands.rollback.rollback import build_retry_order
from responders.commands.subject import find_subject
from shared.domain.rollback.rollback import Direction


def retry(
    incident: Incident,
    reason: Reason,
    dry_run: DryRun = False,
    yes: Yes = False,
    follow_it: Follow = True,
    as_json: AsJson = False,
) -> None:
    """Order a further rollback of an incident whose last one failed, was cancelled or not executed.

    Shows the plan, which deployments it passes over, and how long it takes, then asks.

    Exit codes as of run.
    """
    with open_operations() as ours:
        subject = ours.incident(incident)
        content = {"command": "retry", "system": subject.system, "incident": incident, "reason": reason}
        _, order = build_order(ours, content, lambda asked: build_retry_order(find_subject(asked)))
        manner, question = Manner(dry_run, yes, follow_it, as_json), "Roll back again?"
        if order.way in (Direction.UNDO, Direction.UNPIN):
            request_undo(ours, order, content, manner, question)
            return
        policy, severity, since = ours.policies[subject.system], subject.severity, subject.detected_at
        if show_preview(preview_rollback(ours, policy, order, severity, detected=since), manner):
            confirm_and_send(ours, content, manner, question)
