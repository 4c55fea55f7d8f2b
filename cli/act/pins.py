"""`rollback pins`, `unpin` and `undo`: list pins, lift them, undo a rollback."""

from datetime import datetime

from cli.support.command_sending import CommandContent, Incident, Reason, build_order
from cli.support.confirmation import DryRun, Follow, Manner, Yes, confirm_and_send
from cli.support.context import Operations, open_operations
from cli.support.exit_codes import REFUSED, create_exit
from cli.support.options import Functions, Groups
from cli.support.output import AsJson, System, format_lasting, print_json, print_line, print_plan, print_table
from responders.commands.rollback.undo_and_unpin import build_undo_order, build_unpin_order
from responders.commands.subject import find_subject
from responders.rollback.decision.undo_preview import UndoPreview, preview_order
from shared.domain.decision.forecast import forecast_duration
from shared.domain.decision.gates.base import Outcome
from shared.domain.deployments.inventory.traffic import describe_served_revisions
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.pins import Pin, unpin_line
from shared.domain.rollback.rollback import RollbackRequest


def pins(system: System = "", as_json: AsJson = False) -> None:
    """List pinned functions: the owner and age of each pin, and the command that lifts it."""
    with open_operations() as ours:
        ours.require_state()
        policies = ours.selected_policies(system)
        now = ours.wiring.clock.now()
        found = {policy.system: ours.reading.pins(policy.system) for policy in policies}
        systems = {name: ours.reading.system(name) for name in found}
        if as_json:
            print_json(
                [
                    {
                        "pin": one,
                        "age_seconds": (now - one.since).total_seconds(),
                        "unpin": unpin_line(name, [one.function], keeper),
                    }
                    for name, several in found.items()
                    for one in several
                    for keeper in [ours.reading.pin_keeper(systems[name], [one])]
                ]
            )
            return
        for name, several in found.items():
            _list_pins(name, several, now, ours.reading.pin_keeper(systems[name], several))


def _list_pins(system: str, found: list[Pin], now: datetime, keeper: str) -> None:
    if not found:
        print_line(f"{system}: nothing is pinned")
        return
    print_line(f"{system}: {len(found)} pinned", "bold")
    print_table(
        ("  function", "pinned to", "for", "by"),
        (
            (
                f"  {one.function}",
                describe_served_revisions(one.revisions),
                format_lasting(now - one.since),
                f"{one.owner}, {one.rollback}",
            )
            for one in found
        ),
    )
    for one in found:
        if one.newest not in one.revisions:
            print_line(f"  {one.function}: no traffic for the newest revision {one.newest}", "yellow")
    names = [pin.function for pin in found] if len(found) == 1 else []
    more = "" if names else ", or one: --function NAME"
    print_line(f"  lift: {unpin_line(system, names, keeper)}{more}")


def unpin(
    reason: Reason,
    system: System = "",
    group: Groups = None,
    function: Functions = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    follow_it: Follow = True,
    as_json: AsJson = False,
) -> None:
    """Lift pins: the newest revisions serve again, or the shares that were set before the pins.

    Shows the new traffic, then asks. An unpin is checked, verified and monitored like a rollback,
    in an incident of its own.

    Exit code 0 when it succeeded, or --dry-run; 1 when it was refused, declined, failed or left to
    a person.
    """
    with open_operations() as ours:
        policy = ours.policy(system)
        content = {
            "command": "unpin",
            "system": policy.system,
            "groups": group,
            "functions": function,
            "reason": reason,
        }
        _, order = build_order(ours, content, build_unpin_order)
        request_undo(ours, order, content, Manner(dry_run, yes, follow_it, as_json), "Unpin?")


def undo(
    incident: Incident,
    reason: Reason,
    dry_run: DryRun = False,
    yes: Yes = False,
    follow_it: Follow = True,
    as_json: AsJson = False,
) -> None:
    """Restore the traffic shares and tags from before the incident's rollbacks.

    Restores documents too, after two people approve; nothing else changes. Shows the new
    traffic, then asks. The result is not verified: the incident stays open until its recovery is
    observed or somebody accepts it.

    Exit codes: as for `unpin`.
    """
    with open_operations() as ours:
        system = ours.incident(incident).system
        content = {"command": "undo", "system": system, "incident": incident, "reason": reason}
        _, order = build_order(ours, content, lambda asked: build_undo_order(find_subject(asked)))
        request_undo(ours, order, content, Manner(dry_run, yes, follow_it, as_json), "Undo?")


def request_undo(
    ours: Operations, order: RollbackRequest, content: CommandContent, manner: Manner, question: str
) -> None:
    """Show what would be done, and go through with it; exits where it fails."""
    policy = ours.policies[content["system"]]
    shown = preview_order(ours.wiring, policy, order)
    if not manner.as_json:
        _show_preview(ours, policy, order, shown)
    elif manner.dry_run:
        print_json(
            {
                "outcome": shown.outcome,
                "reason": shown.reason,
                "functions": shown.reversal.shown,
                "warning": shown.reversal.warning,
                "documents": shown.document_lines,
                "rebuilt": shown.reversal.rebuilt,
                "left": shown.reversal.refused,
            }
        )
    if shown.outcome is Outcome.ESCALATE:
        raise create_exit(REFUSED, f"refused: {shown.reason}")
    confirm_and_send(ours, content, manner, question)


def _show_preview(ours: Operations, policy: Policy, order: RollbackRequest, shown: UndoPreview) -> None:
    if shown.outcome in (Outcome.HOLD, Outcome.ASK):
        print_line(f"{shown.outcome}: {shown.reason}", "yellow")
    found, warning = shown.reversal, [shown.reversal.warning] if shown.reversal.warning else []
    left, ahead = (f"not changed: {line}" for line in found.refused), None
    if found.plan is not None:
        steps, kind = found.plan.steps, found.plan.header.scenario
        pace, now = ours.reading.pace(policy.system), ours.wiring.clock.now()
        ahead = forecast_duration(steps, policy, kind, order=order, left=pace, now=now)
    print_plan(found.shown, (*warning, *shown.document_lines, *found.rebuilt, *left), ahead)
