"""`rollback run` and `retry`: show the plan, ask the operator, and follow the rollback."""

import math
from datetime import datetime
from typing import Annotated

import typer
from msgspec.structs import asdict, replace

from cli.act.pins import request_undo
from cli.act.run_questions import Answers, ask_order, is_terminal, require_reason
from cli.support.command_sending import CommandContent, Incident, Reason, build_order
from cli.support.confirmation import DryRun, Follow, Manner, Yes, confirm_and_send
from cli.support.context import Operations, open_operations, parse_seconds, read_restore_point
from cli.support.exit_codes import INVALID_USAGE, REFUSED, create_exit
from cli.support.options import FUNCTIONS, Functions, Groups, Scenario, Target
from cli.support.output import AsJson, System, print_json, print_line, print_plan
from cli.support.parameters import flag, option
from responders.commands.rollback.rollback import build_possible_order, build_retry_order
from responders.commands.rollback.superseding import describe_conflict
from responders.commands.subject import find_subject
from responders.data.repair import preview
from responders.rollback.decision.data_requests import Preparation, forecast_data_request
from responders.rollback.decision.dry_run import forecast_order
from shared.core.codec import FrozenStruct
from shared.core.text import count_noun
from shared.domain.decision.facts import FunctionDifference
from shared.domain.decision.forecast import DurationForecast, forecast_documents, forecast_duration
from shared.domain.decision.gates.base import Outcome
from shared.domain.decision.order_comparison import OrderComparison, compare_with_current
from shared.domain.incidents.opening import find_continued_detection
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import OVERLONG_PLAN_PREFIX
from shared.domain.rollback.rollback import LAST_STABLE, Direction, RollbackRequest
from shared.domain.system_record import system_path
from shared.engine.steps.resource_differences import describe_resource_changes, describe_steps, is_resource

RestorePoint = Annotated[str, option("POINT", "how old documents may be: latest, a time, 1h, …")]
Select = Annotated[str, option("WHICH", "which documents: invalid, all, document:PATH, …")]
BatchSize = Annotated[int | None, option("COUNT", "at most this many at once, 1 to 1000")]
YesHere = Annotated[bool, flag("--yes", "skip the confirmation, but no approval of the policy")]
AutoConfirm = Annotated[
    bool, flag("--auto-confirm", "like --yes; also gives one approval that the policy requires")
]
Override = Annotated[bool, flag("--override", "skip approval, freeze and barriers (--incident)")]
Supersede = Annotated[
    bool, flag("--supersede", "end the rollback in progress, if this order changes anything")
]


