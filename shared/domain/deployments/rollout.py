"""Deployments from look to look: others' changes open or extend one, and quiet settles it. Pure."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.core.codec import FrozenStruct
from shared.domain.deployments import change_attribution
from shared.domain.deployments.deployment import (
    TAKEN_BACK_REASON,
    Deployment,
    DeploymentStatus,
    Placement,
    default_deployment_id,
    placements,
    whole_minute_before,
)
from shared.domain.deployments.inventory.diff import ChangeKind, Difference
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.deployments.inventory.inventory_record import InventoryRecord
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.deployments.inventory.traffic import is_following_latest, traffic_shares
from shared.domain.policy.system_policy import Policy
from shared.domain.system_record import System

RESTORABILITY_CHECK_INTERVAL = timedelta(days=1)
"""So often each deployment that is kept to be gone back to is proven anew."""
_NEXT = timedelta(microseconds=1)
"""A deployment comes after those that are known, however their times were told."""


class DeploymentAnnouncement(FrozenStruct):
    """What somebody says of a deployment, in one message."""

    message: str
    at: datetime
    deployment: str
    """Empty: what is live, whatever it is called."""
    git_hash: str
    stable: bool
    barrier: str


class RolloutObservation(FrozenStruct):
    """One look, whole."""

    policy: Policy
    stock: InventoryRecord | None
    """What was seen before; None: this is the first look."""
    live: WholeInventory
    """Parts without an answer as they were before."""
    compared: change_attribution.AttributedChanges
    known: tuple[Deployment, ...]
    system: System
    now: datetime
    """When the look began."""
    observed_at: datetime
    """When the last answer had arrived: `live` holds no change newer than this."""
    codebases: dict[str, str] = {}
    """The codebase of every live function, the policy's or not, by name."""
    said: DeploymentAnnouncement | None = None

    @property
    def open_deployment(self) -> Deployment | None:
        """The deployment that is rolling out."""
        name = self.stock.rolling_out if self.stock else ""
        found = next((one for one in self.known if one.id == name), None)
        return found if found and found.status is DeploymentStatus.ROLLING_OUT else None


def update_rollout(situation: RolloutObservation) -> Deployment | None:
    """The deployment that the changes open or extend; None when there are none."""
    stock, now, changes = situation.stock, situation.now, situation.compared.changes
    if stock is None or not changes:
        return None
    rolling, live = situation.open_deployment, _current_placements(situation)
    due_at = now + situation.policy.deployments.quiet
    let_through = bool(situation.compared.let_through)
    at, first = _change_start_times(situation, stock, changes)
    unserved = _find_unserved_revisions(situation, stock, rolling)
    if rolling is not None:
        held = {*stock.wrote, *situation.compared.ours} - {one.name for one in changes}
        extended = replace(
            rolling,
            functions={**live, **{name: one for name, one in rolling.functions.items() if name in held}},
            unserved=unserved,
            changes=merge_changes(rolling.changes, changes),
            changed_at=now,
            observed_at={**rolling.observed_at, **_observation_times(situation, rolling.functions, live)},
            let_through=let_through or rolling.let_through,
            due_at=due_at,
        )
        serves_now = rolling.is_unserved and not extended.is_unserved
        return replace(extended, at=max(at, rolling.at)) if serves_now else extended
    before = [one.at for one in situation.known if one.at <= now]
    at = max([at, *(one + _NEXT for one in before)])
    deployment = Deployment(
        id=unused_deployment_id(at, {one.id for one in situation.known}),
        system=situation.policy.system,
        at=at,
        status=DeploymentStatus.ROLLING_OUT,
        functions=live,
        not_before=stock.read_at,
        changes=changes,
        changed_at=now,
        observed_at=_observation_times(situation, {}, live),
        backup_at=whole_minute_before(first),
        unserved=unserved,
        let_through=let_through,
        due_at=due_at,
    )
    helped = [one.rollback for one in situation.compared.taken_back.values() if one.helped]
    if not helped:
        return deployment
    bad = set_status(deployment, DeploymentStatus.BAD, situation)
    return replace(bad, due_at=None, reason=f"{TAKEN_BACK_REASON}{helped[0]} before it was seen")


def _observation_times(
    situation: RolloutObservation, before: Mapping[str, Placement], now: Mapping[str, Placement]
) -> dict[str, datetime]:
    """Return the time of this look for each function whose traffic others have changed."""
    changed = {one.name for one in situation.compared.changes if one.part is InventoryPart.FUNCTIONS}
    return {
        name: situation.observed_at
        for name in sorted(changed & now.keys() - situation.compared.taken_back.keys())
        if name not in before or before[name].revisions != now[name].revisions
    }


