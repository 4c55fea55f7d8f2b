"""The tables of `docs/scenarios.md`, as the policy of CVPlus has them.

`python -m tests.support.cli.scenario_page` writes them into the page.
"""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from shared.core.durations import describe_duration
from shared.domain.commands.command import format_shell_command
from shared.domain.decision.scenario_scope import SCENARIO_SCOPES
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.incidents.recovery_times import recovery_target
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import Signal, SignalCondition, Unit
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.breadth import limit_signal
from shared.domain.signals.registry import SIGNALS
from tests.support.cli.documented_commands import CVPLUS, ROOT

PAGE = ROOT / "docs" / "scenarios.md"
BEGIN, END = "<!-- tables: begin -->\n", "<!-- tables: end -->\n"
MODES = {Mode.ACT: "automatic", Mode.ASK: "after approval", Mode.OBSERVE: "observe only"}
PARTS = {
    InventoryPart.FUNCTIONS: "functions",
    InventoryPart.SITES: "Hosting sites",
    InventoryPart.REMOTE_CONFIG: "Remote Config",
    InventoryPart.RULES: "rules",
    InventoryPart.IDENTITY: "sign-in settings",
    InventoryPart.INDEXES: "indexes",
}
DESCRIPTIONS = {
    ScenarioName.COMPLETE: ("Complete system failure", "functions of every group"),
    ScenarioName.FUNCTIONS: ("Mass failure of functions", "functions that fail; all functions by an order"),
    ScenarioName.DATABASE: ("Database corruption", "functions of every group"),
    ScenarioName.AUTH: ("Authentication failure", "functions of the group for signing in"),
    ScenarioName.FEATURE: ("Failure of a feature", "functions that fail, or that an order names"),
}
"""The title of each scenario, and which functions it restores."""
OPTIONS: dict[ScenarioName, dict[str, Any]] = {
    ScenarioName.DATABASE: {"restore_point": "latest"},
    ScenarioName.FEATURE: {"groups": ["media-generation"], "severity": "MEDIUM"},
}
"""What an order of a scenario has beside its name."""


def build_order(scenario: ScenarioName) -> dict[str, Any]:
    """The order of a scenario, as a message has it."""
    more = OPTIONS.get(scenario, {})
    return {"system": CVPLUS.system, "scenario": scenario.value, **more, "reason": "checkout broken"}


def render_tables(policy: Policy) -> str:
    """All tables of the page."""
    return "\n".join(
        (
            *_render_scenarios(policy),
            "## Triggers and thresholds\n",
            "| signal | level | threshold | scenario | a rollback is |",
            "|---|---|---|---|---|",
            *_render_signals(policy),
            "\n## Verification\n",
            "| step | scenarios | probes that must pass | requests of these groups, or documents |",
            "|---|---|---|---|",
            *_render_checks(policy),
            "",
        )
    )


def _render_scenarios(policy: Policy) -> Iterator[str]:
    for number, scenario in enumerate(DESCRIPTIONS, 1):
        title, functions = DESCRIPTIONS[scenario]
        scope, order = SCENARIO_SCOPES[scenario], build_order(scenario)
        meanings = [(name, one) for name in policy.signals for one in _meanings(policy, name)]
        found = {name: one for name, one in meanings if one.scenario is scenario}
        signals = [*found]
        severities = {one.severity for _, one in meanings if one.scenario is scenario}
        levels = [one.value for one in Severity if one in severities]
        acts = any(policy.strictest_mode(one) is Mode.ACT for one in found.values())
        at_once = _join_parts(scope.acts, functions) if acts else "nothing"
        asked = _join_parts(scope.asks if acts else scope.acts | scope.asks, functions)
        two = scenario in policy.gates.four_eyes or scope.asks
        if scenario is ScenarioName.DATABASE:
            asked += ", documents to a restore point, once the code has gone back"
        approved = f"{asked} ({'two people' if two else 'one person'})" if asked else "nothing"
        targets = [_span(recovery_target(policy.targets, scenario, Severity(one))) for one in levels]
        within = " or ".join(dict.fromkeys(targets))
        conditions = (f"`{one}`: {_describe_condition(one, policy.signals[one])}" for one in signals)
        started = "<br>".join(conditions) or "none: a person orders it"
        steps = [name for name, one in policy.verification.items() if scenario in one.scenarios]
        checked = ", ".join(steps) or "the steps of the functions that it restored"
        watch = _span(policy.execution.watch)
        message = json.dumps({"version": 1, "command": "rollback", **order}, separators=(",", ":"))
        yield f"## {number}. {title}\n"
        yield "| | |\n|---|---|"
        yield f"| level | {', '.join(levels)} |"
        yield f"| triggers and thresholds | {started} |"
        yield f"| restored automatically | {at_once} |"
        yield f"| restored after approval | {approved} |"
        yield f"| recovered within | {within} of the detection |"
        yield f"| verification | {checked}; then {watch} of monitoring |"
        yield f"| command | `{format_shell_command(order)}` |"
        yield f"| message | `{message}` |\n"


