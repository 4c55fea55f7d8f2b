"""Functions back to the revisions of a stable deployment, by traffic."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Set

from msgspec.structs import replace

from shared.deployment import Deployment, Inventory, Live
from shared.documents import encode
from shared.facts import Change, served
from shared.plan import Plan, Step, frozen
from shared.policy import Execution, Group, Policy, Probe, ScenarioName
from shared.steps import judge, shift
from shared.traffic import moved_to


def plan(policy: Policy, inventory: Inventory, change: Change, scope: Collection[str]) -> Plan:
    """Group by group: one canary, its judgement, then all others of the group at once.

    Over the functions of `scope` that differ from the target. What was created or deleted since
    is left alone and reported. Groups wait for those that the policy puts before them.
    """
    target = change.target
    if target is None:
        raise ValueError("a plan needs a deployment to go back to")
    differing = set(scope) & set(change.functions)
    steps: list[Step] = []
    last_of: dict[str, tuple[str, ...]] = {}
    for name in _in_order(policy):
        group = policy.groups[name]
        members = [function for function in group.functions if function in differing]
        before = tuple(step for other in group.after for step in last_of.get(other, ()))
        if not members:
            last_of[name] = before  # who waits for this group waits for those before it
            continue
        canary = _canary(group, members, inventory, target)
        alone = not _called(policy, name, differing)
        probe = _probe(policy, inventory[canary]) if alone else None
        first = (
            [_shift(inventory[canary], target, policy.execution, after=before, canary=True)]
            if canary in members
            else []
        )
        verdict = _judge(name, inventory[canary], target, policy.execution, probe)
        behind = [step.name for step in first]
        verdict = replace(verdict, after=tuple(behind) or before, despite_stopped=bool(behind))
        others = [
            _shift(inventory[function], target, policy.execution, after=(verdict.name,))
            for function in members
            if function != canary
        ]
        steps += [*first, verdict, *others]
        last_of[name] = tuple(step.name for step in others) or (verdict.name,)
    return frozen(ScenarioName.FUNCTIONS, target.id, steps, policy.fingerprint, _reported(change))


def _canary(group: Group, members: list[str], inventory: Inventory, target: Deployment) -> str:
    """The function that speaks for its group: the one that is back already, or goes back first.

    Back already is what serves as at the target while a newer revision does not: an earlier plan
    brought it there. What never changed speaks for nobody.
    """
    chosen = group.canary or min(group.functions)
    live, placed = inventory.get(chosen), target.functions.get(chosen)
    if chosen not in members and live is not None and placed is not None:
        newest_serves = live.service.latest_created in placed.revisions
        if not newest_serves and served(live) == placed.revisions:
            return chosen
    return chosen if chosen in members else min(members)


def _in_order(policy: Policy) -> Iterator[str]:
    """The groups, each behind those that it waits for; the loader has refused cycles."""
    waiting = dict(policy.groups)
    while waiting:
        free = [
            name
            for name, group in waiting.items()
            if not any(other in waiting for other in group.after)
        ]
        for name in free:
            del waiting[name]
        yield from free


def _shift(
    live: Live,
    target: Deployment,
    execution: Execution,
    *,
    after: tuple[str, ...],
    canary: bool = False,
) -> Step:
    placed = target.functions[live.function]
    service = live.service
    return Step(
        name=f"shift {live.function}",
        kind=shift.KIND,
        target=live.function,
        goal=encode(
            shift.Goal(service.name, moved_to(service.traffic, placed.revisions), rehearsed=canary)
        ),
        origin=encode(shift.Origin(service.traffic, service.latest_created)),
        after=after,
        writes=2 if canary else 1,
        within_seconds=execution.step_within.total_seconds(),
        seen=service.etag,
    )


def _called(policy: Policy, name: str, differing: Set[str]) -> bool:
    """Whether a group calls, itself or through others, one that goes back after it.

    Clients go back before what they call: until that is back as well, no probe of a client can
    tell its own revision from the bad ones behind it.
    """
    called = {other for other, group in policy.groups.items() if name in group.after}
    return any(
        not differing.isdisjoint(policy.groups[other].functions)
        or _called(policy, other, differing)
        for other in called
    )


def _probe(policy: Policy, live: Live) -> Probe:
    """The declared probe of a function, else a look at its own address."""
    declared = (one for one in policy.probes if one.function == live.function)
    return next(declared, Probe(name=f"{live.function} answers", url=live.service.uri))


def _judge(
    group: str,
    live: Live,
    target: Deployment,
    execution: Execution,
    probe: Probe | None,
) -> Step:
    """Ready in any case, and well by its probe where one can tell."""
    placed = target.functions[live.function]
    goal = judge.Goal(
        service=live.service.name,
        revisions=placed.revisions,
        times=execution.canary_probes,
    )
    if probe is not None:
        goal = replace(
            goal,
            probe=probe.name,
            url=probe.url,
            status_below=probe.status_below,
            timeout_seconds=probe.timeout.total_seconds(),
        )
    return Step(
        name=f"judge {group}",
        kind=judge.KIND,
        target=live.function,
        goal=encode(goal),
        halts=True,
        within_seconds=execution.canary_within.total_seconds(),
    )


def _reported(change: Change) -> Iterable[str]:
    for function in change.created:
        yield f"{function} was created since: left as it is"
    for function in change.deleted:
        yield f"{function} was deleted since: not brought back"
    for function in change.left:
        yield f"{function} is in a person's hands: left as it is"
