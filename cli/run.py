"""`rollback run`: the plan is shown, a person says yes, and the rollback is followed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

import typer
from msgspec import Struct

from cli.following import follow
from cli.preview import Preview, preview
from cli.screen import AsJson, System, lasting, print_json, say, table
from cli.sending import Reason, checked, conclude, require_sender, send
from cli.wired import NO, Operations, leaving, operations
from shared.gate import Outcome
from shared.policy import Policy, Severity

SHOWN = 20
"""Functions that are listed one by one; more are told by group."""


def run(
    reason: Reason,
    system: System = "",
    group: Annotated[
        list[str] | None, typer.Option(metavar="GROUP", help="only this group; may be repeated")
    ] = None,
    function: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="only this function; may be repeated")
    ] = None,
    target: Annotated[
        str, typer.Option(metavar="DEPLOYMENT", help="where to go back to")
    ] = "last-stable",
    scenario: Annotated[str, typer.Option(help="which way back")] = "functions",
    severity: Annotated[Severity, typer.Option(help="how bad it is")] = Severity.CRITICAL,
    batch_size: Annotated[
        int | None, typer.Option(min=1, max=1000, help="at most this many at once")
    ] = None,
    delay: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, max=600, help="pause after each batch")
    ] = 0.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="show what would be done, and do nothing")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="do not ask here; where the policy asks, it still does")
    ] = False,
    auto_confirm: Annotated[
        bool,
        typer.Option("--auto-confirm", help="confirm in advance what the policy asks one person"),
    ] = False,
    override: Annotated[
        bool,
        typer.Option(
            "--override", help="break-glass: skip approval, freeze and budget; needs --incident"
        ),
    ] = False,
    incident: Annotated[
        str, typer.Option(metavar="INCIDENT", help="the incident that it is for")
    ] = "",
    follow_it: Annotated[
        bool, typer.Option("--follow/--no-follow", help="stay until it has ended")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Roll back by a person's word: an incident of its own, which supersedes automation.

    Shows the plan, how long it will take and whether that fits the target, then asks. Ctrl-C
    stops following; the rollback goes on, and `rollback cancel` ends it.

    Exit code 0 when it succeeded, there was nothing to do, or --dry-run; 1 when it was refused,
    declined, failed, cancelled or left to a person.
    """
    with operations() as ours:
        policy = ours.policy(system)
        content: dict[str, Any] = {
            "command": "rollback",
            "system": policy.system,
            "scenario": scenario,
            "target": target,
            "groups": group or [],
            "functions": function or [],
            "severity": severity.value,
            "batch_size": batch_size,
            "delay_seconds": delay,
            "auto_confirm": auto_confirm,
            "override": override,
            "incident": incident,
            "reason": reason,
        }
        _order(ours, policy, content, Manner(dry_run, yes, follow_it, as_json))


class Manner(Struct, frozen=True):
    """How an order is to be gone through at the prompt."""

    dry_run: bool
    yes: bool
    follow: bool
    as_json: bool


def _order(ours: Operations, policy: Policy, content: dict[str, Any], manner: Manner) -> None:
    """Show what would be done, ask, say it, follow it; exits where it did not go well."""
    shown = preview(ours, policy, checked(ours, content))
    if not manner.as_json:
        _show(shown, policy)
    elif manner.dry_run:
        print_json(shown)
    if manner.dry_run:
        return
    require_sender()
    if not manner.yes and not typer.confirm("Roll back?", err=manner.as_json):
        raise leaving(NO, "nothing was done")
    answer = send(ours, content)
    if not answer.accepted or not manner.follow:
        conclude(answer, as_json=manner.as_json)
        return
    if not manner.as_json:
        say(answer.text)
    seen = follow(ours, answer.incident, quietly=manner.as_json)
    if manner.as_json:
        print_json({"answer": answer, "rollback": seen.rollback, "steps": seen.steps})
    if not seen.went_well:
        raise typer.Exit(NO)


def _show(shown: Preview, policy: Policy) -> None:
    if shown.outcome != Outcome.ROLLBACK:
        say(f"{shown.outcome}: {shown.reason}", "yellow")
    if not shown.functions:
        return
    say(f"back to {shown.target}: {len(shown.functions)} functions", "bold")
    if len(shown.functions) <= SHOWN:
        table(
            ("  function", "serves", "would serve"),
            (
                (f"  {one.function}", _percents(one.live), _percents(one.target))
                for one in shown.functions
            ),
        )
    else:
        groups = Counter(policy.functions[one.function] for one in shown.functions)
        table(("  group", "functions"), ((f"  {name}", str(n)) for name, n in groups.items()))
    for line in shown.reported:
        say(f"  {line}", "yellow")
    fits = "within" if shown.fits else "MORE THAN"
    say(
        f"  about {lasting(timedelta(seconds=shown.seconds))} to the last shift, {fits} the target "
        f"of {lasting(policy.targets.functions)}",
        "" if shown.fits else "bold yellow",
    )


def _percents(revisions: Mapping[str, int]) -> str:
    return ", ".join(
        name if percent == 100 else f"{name} {percent} %" for name, percent in revisions.items()
    )
