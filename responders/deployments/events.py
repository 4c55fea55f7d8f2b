"""What is said of a look at all that is live: events of the trail, and what people are told."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from responders.deployments import readiness
from shared.core import text as shortened
from shared.core.codec import decode
from shared.core.store import Document
from shared.domain.audit.chain import Event, create_event
from shared.domain.deployments.deployment import Deployment
from shared.domain.deployments.inventory.inventory_record import InventoryRecord
from shared.domain.deployments.rollout import RolloutObservation
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.severity import Severity

ACTOR: Final = "on_deployment"
MAX_NAMES_PER_EVENT = 50
"""Of what changed, so much stands in an audit event; the deployment has all of it."""


def build_comparison_events(
    situation: RolloutObservation, stock: InventoryRecord
) -> Iterator[tuple[str, Event]]:
    """What a look finds beside deployments, each with what it is known by."""
    before, now = situation.stock, situation.now
    if situation.compared.ours:
        ours = situation.compared.ours
        told = create_event(
            "inventory.ours", now, ACTOR, functions=first_names(ours), by=sorted({*ours.values()})
        )
        yield "ours", told
    if situation.compared.by_hand:
        names = situation.compared.by_hand
        until = now + situation.policy.deployments.human_first
        yield ("by-hand", create_event("automation.suspended", now, ACTOR, functions=names, until=until))
    if stock.unknown != (before.unknown if before else ()):
        yield "unknown", create_event("inventory.unknown", now, ACTOR, parts=stock.unknown)
    if stock.old_secrets != (before.old_secrets if before else ()):
        yield ("old-secrets", create_event("secrets.old", now, ACTOR, secrets=first_names(stock.old_secrets)))


def build_deployment_events(
    situation: RolloutObservation, known: Mapping[str, Document], changed: Iterable[Deployment]
) -> Iterator[tuple[str, Event]]:
    """What becomes of each deployment."""
    for one in changed:
        found = known.get(one.id)
        before = decode(Deployment, found.fields) if found else None
        name = f"deployment.{_deployment_event_suffix(before, one)}"
        yield (
            f"{one.id}:{name}",
            create_event(
                name,
                situation.now,
                ACTOR,
                deployment=one.id,
                status=one.status,
                changes=first_names(f"{each.change} {each.part} {each.name}" for each in one.changes),
                message=one.announced_by,
                named=one.named,
            ),
        )


def _deployment_event_suffix(before: Deployment | None, one: Deployment) -> str:
    if one.named:
        return "named"
    if before is None or before.status is not one.status:
        return one.status.lower().replace("_", "-")
    return "extended" if before.changes != one.changes else "told"


def first_names(names: Iterable[str]) -> list[str]:
    """The names, or the first of them and how many more there are."""
    return shortened.first_lines(sorted(names), MAX_NAMES_PER_EVENT)


def build_comparison_notices(
    situation: RolloutObservation, changed: Iterable[Deployment], stock: InventoryRecord
) -> list[Notice]:
    """What people are told: what is left alone, cannot be gone back to, or has grown old."""
    policy, now, names = situation.policy, situation.now, situation.compared.by_hand
    said = [
        notice
        for one in changed
        if one.settled_at == now and not one.named
        for notice in readiness.build_restorability_notices(policy, one, None, now)
    ]
    if names:
        until = now + policy.deployments.human_first
        text = (
            f"{policy.system}: changed by hand: {', '.join(first_names(names))}; "
            f"automation leaves that alone until {until:%Y-%m-%d %H:%M} UTC"
        )
        key = f"by-hand-{now:%Y%m%dT%H%M%S%f}-{policy.system}"
        said += create_notices(policy, key, Severity.HIGH, "suspended", text, now, functions=names)
    known = situation.stock.old_secrets if situation.stock else ()
    if old := [one for one in stock.old_secrets if one not in known]:
        days = policy.deployments.secrets_renewed_within.days
        text = f"{policy.system}: secrets not renewed for {days} days: {', '.join(first_names(old))}"
        key = f"old-secrets-{now:%Y%m%dT%H%M%S%f}-{policy.system}"
        said += create_notices(policy, key, Severity.LOW, "old-secrets", text, now, secrets=old)
    return said