def _span(span: timedelta) -> str:
    return describe_duration(span).removesuffix(" 0 s").removesuffix(" 0 min")


def _join_parts(parts: frozenset[InventoryPart], functions: str) -> str:
    names = {**PARTS, InventoryPart.FUNCTIONS: functions}
    return ", ".join(name for part, name in names.items() if part in parts)


def _meanings(policy: Policy, name: str) -> list[Signal]:
    """What a signal means, by how many functions fail; its worst first."""
    return list(dict.fromkeys(limit_signal(policy, name, one) for one in Severity))


def _render_signals(policy: Policy) -> Iterator[str]:
    for name, one in policy.signals.items():
        meanings = _meanings(policy, name)
        levels = f"{'at most ' if len(meanings) > 1 else ''}{one.severity}"
        ways = " or ".join(dict.fromkeys(_scenario_of(each) for each in meanings))
        modes = " or ".join(dict.fromkeys(MODES[policy.strictest_mode(each)] for each in meanings))
        yield f"| `{name}` | {levels} | {_describe_condition(name, one)} | {ways} | {modes} |"


def _scenario_of(signal: Signal) -> str:
    return "none" if signal.scenario is ScenarioName.NONE else signal.scenario.value


def _describe_condition(name: str, signal: Signal) -> str:
    conditions = list(signal.also)
    if signal.threshold is not None:
        conditions.insert(0, SignalCondition(SIGNALS[name].unit, signal.threshold, signal.duration))
    described = [_describe_threshold(one) for one in conditions]
    if signal.threshold is None and signal.duration is not None:
        described.insert(0, f"failing for {_span(signal.duration)}")
    return "; or ".join(described) or "declared by a person or by a security finding"


def _describe_threshold(one: SignalCondition) -> str:
    if one.unit is Unit.COUNT:
        times = "1 or more" if one.threshold == 1 else f"{one.threshold:g} failures"
        return f"{times} in {_span(one.duration)}" if one.duration else times
    limit = f"{one.threshold:.0%}".replace("%", " %") if one.unit is Unit.RATIO else f"{one.threshold:g} s"
    return f"above {limit} for {_span(one.duration)}" if one.duration else f"above {limit}"


def _render_checks(policy: Policy) -> Iterator[str]:
    for name, one in policy.verification.items():
        counted = ", ".join(one.groups)
        if one.collections:
            counted = f"all documents of {', '.join(one.collections)} are valid"
        if one.sign_in_failures is not None:
            failures = f"at most {one.sign_in_failures:.0%} of sign-ins fail".replace("%", " %")
            counted = f"{counted}; {failures}" if counted else failures
        cells = (name, ", ".join(one.scenarios), ", ".join(one.probes), counted)
        shown = cells if any(cells[2:]) else (*cells[:2], "not declared", "not declared")
        yield f"| {' | '.join(shown)} |"


def replace_tables(page: str, tables: str) -> str:
    """The page with these tables."""
    return re.sub(f"(?<={BEGIN}).*(?={END})", lambda _: f"\n{tables}\n", page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(replace_tables(PAGE.read_text(), render_tables(CVPLUS)))
