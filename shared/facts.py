"""What a decision is made from, and what differs from where one could go back to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from msgspec import Struct

from shared.deployment import Deployment, Inventory, Status
from shared.health import ProbeAnswer, Requests
from shared.policy import Policy, Severity, Signal
from shared.system import Budget, Controls, System
from shared.traffic import shares


class AlertFact(Struct, frozen=True):
    """What a decision needs of one open alert of the incident."""

    signal: str
    started_at: datetime
    published_at: datetime
    received_at: datetime
    function: str | None
    closed: bool = False
    """Cloud Monitoring says that it is over: evidence, not recovery."""


class Facts(Struct, frozen=True):
    """Everything a decision is made from, gathered before it. None: it could not be read."""

    alerts: tuple[AlertFact, ...]
    system: System
    controls: Controls | None
    budget: Budget
    deployments: tuple[Deployment, ...]
    """Newest first."""
    inventory: Inventory | None
    requests: Mapping[str, Requests] | None
    """Per function, over the newest minutes that the metrics show."""
    probes: Mapping[str, ProbeAnswer]
    other_incidents: Mapping[str, datetime]
    """When the open incidents of other systems were detected."""

    @property
    def suspended(self) -> Mapping[str, datetime]:
        """The functions that a person has changed by hand: until then they are left alone."""
        return self.system.suspended


class Change(Struct, frozen=True):
    """What differs between what is live and the deployment to go back to."""

    target: Deployment | None
    functions: Mapping[str, datetime]
    """The changed ones, and when their present revision was made."""
    created: tuple[str, ...] = ()
    """Live, and unknown to the target."""
    deleted: tuple[str, ...] = ()
    """Known to the target, and gone."""
    skipped: tuple[Deployment, ...] = ()
    """Deployments newer than the target."""


class Difference(Struct, frozen=True):
    """What a plan changes of one function."""

    function: str
    live: Mapping[str, int]
    """Percent per revision now."""
    target: Mapping[str, int]
    """Percent per revision then."""
    since: datetime
    """When the present revision was made."""

    def __str__(self) -> str:
        return (
            f"{self.function}: {_shared(self.live)} → {_shared(self.target)}, "
            f"changed {self.since:%Y-%m-%d %H:%M} UTC"
        )


def _shared(revisions: Mapping[str, int]) -> str:
    """The revisions that serve, with their percent where there are several."""
    if len(revisions) == 1:
        return next(iter(revisions))
    return " + ".join(f"{percent} % {name}" for name, percent in revisions.items())


def worst_signal(facts: Facts, policy: Policy) -> Signal:
    """The signal of the severest alert; the first of them when several are as bad."""
    order = list(Severity)
    return min(
        (policy.signals[alert.signal] for alert in facts.alerts),
        key=lambda signal: order.index(signal.severity),
    )


def changed(facts: Facts, policy: Policy) -> Change:
    """What differs from the newest STABLE deployment.

    Without an inventory nothing can be compared, and nothing is changed.
    """
    stable = next((one for one in facts.deployments if one.status is Status.STABLE), None)
    if stable is None or facts.inventory is None:
        return Change(stable, {})
    return compare(stable, facts.inventory, facts.deployments, policy)


def compare(
    target: Deployment,
    inventory: Inventory,
    deployments: tuple[Deployment, ...],
    policy: Policy,
) -> Change:
    """What differs between what is live and `target`, over the functions of the policy."""
    differing = {}
    for function in policy.functions:
        live, placed = inventory.get(function), target.functions.get(function)
        if live is None or placed is None:
            continue
        now = shares(live.service.traffic, live.service.latest_ready)
        if now != placed.revisions:
            fresh = [live.revision(name) for name in now if name not in placed.revisions]
            moments = [revision.created_at for revision in fresh if revision is not None]
            differing[function] = max(moments, default=target.at)
    return Change(
        target=target,
        functions=differing,
        created=tuple(sorted(set(inventory) & set(policy.functions) - set(target.functions))),
        deleted=tuple(sorted(set(target.functions) - set(inventory))),
        skipped=tuple(one for one in deployments if one.at > target.at),
    )


def differences(change: Change, inventory: Inventory) -> list[Difference]:
    """What going back changes, function by function."""
    if change.target is None:
        return []
    return [
        Difference(
            function=function,
            live=shares(
                inventory[function].service.traffic, inventory[function].service.latest_ready
            ),
            target=change.target.functions[function].revisions,
            since=since,
        )
        for function, since in sorted(change.functions.items())
    ]


def unrestorable(change: Change, inventory: Inventory) -> Iterator[str]:
    """The changed functions that have a revision to go back to which is gone or not ready."""
    if change.target is None:
        return
    for function in change.functions:
        for name in change.target.functions[function].revisions:
            revision = inventory[function].revision(name)
            if revision is None or not revision.ready:
                yield function
                break
