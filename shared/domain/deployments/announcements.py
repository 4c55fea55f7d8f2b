"""What one look, and what somebody says of it, makes of the deployments that are known. Pure."""

from datetime import timedelta

from msgspec.structs import replace

from shared.core.errors import Refused
from shared.core.text import join_names
from shared.domain.deployments.change_attribution import AttributedChanges
from shared.domain.deployments.deployment import (
    MARKED_STATUSES,
    Deployment,
    DeploymentStatus,
    default_deployment_id,
    placements,
    whole_minute_before,
)
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.deployments.rollout import (
    DeploymentAnnouncement,
    RolloutObservation,
    merge_changes,
    set_status,
    settle_rollout,
    update_rollout,
)

CI_CLOCK_SKEW_TOLERANCE = timedelta(seconds=5)
"""How far the clocks of CI and of Cloud Run may differ."""


def update_deployments(situation: RolloutObservation) -> list[Deployment]:
    """Return the deployments that this look adds or changes. Raises: Refused."""
    if situation.said is not None:
        _refuse_unstable(situation, situation.said)
    rolling, before = situation.open_deployment, list[Deployment]()
    if rolling is not None and _is_replaced(rolling, situation.compared):
        reason = "another deployment was live before it was stable"
        before = [replace(rolling, status=DeploymentStatus.LIVE, due_at=None, reason=reason)]
        known = tuple(one for one in situation.known if one.id != rolling.id)
        situation = replace(situation, known=(*known, *before))
    current = update_rollout(situation)
    release = _find_unserved_release(current, situation) if current is not None else None
    if current is None:
        current = settle_rollout(situation)
    elif release is not None and release.status in MARKED_STATUSES:
        current = replace(current, git_hash=release.git_hash)
    elif release is not None:
        before = [one for one in before if one.id != release.id]
        current, *other = _join_release(situation, current, release)
        before += other
    if situation.said is None:
        return [*before, current] if current else []
    return [*before, *_apply_announcement(situation, situation.said, current)]


def _is_replaced(rolling: Deployment, compared: AttributedChanges) -> bool:
    """Return whether changes are none of the roll-out: what operators let through stands alone."""
    again = compared.moved_functions & {*rolling.changed_functions}
    return bool((again if rolling.let_through else {*compared.let_through}) - {*compared.released})


def _find_unserved_release(current: Deployment, situation: RolloutObservation) -> Deployment | None:
    """Return the deployment that made the revisions that serve now for the first time."""
    served = {name: placed.revisions for name, placed in current.functions.items()}
    found = [
        one
        for one in situation.known
        if one.unserved
        and one.id != current.id
        and not (one.named or one.let_through or one.status is DeploymentStatus.BAD)
        and one.unserved.keys() >= {*current.changed_functions}
        and all(served.get(name) == {revision: 100} for name, revision in one.unserved.items())
    ]
    return max(found, key=lambda one: (bool(one.announced_by), one.at), default=None)


def _join_release(
    situation: RolloutObservation, current: Deployment, release: Deployment
) -> list[Deployment]:
    """Return the release as it serves from now on, and the record that is named after it."""
    kept, other = (release, current) if release.announced_by else (current, release)
    since = current if all(one.part is InventoryPart.FUNCTIONS for one in release.changes) else release
    served = replace(
        current,
        id=kept.id,
        announced_by=kept.announced_by,
        git_hash=release.git_hash,
        barrier=release.barrier,
        not_before=since.not_before,
        backup_at=since.backup_at,
        changes=merge_changes(release.changes, current.changes),
    )
    if all(one.id != other.id for one in situation.known):
        return [served]
    return [served, replace(other, status=DeploymentStatus.LIVE, named=kept.id, due_at=None)]


def _apply_announcement(
    situation: RolloutObservation, said: DeploymentAnnouncement, current: Deployment | None
) -> list[Deployment]:
    """The deployments, once what was said of them is taken in; again: nothing more."""
    others = [current] if current else []
    if any(one.announced_by == said.message for one in situation.known):
        return others
    named = next((one for one in situation.known if one.id == said.deployment), None)
    if named is not None and (current is None or named.id != current.id):
        told = _update_known_deployment(situation, said, named)
        return [*others, told] if told != named else others
    base = current or _newest_unannounced(situation)
    if base is None:
        return [_create_announced_deployment(situation, said)]
    return _rename_deployment(situation, said, base)


