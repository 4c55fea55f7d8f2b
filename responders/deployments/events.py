"""What is said of a look at all that is live: events of the trail, and what people are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from responders.deployments import readiness
from shared.core import text as shortened
from shared.core.codec import decode
from shared.core.store import Document
from shared.domain.audit.chain import Event, event
from shared.domain.deployments.deployment import Deployment
from shared.domain.deployments.inventory.record import Stock
from shared.domain.deployments.rollout import Situation
from shared.domain.notices.notice import Notice, notices
from shared.domain.policy.severity import Severity

ACTOR: Final = "on_deployment"
NAMES_TOLD = 50
"""Of what changed, so much stands in an audit event; the deployment has all of it."""


def of_the_look(situation: Situation, stock: Stock) -> Iterator[tuple[str, Event]]:
    """What a look finds beside deployments, each with what it is known by."""
    before, now = situation.stock, situation.now
    if situation.compared.ours:
        ours = situation.compared.ours
        told = event(
            "inventory.ours", now, ACTOR, functions=some(ours), by=sorted({*ours.values()})
        )
        yield "ours", told
    if situation.compared.by_hand:
        names = situation.compared.by_hand
        until = now + situation.policy.deployments.human_first
        yield "by-hand", event("automation.suspended", now, ACTOR, functions=names, until=until)
    if stock.unknown != (before.unknown if before else ()):
        yield "unknown", event("inventory.unknown", now, ACTOR, parts=stock.unknown)
    if stock.old_secrets != (before.old_secrets if before else ()):
        yield "old-secrets", event("secrets.old", now, ACTOR, secrets=some(stock.old_secrets))


def of_deployments(
    situation: Situation, known: Mapping[str, Document], changed: Iterable[Deployment]
) -> Iterator[tuple[str, Event]]:
    """What becomes of each deployment."""
    for one in changed:
        found = known.get(one.id)
        before = decode(Deployment, found.fields) if found else None
        name = f"deployment.{_became(before, one)}"
        yield (
            f"{one.id}:{name}",
            event(
                name,
                situation.now,
                ACTOR,
                deployment=one.id,
                status=one.status,
                changes=some(f"{each.change} {each.part} {each.name}" for each in one.changes),
                message=one.announced_by,
                named=one.named,
            ),
        )


def _became(before: Deployment | None, one: Deployment) -> str:
    """In a word, what a look has made of a deployment."""
    if one.named:
        return "named"
    if before is None or before.status is not one.status:
        return one.status.lower().replace("_", "-")
    return "extended" if before.changes != one.changes else "told"


def some(names: Iterable[str]) -> list[str]:
    """The names, or the first of them and how many more there are."""
    return shortened.first_lines(sorted(names), NAMES_TOLD)


def people_told(situation: Situation, changed: Iterable[Deployment], stock: Stock) -> list[Notice]:
    """What people are told: what is left alone, cannot be gone back to, or has grown old."""
    policy, now, names = situation.policy, situation.now, situation.compared.by_hand
    said = [
        notice
        for one in changed
        if one.settled_at == now and not one.named
        for notice in readiness.alarm(policy, one, None, now)
    ]
    if names:
        until = now + policy.deployments.human_first
        text = (
            f"{policy.system}: changed by hand: {', '.join(some(names))}; "
            f"automation leaves that alone until {until:%Y-%m-%d %H:%M} UTC"
        )
        key = f"by-hand-{now:%Y%m%dT%H%M%S%f}-{policy.system}"
        said += notices(policy, key, Severity.HIGH, "suspended", text, now, functions=names)
    if old := _newly_old(situation, stock):
        days = policy.deployments.secrets_renewed_within.days
        text = f"{policy.system}: secrets not renewed for {days} days: {', '.join(some(old))}"
        key = f"old-secrets-{now:%Y%m%dT%H%M%S%f}-{policy.system}"
        said += notices(policy, key, Severity.LOW, "old-secrets", text, now, secrets=old)
    return said


def _newly_old(situation: Situation, stock: Stock) -> list[str]:
    """The secrets that are too old now and were not when that was last looked at."""
    before = situation.stock.old_secrets if situation.stock else ()
    return [one for one in stock.old_secrets if one not in before]
