"""Functions back to what served in a stable deployment."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from typing import Any

import msgspec
from msgspec.structs import replace

from responders.scenarios import not_restored
from responders.scenarios.function_steps import FunctionStepBuilder
from shared.domain.decision.facts import ChangeSet, live_shares
from shared.domain.deployments.deployment import Deployment, Inventory
from shared.domain.deployments.inventory.inventory_parts import FunctionState, WholeInventory
from shared.domain.deployments.restorability import describe_missing
from shared.domain.deployments.source_copies import rebuild_obstacle
from shared.domain.policy.probes import Probe
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Group, Policy
from shared.domain.rollback.plan import Plan, Step, build_step, freeze_plan
from shared.engine.steps.functions import judge_canary

MAX_FUNCTIONS_WITH_REBUILDS = 300
"""Functions whose rebuilds stand in the plan beside their shifts: it is frozen in one commit of at
most 1,000 writes and 10 MiB. So many rebuilds take 1.5 MiB where each function has 20 variables,
9.4 where it has 500: a plan has their names, never what they hold."""
_BY_NAME = "; a rollback that names it rebuilds it from the stored copy"


def plan_functions(
    policy: Policy,
    inventory: Inventory,
    change: ChangeSet,
    scope: Collection[str],
    *,
    may_rebuild: bool = False,
    record: WholeInventory | None = None,
    seen: WholeInventory | None = None,
) -> Plan:
    """Group by group: one canary, its judgement, then all others of the group at once.

    Over the functions of `scope` that differ from the target: by traffic; built again where only
    that brings them back, or, where it may be (`may_rebuild`), where the traffic could not be
    shifted. What was created or deleted since is left alone and reported, with what does not come
    back beside the code (`record` and `seen`: all that was live then, and was last seen).
    Groups wait for those that the policy puts before them.
    """
    target = change.target
    if target is None:
        raise ValueError("a plan needs a deployment to go back to")
    differing = set(scope) & set(change.functions)
    fits = len(differing) <= MAX_FUNCTIONS_WITH_REBUILDS
    ways = FunctionStepBuilder(inventory, change, policy.execution, seen, may_rebuild=may_rebuild and fits)
    steps = []
    last_of: dict[str, tuple[str, ...]] = {}
    for name in _order_groups(policy):
        group = policy.groups[name]
        members = [function for function in group.functions if function in differing]
        before = tuple(step for other in group.after for step in last_of.get(other, ()))
        last_of[name] = before  # who waits for a group without steps waits for those before it
        if members:
            first = [one for one in members if one not in change.rebuilt] or members
            canary = _canary(group, first, inventory, target)
            verdict = _build_judge_step(name, canary, target, policy, ways)
            if not _is_called_by_group(policy, name, differing):
                verdict = replace(verdict, goal=_build_judge_goal(verdict.goal, policy, canary, inventory))
            more, last_of[name] = _build_group_steps(members, canary, verdict, before, ways)
            steps += more
    reported = (
        *_format_unchanged_lines(change, scope, seen.function_states if seen is not None else {}),
        *describe_missing(target, differing),
        *(() if fits else ("a function whose shift fails is not rebuilt: there are too many functions",)),
        *not_restored.format_unrestored_lines(differing, inventory, record, seen),
    )
    return freeze_plan(ScenarioName.FUNCTIONS, target.id, steps, policy.fingerprint, reported)


def _build_group_steps(
    members: Collection[str], canary: str, verdict: Step, before: tuple[str, ...], ways: FunctionStepBuilder
) -> tuple[list[Step], tuple[str, ...]]:
    """The steps of one group behind those of `before`, and what waits for the group waits for."""
    going = ways.build_steps(canary, before, canary=True) if canary in members else ()
    behind = tuple(one.name for one in going if not one.instead_of)[-1:]
    judged = (replace(verdict, after=behind or before),) if ways.service_name(canary) else ()
    gate = tuple(one.name for one in judged) or behind or before
    others = [ways.build_steps(function, gate) for function in members if function != canary]
    # What those behind the group wait for: what stands in for a step speaks for it.
    ends = tuple([one.name for one in several if not one.instead_of][-1] for several in others)
    return [*going, *judged, *(step for several in others for step in several)], ends or gate


def _canary(group: Group, members: list[str], inventory: Inventory, target: Deployment) -> str:
    """Return a group's canary: one that an earlier plan brought back already, else the first."""
    chosen = group.canary or min(group.functions)
    live, placed = inventory.get(chosen), target.functions.get(chosen)
    if chosen not in members and live is not None and placed is not None:
        newest_serves = live.service.latest_created in placed.revisions
        if not newest_serves and live_shares(live) == placed.revisions:
            return chosen
    return chosen if chosen in members else min(members)


def _order_groups(policy: Policy) -> Iterator[str]:
    """The groups, each behind those that it waits for; the loader has refused cycles."""
    waiting = dict(policy.groups)
    while waiting:
        free = [name for name, group in waiting.items() if not any(other in waiting for other in group.after)]
        for name in free:
            del waiting[name]
        yield from free


def _is_called_by_group(policy: Policy, name: str, differing: Set[str]) -> bool:
    """Whether a group calls, itself or through others, one that goes back after it.

    Clients go back before what they call: until that is back as well, no probe of a client can
    tell its own revision from the bad ones behind it.
    """
    return any(
        not differing.isdisjoint(policy.groups[other].functions)
        or _is_called_by_group(policy, other, differing)
        for other in {other for other, group in policy.groups.items() if name in group.after}
    )


def _build_judge_step(
    group: str, canary: str, target: Deployment, policy: Policy, ways: FunctionStepBuilder
) -> Step:
    """Ready in any case, and well by its probe where one can tell."""
    placed = target.functions.get(canary)
    goal = judge_canary.CanaryGoal(
        service=ways.service_name(canary),
        revisions=placed.revisions if placed is not None else {},
        newest=ways.newest_revision(canary),
        times=policy.execution.canary_probes,
    )
    name, within = f"judge {group}", policy.execution.canary_within
    step = build_step(name, judge_canary.KIND, canary, goal, within, writes=0)
    return replace(step, despite_stopped=True, despite_failed=True, halts=True)


def _build_judge_goal(
    goal: Mapping[str, Any], policy: Policy, canary: str, inventory: Inventory
) -> dict[str, Any]:
    """The goal of a judgement that asks the canary's probe too, or looks at its own address."""
    probe = next((one for one in policy.probes if one.function == canary), None)
    if probe is None:
        if canary not in inventory:
            return dict(goal)
        probe = Probe(name=f"{canary} answers", url=inventory[canary].service.uri)
    return {**goal, "probe": probe.name, "request": msgspec.json.encode(probe).decode()}


def _format_unchanged_lines(
    change: ChangeSet, scope: Collection[str], live: Mapping[str, FunctionState]
) -> Iterable[str]:
    yield from change.passed_over
    for function in sorted(change.rebuilt & set(scope)):
        yield f"{function} is rebuilt from the stored copy of its source: it is not the original image"
        lacks = rebuild_obstacle(live[function]) if function in live else ""
        if lacks:
            yield f"{function}: an undo cannot rebuild its present version: {lacks}"
    for function in change.created:
        yield f"{function} was created later: not changed"
    for function in change.deleted:
        if function not in scope:
            known = function in change.recipes
            yield f"{function} was deleted later: not restored{_BY_NAME if known else ''}"
    for function in change.left:
        yield f"{function} was changed manually: automation does not change it"