def _rename_deployment(
    situation: RolloutObservation, said: DeploymentAnnouncement, base: Deployment
) -> list[Deployment]:
    """The deployment that was found, under the name that it was announced by."""
    told = replace(
        base,
        id=said.deployment or base.id,
        announced_by=said.message,
        git_hash=said.git_hash or base.git_hash,
        barrier=said.barrier or base.barrier,
    )
    if said.stable:
        _refuse_unserved(base)
        told = _mark_announced_stable(set_status(told, DeploymentStatus.STABLE, situation))
    was_kept = any(one.id == base.id for one in situation.known)
    if told.id == base.id or not was_kept:
        return [told]
    return [told, replace(base, status=DeploymentStatus.LIVE, named=told.id, due_at=None)]


def _update_known_deployment(
    situation: RolloutObservation, said: DeploymentAnnouncement, named: Deployment
) -> Deployment:
    """A deployment of which more is said. Raises: Refused."""
    told = replace(named, git_hash=named.git_hash or said.git_hash, barrier=named.barrier or said.barrier)
    if not said.stable or named.status is DeploymentStatus.STABLE:
        return told
    if named.functions != placements(situation.live.function_states):
        raise Refused(f"{named.id} is not live: it cannot be marked as stable")
    _refuse_unserved(named)
    if named.status is DeploymentStatus.BAD:
        raise Refused(f"{named.id} is marked as bad: mark-stable changes that")
    return _mark_announced_stable(set_status(told, DeploymentStatus.STABLE, situation))


def _create_announced_deployment(situation: RolloutObservation, said: DeploymentAnnouncement) -> Deployment:
    """A deployment of which nothing is known but what is live, and that somebody tells of it."""
    ids = {one.id for one in situation.known}
    at = said.at
    while not said.deployment and default_deployment_id(at) in ids:
        at += timedelta(seconds=1)
    deployment = Deployment(
        id=said.deployment or default_deployment_id(at),
        system=situation.policy.system,
        at=at,
        status=DeploymentStatus.LIVE,
        functions=placements(situation.live.function_states),
        announced_by=said.message,
        git_hash=said.git_hash,
        barrier=said.barrier,
        backup_at=whole_minute_before(at),
    )
    if said.stable:
        return _mark_announced_stable(set_status(deployment, DeploymentStatus.STABLE, situation))
    return set_status(deployment, DeploymentStatus.LIVE, situation)


def _mark_announced_stable(deployment: Deployment) -> Deployment:
    return replace(deployment, reason="announced as stable", untested=())


def _newest_unannounced(situation: RolloutObservation) -> Deployment | None:
    """The newest deployment, if nobody has told of it and it is what is live."""
    newest = max([one for one in situation.known if not one.named], key=lambda one: one.at, default=None)
    if newest is None or newest.announced_by or newest.status is DeploymentStatus.BAD:
        return None
    rolling = newest.status is DeploymentStatus.ROLLING_OUT
    return newest if rolling or newest.functions == placements(situation.live.function_states) else None


def _refuse_unserved(one: Deployment) -> None:
    """Raises: Refused, when no request reaches what the deployment changed."""
    if one.is_unserved:
        names = join_names(list(one.unserved))
        raise Refused(f"{one.id} cannot be marked as stable: no request reaches its revisions ({names})")


def _refuse_unstable(situation: RolloutObservation, said: DeploymentAnnouncement) -> None:
    """Raises: Refused, when what is live cannot be what was called stable."""
    if not said.stable or any(one.announced_by == said.message for one in situation.known):
        return
    functions = situation.live.function_states
    for name, placed in sorted(placements(functions).items()):
        for revision in placed.revisions:
            state = functions[name].revisions.get(revision)
            if state is not None and state.created_at > said.at + CI_CLOCK_SKEW_TOLERANCE:
                raise Refused(f"not the deployment announced as stable: {name} serves a newer revision")
    if situation.system.open_incident:
        raise Refused(f"no deployment becomes stable during {situation.system.open_incident}")
