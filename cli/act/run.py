"""`rollback run`: the plan is shown, a person says yes, and the rollback is followed."""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta
from typing import Annotated

import typer
from msgspec import Struct
from msgspec.structs import replace

from cli.support.command_sending import Reason, check_command
from cli.support.confirmation import DryRun, Follow, Manner, PromptRequest, confirm_and_send
from cli.support.context import Operations, open_operations, parse_seconds
from cli.support.exit_codes import REFUSED, create_exit
from cli.support.options import FUNCTIONS, Functions, Groups, Scenario, Target
from cli.support.output import (
    AsJson,
    System,
    format_lasting,
    format_shares,
    print_json,
    print_line,
    print_table,
)
from responders.commands.rollback.rollback import build_rollback_order, require_target
from responders.commands.rollback.superseding import describe_conflict
from responders.data.repair import preview
from responders.rollback.decision import data_requests
from responders.rollback.decision.data_requests import Preparation
from responders.rollback.decision.dry_run import forecast_order
from responders.rollback.decision.plan import non_function_step_names
from shared.core.errors import Refused
from shared.core.text import count_noun
from shared.domain.commands.command import Command
from shared.domain.decision import forecast
from shared.domain.decision.facts import FunctionDifference
from shared.domain.decision.gates.base import Outcome
from shared.domain.decision.order_comparison import OrderComparison, OrderRelation, compare_with_current
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import LAST_STABLE, Direction, RollbackRequest
from shared.engine.steps.resource_differences import describe_steps

MAX_FUNCTIONS_SHOWN = 20
"""Functions that are listed one by one; more are told by group."""


def run(
    reason: Reason,
    system: System = "",
    group: Groups = None,
    function: Functions = None,
    target: Target = LAST_STABLE,
    scenario: Scenario = FUNCTIONS,
    restore_point: Annotated[
        str, typer.Option(metavar="POINT", help="how old documents may be: latest, a time, 1h, …")
    ] = "",
    select: Annotated[
        str, typer.Option(metavar="WHICH", help="which documents: invalid, all, document:PATH, …")
    ] = "",
    severity: Annotated[Severity, typer.Option(help="how bad it is")] = Severity.CRITICAL,
    batch_size: Annotated[
        int | None, typer.Option(metavar="COUNT", help="at most this many at once, 1 to 1000")
    ] = None,
    delay: Annotated[str, typer.Option(metavar="SPAN", help="pause after each batch: 30s, or seconds")] = "0",
    at: Annotated[str, typer.Option(metavar="TIME", help="plan a feature for then, ISO 8601, UTC")] = "",
    dry_run: DryRun = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="do not ask here; where the policy asks, it still does")
    ] = False,
    auto_confirm: Annotated[
        bool, typer.Option("--auto-confirm", help="confirm in advance what the policy asks one person")
    ] = False,
    override: Annotated[
        bool, typer.Option("--override", help="break-glass: skip approval, freeze, budget; needs --incident")
    ] = False,
    supersede: Annotated[
        bool, typer.Option("--supersede", help="end the rollback under way, if this one changes anything")
    ] = False,
    incident: Annotated[str, typer.Option(metavar="INCIDENT", help="the incident that it is for")] = "",
    follow_it: Follow = True,
    as_json: AsJson = False,
) -> None:
    """Roll back manually. An order for part of what is under way joins it, a wider one extends it.

    Shows the plan, what it would end and leave undone, how long it takes and whether that fits the
    target, then asks. Ctrl-C stops following; the rollback goes on, and `rollback cancel` ends it.

    Exit code 0 when it succeeded, there was nothing to do, or --dry-run; 1 when it was refused,
    declined, failed, cancelled or left to a person.
    """
    with open_operations() as ours:
        policy = ours.policy(system)
        request = RunRequest(
            system=policy.system,
            scenario=scenario,
            target=target,
            groups=group,
            functions=function,
            restore_point=restore_point,
            select=select,
            severity=severity,
            batch_size=batch_size,
            delay_seconds=parse_seconds("delay", delay),
            at=at,
            auto_confirm=auto_confirm,
            override=override,
            supersede=supersede,
            incident=incident,
            reason=reason,
            manner=Manner(dry_run, yes, follow_it and not at, as_json),
        )
        _request_rollback(ours, policy, request)


class RunRequest(PromptRequest, frozen=True, tag="rollback"):
    """The rollback that the options of `rollback run` request."""

    system: str
    scenario: str
    target: str
    groups: list[str] | None
    functions: list[str] | None
    restore_point: str
    select: str
    severity: Severity
    batch_size: int | None
    delay_seconds: float
    at: str
    auto_confirm: bool
    override: bool
    supersede: bool
    incident: str