def run(
    context: typer.Context,
    reason: Annotated[str, option("TEXT", "why; stored in the audit log")] = "",
    system: System = "",
    group: Groups = None,
    function: Functions = None,
    target: Target = LAST_STABLE,
    scenario: Scenario = FUNCTIONS,
    restore_point: RestorePoint = "",
    select: Select = "",
    severity: Annotated[Severity, typer.Option(help="severity of the incident")] = Severity.CRITICAL,
    batch_size: BatchSize = None,
    delay: Annotated[str, option("SPAN", "pause after each batch: 30s, or seconds")] = "0",
    at: Annotated[str, option("TIME", "schedule a feature rollback, ISO 8601 UTC")] = "",
    dry_run: DryRun = False,
    yes: YesHere = False,
    auto_confirm: AutoConfirm = False,
    override: Override = False,
    supersede: Supersede = False,
    incident: Annotated[str, option("INCIDENT", "the incident that it concerns")] = "",
    interactive: Annotated[
        bool, flag("--interactive", "prompt for system, scenario, target and reason")
    ] = False,
    follow_it: Follow = True,
    as_json: AsJson = False,
) -> None:
    """Roll back manually. An order joins a rollback in progress, or extends it.

    Shows the plan, the rollback that it would end, its duration and whether that fits the target,
    then asks. Ctrl-C stops following; the rollback goes on, and `rollback cancel` ends it.
    Without any option it prompts for system, scenario, target (or restore point) and reason.

    Exit code 0 when it succeeded, there was nothing to do, or --dry-run; 1 when it was refused,
    declined, failed, cancelled or left to a person.
    """
    asks = is_terminal() and not as_json
    is_interactive = _is_interactive(context, interactive=interactive, asks=asks)
    with open_operations() as ours:
        given = Answers(system, scenario, target, restore_point)
        chosen = ask_order(ours, given) if is_interactive else given
        policy = ours.policy(chosen.system)
        point, shown = read_restore_point(chosen.restore_point)
        if shown and not as_json:
            print_line(f"restore point: {shown}", "bold")
        content = {
            "command": "rollback",
            "system": policy.system,
            "scenario": chosen.scenario,
            "target": chosen.target,
            "groups": group,
            "functions": function,
            "restore_point": point,
            "select": select,
            "severity": severity,
            "batch_size": batch_size,
            "delay_seconds": parse_seconds("delay", delay),
            "at": at,
            "auto_confirm": auto_confirm,
            "override": override,
            "supersede": supersede,
            "incident": incident,
            "reason": require_reason(reason, auto_confirm=auto_confirm, asks=asks),
        }
        manner = Manner(dry_run, yes or auto_confirm, follow_it and not at, as_json)
        question = f"Restore documents as of {shown}?" if shown else "Roll back?"
        _request_rollback(ours, policy, content, manner, question)


def _is_interactive(context: typer.Context, *, interactive: bool, asks: bool) -> bool:
    """Return whether to prompt: on request, or without options. Exits where nobody can answer."""
    sources = map(context.get_parameter_source, context.params)
    if not interactive and any(one is not None and one.name == "COMMANDLINE" for one in sources):
        return False
    if not asks:
        typer.echo(context.get_help())
        raise create_exit(INVALID_USAGE, "no terminal for questions: give the options, and --reason TEXT")
    return True


def _request_rollback(
    ours: Operations, policy: Policy, content: CommandContent, manner: Manner, question: str
) -> None:
    """Show what the rollback would do, and go through with it; exits where it fails."""
    command, order = build_order(ours, content, build_possible_order)
    current = compare_with_current(ours.wiring.store, policy, order) if command.at is None else None
    since = None
    if command.at is None:
        store = ours.wiring.store
        since = find_continued_detection(policy, store.get(system_path(policy.system)), store, order)
    shown = preview_rollback(ours, policy, order, command.severity, current, since)
    if not show_preview(shown, manner, supersedes=content["supersede"]):
        return
    if current is not None and not current.joins and not (content["supersede"] or manner.dry_run):
        if manner.yes or current.is_barred:
            raise create_exit(REFUSED, f"refused: {describe_conflict(current, command)} --yes")
        content, question = {**content, "supersede": True}, f"End {current.incident} and roll back?"
    confirm_and_send(ours, content, manner, question)


class RollbackPreview(FrozenStruct, kw_only=True):
    """What would be decided now, and what it would change."""

    outcome: str
    reason: str
    target: str
    functions: list[FunctionDifference] = []
    beside: list[str] = []
    """What else it would do, by step."""
    reported: list[str]
    """What would be left as it is, one line each."""
    resources: list[str] = []
    """The present and the future state of each."""
    ahead: DurationForecast
    documents: int = 0
    under_way: OrderComparison | None = None
    """What the order is to the rollback under way; None: there is none."""


