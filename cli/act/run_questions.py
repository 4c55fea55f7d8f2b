"""The questions of `rollback run` at a terminal: system, scenario, target, reason."""

import sys
from collections.abc import Mapping

import typer

from cli.support.context import Operations
from cli.support.exit_codes import INVALID_USAGE, create_exit
from cli.support.output import format_time, print_line
from responders.data.restore_points import read_available_points
from shared.core.codec import FrozenStruct
from shared.core.errors import Refused
from shared.core.text import suggest_names
from shared.domain.data.backups.restore_point import LATEST_RESTORE_POINT, resolve_restore_point
from shared.domain.deployments.deployment import DeploymentStatus, rollback_targets
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import LAST_STABLE
from shared.domain.signals.labels import status_label

DEFAULT_REASON = "no reason given: confirmed in advance by --auto-confirm"
MAX_TARGETS_SHOWN = 30
SCENARIOS: Mapping[str, str] = {
    ScenarioName.COMPLETE: "functions, sites and Remote Config; rules and sign-in settings after approval",
    ScenarioName.FUNCTIONS: "functions",
    ScenarioName.DATABASE: "documents, to a restore point, after approval",
    ScenarioName.AUTH: "sign-in functions; sign-in settings after approval",
    ScenarioName.FEATURE: "Remote Config, or the functions that --group and --function name",
}


class Answers(FrozenStruct):
    """What a person chose."""

    system: str
    scenario: str
    target: str
    restore_point: str


def is_terminal() -> bool:
    """Return whether a person can answer here."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask_order(ours: Operations, given: Answers) -> Answers:
    """Prompt for system, scenario and target; given answers are the defaults."""
    known = {name: policy.display_name for name, policy in ours.policies.items()}
    system = _choose("System", known, given.system or next(iter(known))) if len(known) > 1 else given.system
    policy = ours.policy(system)
    scenario = _choose("Scenario", SCENARIOS, given.scenario)
    if scenario == ScenarioName.DATABASE:
        points = _list_restore_points(ours, policy)
        point = _choose("Restore point", points, given.restore_point or LATEST_RESTORE_POINT, others=True)
        return Answers(policy.system, scenario, given.target, point)
    return Answers(policy.system, scenario, _choose("Target", _list_targets(ours, policy), given.target), "")


def require_reason(reason: str, *, auto_confirm: bool, asks: bool) -> str:
    """Return the reason; prompt for it at a terminal. Exits when there is none."""
    if reason or auto_confirm:
        return reason or DEFAULT_REASON
    if not asks:
        raise create_exit(INVALID_USAGE, "--reason TEXT is missing; --auto-confirm has a default reason")
    return str(typer.prompt("Reason"))


def _choose(title: str, choices: Mapping[str, str], default: str, *, others: bool = False) -> str:
    """Prompt for one of these by its number or name; `others`: accept any other answer as well."""
    names = [*choices]
    for number, name in enumerate(names, 1):
        print_line(f"  {number}  {name}: {choices[name]}")
    while True:
        said = str(typer.prompt(title, default=default))
        if said in names or (said.isdigit() and 1 <= int(said) <= len(names)):
            return said if said in names else names[int(said) - 1]
        if others:
            return said
        print_line(f"{said} is not in the list{suggest_names(said, names)}", "yellow")


def _list_targets(ours: Operations, policy: Policy) -> dict[str, str]:
    found = rollback_targets(ours.reading.deployments(policy.system), MAX_TARGETS_SHOWN)
    stable = [one.id for one in found if one.status is DeploymentStatus.STABLE]
    listed = {one.id: f"{status_label(one.status)}, live from {format_time(one.at)} UTC" for one in found}
    return {LAST_STABLE: stable[0] if stable else "no deployment is known", **listed}


def _list_restore_points(ours: Operations, policy: Policy) -> dict[str, str]:
    kept = read_available_points(ours.wiring, policy, policy.integrity.database)
    try:
        latest = str(resolve_restore_point(LATEST_RESTORE_POINT, kept))
    except Refused as none:
        latest = none.reason
    points = ((one.name, str(one)) for one in reversed(kept.verified_points))
    return {LATEST_RESTORE_POINT: latest, **dict(points)}
