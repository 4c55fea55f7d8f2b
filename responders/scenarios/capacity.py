"""What functions run on once they are back: instances come with the shift, or are warned about.

The service's own instances change in the request that moves the traffic: they are shared out by
it, so that more of them before it would warm the revision that is left (https://cloud.google.com/
run/docs/configuring/min-instances, read 2026-11). Nothing is ever taken away, and what is scaled by
hand stays so: somebody may have stopped it. What a revision brings along comes back with it.
"""

from collections.abc import Iterable, Iterator
from math import inf

from msgspec.structs import replace

from shared.core.codec import decode, encode
from shared.domain.decision.facts import live_shares
from shared.domain.deployments.deployment import Deployment, Inventory, LiveFunction
from shared.domain.deployments.inventory.traffic import Capacity, Scaling
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import Plan, Step, freeze_plan
from shared.engine.steps.functions import shift_traffic


def add_capacity(plan: Plan, policy: Policy, inventory: Inventory, target: Deployment | None) -> Plan:
    """The plan with the instances that its shifts need, and a line for what they will not have."""
    steps, lines, groups = list[Step](), list[str](), policy.functions
    for step in plan.steps:
        live = inventory.get(step.target)
        placed = target.functions.get(step.target) if target is not None else None
        if step.kind != shift_traffic.KIND or live is None or placed is None:
            steps.append(step)
            continue
        now, then = live.service.scaling, placed.scaling
        warm = policy.groups[groups[step.target]].keep_warm
        back = [one.capacity for one in live.revisions if one.name in placed.revisions]
        wanted = required_scaling(now, then, warm, min((one.minimum for one in back), default=0))
        if wanted != now:
            goal = replace(decode(shift_traffic.TrafficGoal, step.goal), scaling=wanted)
            step = replace(step, goal=encode(goal))
        steps.append(step)
        lines += _format_scaling_lines(step.target, now, then, wanted, warm)
        lines += _format_capacity_losses(live, back)
    if steps == list(plan.steps) and not lines:
        return plan
    header = plan.header
    return freeze_plan(header.scenario, header.target, steps, header.policy, (*header.reported, *lines))


def required_scaling(now: Scaling, then: Scaling | None, warm: int, own: int) -> Scaling:
    """A service's instances once it is back: those of now, and what it had or needs beyond that.

    `warm` is what the policy wants kept, `own` what the revision keeps by itself.
    """
    if now.manual is not None:
        return now
    before = then if then is not None and then.manual is None else now
    least = max(now.minimum, before.minimum, warm if own < warm else 0)
    most = max(now.maximum, before.maximum) if now.maximum and before.maximum else 0
    return Scaling(least, max(most, least) if most else 0)


def _format_scaling_lines(
    function: str, now: Scaling, then: Scaling | None, wanted: Scaling, warm: int
) -> Iterator[str]:
    if now.manual is not None:
        yield f"{function}: its instances are {now}, and are not changed"
    elif wanted != now:
        why = f", {warm} are kept warm" if wanted.minimum == warm > now.minimum else ""
        yield f"{function}: the instances of its service become {wanted} with the shift ({now} now{why})"
    elif then is not None and then != now:
        yield f"{function}: the instances of its service stay {now} ({then} then)"


def _format_capacity_losses(live: LiveFunction, back: Iterable[Capacity]) -> Iterator[str]:
    then = list(back)
    now = [one.capacity for one in live.revisions if one.name in live_shares(live)]
    said = _list_reduced_values("concurrent requests per instance", _concurrencies(then), _concurrencies(now))
    if live.service.scaling.manual is None:  # else neither limit is in force
        kept = "minimum instances"
        said += _list_reduced_values(kept, [one.minimum for one in then], [one.minimum for one in now])
        said += _list_reduced_values("maximum instances", _limits(then), _limits(now))
    if said:
        yield f"{live.function}: its old revision has {', '.join(said)}"


def _list_reduced_values(what: str, then: list[float], now: list[float]) -> list[str]:
    if not then or not now or min(then) >= max(now):
        return []
    most = "no limit" if max(now) == inf else max(now)
    return [f"{min(then)} {what} ({most} now)"]


def _concurrencies(capacities: Iterable[Capacity]) -> list[float]:
    """Those that are given; the platform's default is not known here."""
    return [one.concurrency for one in capacities if one.concurrency]


def _limits(capacities: Iterable[Capacity]) -> list[float]:
    return [one.maximum or inf for one in capacities]