def preview_rollback(
    ours: Operations,
    policy: Policy,
    order: RollbackRequest,
    severity: Severity,
    current: OrderComparison | None = None,
    detected: datetime | None = None,
) -> RollbackPreview:
    """Return what this order would do now, beside the rollback under way.

    Its target counts from `detected`, or from now. Raises: Unavailable, Rejected.
    """
    now = ours.wiring.clock.now()
    waited = (now - (detected or now)).total_seconds()
    if order.way is Direction.REPAIR:
        repair = _preview_repair(ours, policy, order, waited)
        return replace(repair, under_way=current, ahead=repair.ahead.after(waited))
    ends = current.rollback if current else ""
    found = forecast_order(ours.wiring, policy, order, now, ends, severity=severity)
    decision, plan = found.decision, found.plan
    steps, scenario = (plan.steps if plan else ()), ScenarioName(decision.scenario)
    ahead = forecast_duration(steps, policy, scenario, severity, order=order, left=found.pace, now=now)
    return RollbackPreview(
        outcome=decision.outcome,
        reason=decision.reason,
        target=decision.target,
        functions=found.shown,
        beside=[step.name for step in plan.steps if is_resource(step)] if plan else [],
        reported=list(plan.header.reported) if plan else [],
        resources=describe_resource_changes(steps),
        ahead=ahead.after(waited),
        under_way=current,
    )


def _preview_repair(ours: Operations, policy: Policy, order: RollbackRequest, age: float) -> RollbackPreview:
    now = ours.wiring.clock.now()
    found, _ = forecast_data_request(ours.wiring, policy, order, now, Preparation(), math.inf, age)
    plan, survey = found.plan, found.survey
    seconds, checked = (preview.survey_seconds(survey), survey.checked_documents) if survey else (0.0, 0)
    return RollbackPreview(
        outcome=found.outcome,
        reason=found.reason,
        target=plan.header.target if plan is not None else order.restore_point,
        reported=list(plan.header.reported) if plan is not None else [],
        ahead=forecast_documents(seconds, checked, policy),
        documents=preview.count_written_documents(survey.outcome_counts) if survey is not None else 0,
    )


def show_preview(shown: RollbackPreview, manner: Manner, *, supersedes: bool = False) -> bool:
    """Show what is about to be ordered; return whether it changes anything. Exits where it may not.

    For programs it is printed only where it is the answer.
    """
    acts = shown.outcome != Outcome.IGNORE
    if shown.outcome == Outcome.ESCALATE and not manner.dry_run:
        raise create_exit(REFUSED, f"refused: {shown.reason}")
    if not manner.as_json:
        _print_preview(shown, supersedes=supersedes)
    elif manner.dry_run or not acts:
        fields = asdict(shown)
        print_json({**fields, **asdict(fields.pop("ahead"))})
    return acts


def _print_preview(shown: RollbackPreview, *, supersedes: bool) -> None:
    if shown.outcome == Outcome.IGNORE:
        print_line(f"nothing to do: {shown.reason}", "yellow")
        return
    if shown.outcome != Outcome.ROLLBACK:
        print_line(f"{shown.outcome}: {shown.reason}", "yellow")
    if shown.outcome == Outcome.HOLD:
        print_line("  the request waits until then", "yellow")
    for line in shown.under_way.describe(supersedes=supersedes) if shown.under_way is not None else ():
        print_line(line, "yellow")
    if not (shown.functions or shown.beside or shown.documents):
        return
    size = describe_steps(len(shown.functions), shown.beside)
    size = count_noun(shown.documents, "document") if shown.documents else size
    print_line(f"back to {shown.target}: {size}", "bold")
    is_reported = shown.documents or any(one.startswith(OVERLONG_PLAN_PREFIX) for one in shown.reported)
    print_plan(shown.functions, (*shown.resources, *shown.reported), None if is_reported else shown.ahead)


def retry(
    incident: Incident,
    reason: Reason,
    dry_run: DryRun = False,
    yes: Yes = False,
    follow_it: Follow = True,
    as_json: AsJson = False,
) -> None:
    """Roll back again after a rollback that failed, was cancelled or not executed.

    Shows the plan, the deployments that it passes over, and its duration, then asks.

    Exit codes: as for `run`.
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
