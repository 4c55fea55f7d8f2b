"""What a decision is made from, and what differs from where one could go back to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from msgspec import Struct

from shared.deployment import Deployment, Inventory, Live, Status
from shared.health import ProbeAnswer, Requests, failing
from shared.policy import Policy, Severity, Signal
from shared.system import Budget, Controls, System
from shared.traffic import follows_latest, shares


class AlertFact(Struct, frozen=True):
    """What a decision needs of one open alert of the incident."""

    signal: str
    started_at: datetime
    published_at: datetime
    received_at: datetime
    function: str | None
    closed: bool = False
    """A notification said that it is over: evidence, not recovery."""
    still_open: bool | None = None
    """What Cloud Monitoring says of it now; None: no answer, or nobody asked."""

    @property
    def is_over(self) -> bool:
        """Whether Cloud Monitoring calls it over, by its newest word."""
        return self.closed if self.still_open is None else not self.still_open


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
    def onset(self) -> datetime:
        """When the trouble began."""
        return min(alert.started_at for alert in self.alerts)

    def onset_of(self, function: str) -> datetime:
        """When it began for one function: by the alerts that name it, or that name none."""
        own = [one.started_at for one in self.alerts if one.function in (None, function)]
        return min(own, default=self.onset)

    def failing(self, policy: Policy) -> set[str]:
        """Functions that fail by the routers' count, or that an alert names."""
        named = {alert.function for alert in self.alerts if alert.function}
        return named | failing(self.requests or {}, policy.gates)

    @property
    def suspended(self) -> Mapping[str, datetime]:
        """The functions that a person has changed by hand: until then they are left alone."""
        return self.system.suspended


class Change(Struct, frozen=True):
    """What differs between what is live and the deployment to go back to."""

    target: Deployment | None
    functions: Mapping[str, datetime]
    """The changed ones, and since when, at the earliest, they serve what they serve."""
    served_by: Mapping[str, datetime | None] = {}
    """Of those whose traffic somebody moved: when at the latest; None: not known yet."""
    created: tuple[str, ...] = ()
    """Live, and unknown to the target."""
    deleted: tuple[str, ...] = ()
    """Known to the target, and gone."""
    skipped: tuple[Deployment, ...] = ()
    """Deployments newer than the target."""
    left: tuple[str, ...] = ()
    """Changed ones in a person's hands: automation does not touch them."""
    doubts: tuple[str, ...] = ()
    """Why another deployment might be the one to go back to."""


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
    """What differs between what is live and `target`, over the functions of the policy.

    `deployments` are newest first.
    """
    newer = tuple(one for one in deployments if one.at >= target.at and one.id != target.id)
    since: dict[str, datetime] = {}
    served_by: dict[str, datetime | None] = {}
    for function in policy.functions:
        live, placed = inventory.get(function), target.functions.get(function)
        if live is None or placed is None or served(live) == placed.revisions:
            continue
        since[function] = _since(live, target, newer)
        if not follows_latest(live.service.traffic):
            shown = [one for one in newer if one.at >= since[function] and _shows(one, live)]
            served_by[function] = shown[-1].at if shown else None
    return Change(
        target=target,
        functions=since,
        served_by=served_by,
        created=tuple(sorted(set(inventory) & set(policy.functions) - set(target.functions))),
        deleted=tuple(sorted(set(target.functions) - set(inventory))),
        skipped=newer,
    )


def served(live: Live) -> dict[str, int]:
    """Percent per revision that a function serves now."""
    return shares(live.service.traffic, live.service.latest_ready)


def _shows(deployment: Deployment, live: Live) -> bool:
    """Whether the function served the same in a deployment as it does now."""
    placed = deployment.functions.get(live.function)
    return placed is not None and placed.revisions == served(live)


def _since(live: Live, target: Deployment, newer: tuple[Deployment, ...]) -> datetime:
    """The earliest moment at which it can have begun to serve what it serves now.

    Not before its revisions were made; and, where traffic may have been moved to them later, not
    before the newest deployment that shows something else.
    """
    then = target.functions[live.function].revisions
    fresh = [live.revision(name) for name in served(live) if name not in then]
    made = [revision.created_at for revision in fresh if revision is not None]
    if follows_latest(live.service.traffic):
        return max(made, default=target.at)
    others = [one.at for one in newer if not _shows(one, live)]
    return max([*made, *others], default=target.at)


def differences(change: Change, inventory: Inventory) -> list[Difference]:
    """What going back changes, function by function."""
    if change.target is None:
        return []
    return [
        Difference(
            function=function,
            live=served(inventory[function]),
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