def _request_rollback(ours: Operations, policy: Policy, request: RunRequest) -> None:
    """Show what the rollback would do, and go through with it; exits where it fails."""
    command = check_command(ours, request.content)
    try:
        require_target(command, ours.wiring.store)
    except Refused as unknown:
        raise create_exit(REFUSED, f"refused: {unknown.reason}") from unknown
    preview = _preview_rollback(ours, policy, command)
    if not request.manner.as_json:
        _show_preview(preview, policy, supersedes=request.supersede)
    elif request.manner.dry_run:
        print_json(preview)
    found, question = preview.under_way, "Roll back?"
    if found is not None and preview.outcome == Outcome.IGNORE:
        return
    if found is not None and not found.joins and not (request.supersede or request.manner.dry_run):
        if request.manner.yes or found.relation is OrderRelation.BARRED:
            raise create_exit(REFUSED, f"refused: {describe_conflict(found, command)} --yes")
        request, question = replace(request, supersede=True), f"End {found.incident} and roll back?"
    confirm_and_send(ours, request, question)


class RollbackPreview(Struct, frozen=True):
    """What would be decided now, and what it would change."""

    outcome: str
    reason: str
    target: str
    functions: list[FunctionDifference]
    beside: list[str]
    """What else it would do, by step."""
    reported: list[str]
    """What would be left as it is, one line each."""
    seconds: float
    """From the beginning to the last shift."""
    fits: bool
    """Whether that is within the policy's target for functions; of data, for the database."""
    documents: int = 0
    """So many would be written."""
    under_way: OrderComparison | None = None
    """What the order is to the rollback under way; None: there is none."""


def _preview_rollback(ours: Operations, policy: Policy, command: Command) -> RollbackPreview:
    """Return what this command would do now. Raises: Unavailable, Rejected."""
    now = ours.wiring.clock.now()
    order = build_rollback_order(command, policy, now)
    current = compare_with_current(ours.wiring.store, policy, order) if command.at is None else None
    if order.way is Direction.REPAIR:
        return replace(_preview_repair(ours, policy, order), under_way=current)
    found = forecast_order(ours.wiring, policy, order, now, current.rollback if current else "")
    decision, plan = found.decision, found.plan
    ahead = forecast.forecast_duration(
        plan.steps if plan else (), policy, order=order, left=found.pace, now=now
    )
    return RollbackPreview(
        outcome=decision.outcome,
        reason=decision.reason,
        target=decision.target,
        functions=found.shown,
        beside=non_function_step_names(plan) if plan else [],
        reported=list(plan.header.reported) if plan else [],
        seconds=ahead.seconds,
        fits=ahead.fits,
        under_way=current,
    )


def _preview_repair(ours: Operations, policy: Policy, order: RollbackRequest) -> RollbackPreview:
    now = ours.wiring.clock.now()
    found, _ = data_requests.forecast_data_request(ours.wiring, policy, order, now, Preparation(), math.inf)
    plan, survey = found.plan, found.survey
    seconds = preview.survey_seconds(survey) if survey is not None else 0.0
    return RollbackPreview(
        outcome=found.outcome,
        reason=found.reason,
        target=plan.header.target if plan is not None else order.restore_point,
        functions=[],
        beside=[],
        reported=list(plan.header.reported) if plan is not None else [],
        seconds=seconds,
        fits=seconds <= policy.targets.database.total_seconds(),
        documents=preview.count_written_documents(survey.outcome_counts) if survey is not None else 0,
    )


def _show_preview(shown: RollbackPreview, policy: Policy, *, supersedes: bool) -> None:
    if shown.outcome != Outcome.ROLLBACK:
        print_line(f"{shown.outcome}: {shown.reason}", "yellow")
    if shown.outcome == Outcome.HOLD:
        print_line("  the order waits until that is over", "yellow")
    for line in shown.under_way.describe(supersedes=supersedes) if shown.under_way is not None else ():
        print_line(line, "yellow")
    if shown.documents:
        print_line(f"back to {shown.target}: {count_noun(shown.documents, 'document')}", "bold")
        for line in shown.reported:
            print_line(f"  {line}", "yellow")
        return
    if not shown.functions and not shown.beside:
        return
    print_line(f"back to {shown.target}: {describe_steps(len(shown.functions), shown.beside)}", "bold")
    if len(shown.functions) <= MAX_FUNCTIONS_SHOWN:
        print_table(
            ("  function", "serves", "would serve"),
            (
                (f"  {one.function}", format_shares(one.live), format_shares(one.target))
                for one in shown.functions
            ),
        )
    else:
        groups = Counter(policy.functions[one.function] for one in shown.functions)
        print_table(("  group", "functions"), ((f"  {name}", str(n)) for name, n in groups.items()))
    for line in shown.reported:
        print_line(f"  {line}", "yellow")
    fits = "within" if shown.fits else "MORE THAN"
    print_line(
        f"  about {format_lasting(timedelta(seconds=shown.seconds))} to the last shift, {fits} the target "
        f"of {format_lasting(policy.targets.functions)}",
        "" if shown.fits else "bold yellow",
    )