def _find_unserved_revisions(
    situation: RolloutObservation, stock: InventoryRecord, rolling: Deployment | None
) -> dict[str, str]:
    """Return the revisions that this deployment and earlier ones made, and that get no request."""
    recorded = [one for one in situation.known if not one.named]
    newest = rolling or max(recorded, key=lambda one: one.at, default=None)
    made = dict(newest.unserved) if newest and newest.status is not DeploymentStatus.BAD else {}
    before, taken_back = stock.live.function_states, situation.compared.taken_back
    functions = situation.live.function_states
    now = {name: one for name, one in functions.items() if one.latest and name not in taken_back}
    for one in situation.compared.changes:
        if one.part is InventoryPart.FUNCTIONS and one.name in now and one.name in before:
            latest = now[one.name].latest
            made |= {one.name: latest} if latest != before[one.name].latest else {}
    return {
        name: revision
        for name, revision in sorted(made.items())
        if name in now and revision not in traffic_shares(now[name].traffic, now[name].latest)
    }


def _current_placements(situation: RolloutObservation) -> dict[str, Placement]:
    """What the functions serve; those that we have led back, what they served before that."""
    functions = situation.live.function_states
    return {
        **placements(functions),
        **{
            name: Placement(
                functions[name].service, one.origin, traffic_shares(one.origin, functions[name].latest)
            )
            for name, one in situation.compared.taken_back.items()
        },
    }


def _change_start_times(
    situation: RolloutObservation, stock: InventoryRecord, changes: Iterable[Difference]
) -> tuple[datetime, datetime]:
    """When the first change was made as near as is known, and the earliest that it can have been.

    A revision that serves because it is the newest tells when that was, and so do a site and rules
    that were released. What we have led back was there when its incident was detected. What
    operators let through began with the end of its step. All else, as a shift by hand, happened at
    some time since the last look.
    """
    live, now, detected = situation.live, situation.now, situation.system.incident_detected_at
    let_through = situation.compared.let_through
    moments = [detected] if situation.compared.taken_back and detected else []
    certain = True
    for change in changes:
        made = []
        if change.part is InventoryPart.FUNCTIONS and change.name in let_through:
            moved_at = let_through[change.name]
            made = [moved_at] if moved_at is not None else []
        elif change.part is InventoryPart.FUNCTIONS:
            before = stock.live.function_states.get(change.name)
            after_it = live.function_states.get(change.name)
            if after_it is not None and is_following_latest(after_it.traffic):
                made = change_attribution.new_revision_times(before, after_it)
        else:
            made = change_attribution.reported_change_times(change, live)
        certain = certain and bool(made) and min(made) >= stock.read_at
        moments += made
    if not moments:
        return now, stock.read_at
    first = min(max(min(moments), stock.read_at), now)
    return first, first if certain else stock.read_at


def merge_changes(before: Collection[Difference], changes: Collection[Difference]) -> tuple[Difference, ...]:
    """All that a deployment has changed, each thing once."""
    found = {(one.part, one.name): one for one in before}
    for one in changes:
        known = found.pop((one.part, one.name), None)
        told = one if known is None else _merge_pair(known, one)
        if told is not None:
            found[one.part, one.name] = told
    return tuple(sorted(found.values()))


def _merge_pair(first: Difference, second: Difference) -> Difference | None:
    """What became of one thing by two changes; None when it came and went."""
    if first.change is ChangeKind.CREATED:
        return None if second.change is ChangeKind.DELETED else first
    if second.change is ChangeKind.DELETED:
        return second
    return replace(first, change=ChangeKind.CHANGED, aspects=tuple(sorted({*first.aspects, *second.aspects})))


def settle_rollout(situation: RolloutObservation) -> Deployment | None:
    """The deployment that was rolling out, live; None while it is not quiet for long enough."""
    rolling, now = situation.open_deployment, situation.now
    if rolling is None or rolling.changed_at is None:
        return None
    if now < rolling.changed_at + situation.policy.deployments.quiet:
        return None
    return set_status(rolling, DeploymentStatus.LIVE, situation)


def set_status(deployment: Deployment, status: DeploymentStatus, situation: RolloutObservation) -> Deployment:
    """The deployment as it is kept from now on; judged, or proven, when that is due."""
    bake = situation.policy.execution.bake
    wait = RESTORABILITY_CHECK_INTERVAL if status is DeploymentStatus.STABLE else bake
    return replace(deployment, status=status, settled_at=situation.now, due_at=situation.now + wait)


def unused_deployment_id(at: datetime, taken: Collection[str]) -> str:
    """The id of a deployment of that second, or of the next one that has none."""
    while default_deployment_id(at) in taken:
        at += timedelta(seconds=1)
    return default_deployment_id(at)
