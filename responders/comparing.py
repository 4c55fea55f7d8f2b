"""One look at all that is live: compared with the last one, and what it makes of that committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from responders import proving
from responders.taking_stock import take_stock
from shared import deployment as deployments
from shared import handover
from shared import stock as stocks
from shared import system as systems
from shared.announcing import after
from shared.audit import Event, event
from shared.deployment import MARKED, Deployment, Status
from shared.differences import Part, differences
from shared.documents import SCHEMA, decode, encode
from shared.engine import load_steps
from shared.errors import Moved, Unavailable
from shared.notice import Notice, creates, notices
from shared.outside import write_down
from shared.plan import StepStatus
from shared.policy import Policy, Severity
from shared.ports import Create, Document, Ports, Put, Query, Store, Update, Write, written
from shared.rollback import KEPT_FOR, Rollback
from shared.rollback import Status as RollbackStatus
from shared.rollout import Compared, Said, Situation, Wrote, compare
from shared.steps import shift
from shared.stock import Stock, filled, protected, unknown_parts
from shared.system import System

ACTOR: Final = "on_deployment"
ATTEMPTS = 20
LANDS_WITHIN = timedelta(minutes=10)
"""What a rollback has sent before its end may be seen so long after it."""
NEVER_SENT = (StepStatus.PENDING, StepStatus.SKIPPED)
NOTHING_NEW_EVERY = timedelta(seconds=10)
"""A look that finds nothing new is written down no more often: many may be asked for at once."""
NAMES_TOLD = 50
"""Of what changed, so much stands in an audit event; the deployment has all of it."""


class _Read(Struct, frozen=True):
    """What a look's commit is conditional on."""

    stock: Document
    system: Document
    known: Mapping[str, Document]


def look(ports: Ports, policy: Policy, wanted: datetime, said: Said | None = None) -> None:
    """Return once what was live after `wanted` is taken in, by this look or another.

    With something said, it is taken in as well. Whoever loses a race looks again.
    Raises: Refused; Unavailable, when it cannot be read which functions there are.
    """
    for _ in range(ATTEMPTS):
        document = ports.store.get(stocks.path(policy.system))
        stock = stocks.decode(document.fields) if document.fields else None
        if said is None and stock is not None and stock.read_at > wanted:
            return
        try:
            _look(ports, policy, document, stock, said)
        except Moved:  # somebody has looked, or a worker has written: look again
            continue
        return
    raise Unavailable(f"{policy.system}: its inventory changes too fast")


def _look(
    ports: Ports, policy: Policy, document: Document, stock: Stock | None, said: Said | None
) -> None:
    """One look and its commit. Raises: Moved, Refused, Unavailable."""
    store, now = ports.store, document.read_at
    system = store.get(systems.path(policy.system))
    found = protected(take_stock(ports, policy), policy)
    if found.functions is None and (stock is None or said is not None):
        raise Unavailable(f"{policy.system}: no answer about which functions there are")
    live = filled(found, stock.live) if stock else found
    differing = differences(stock.live, live) if stock else ()
    known, compared = {}, Compared()
    if stock is not None and differing:
        # After what is live was read: of whatever of ours has landed, the intent was committed.
        wrote = _wrote(store, policy.system, stock.read_at)
        compared = compare(differing, stock, live, wrote, _system(system, policy))
    if said is not None or differing or (stock is not None and stock.rolling_out):
        known = _known(store, policy.system)
    situation = Situation(
        policy=policy,
        stock=stock,
        live=live,
        compared=compared,
        known=tuple(decode(Deployment, one.fields) for one in known.values()),
        system=_system(system, policy),
        now=now,
        said=said,
    )
    changed = [
        proving.recorded(ports, policy, one, live) if one.settled_at == now else one
        for one in after(situation)
    ]
    _commit(ports, situation, _Read(document, system, known), unknown_parts(found), changed)


def _wrote(store: Store, system: str, since: datetime) -> dict[str, Wrote]:
    """What rollbacks of ours may have led functions to since then, by function; the newest wins."""
    found = store.query(Query("rollbacks", where=(("system", "==", system),)))
    rollbacks = sorted(
        (decode(Rollback, one.fields) for one in found), key=lambda one: one.created_at
    )
    wrote = {}
    for rollback in rollbacks:
        helped = rollback.status in (RollbackStatus.WATCHING, RollbackStatus.SUCCEEDED)
        over = rollback.ended_at is not None and rollback.ended_at + LANDS_WITHIN < since
        if rollback.plan is None or over:
            continue
        for step in load_steps(store, rollback.id).values():
            if step.kind == shift.KIND and step.status not in NEVER_SENT:
                goal, origin = decode(shift.Goal, step.goal), decode(shift.Origin, step.origin)
                wrote[step.target] = Wrote(rollback.id, origin.traffic, goal.traffic, helped)
    return wrote


def _known(store: Store, system: str) -> dict[str, Document]:
    """The documents of the deployments, by id."""
    found = store.query(Query("deployments", where=(("system", "==", system),)))
    return {str((one.fields or {})["id"]): one for one in found}


def _system(document: Document, policy: Policy) -> System:
    return decode(System, document.fields) if document.fields else System(policy.system)


def _commit(
    ports: Ports,
    situation: Situation,
    read: _Read,
    unknown: tuple[Part, ...],
    changed: list[Deployment],
) -> None:
    """State, events and notices of a look in one commit, as it was read. Raises: Moved."""
    stock = _next_stock(situation, unknown, changed)
    events = [*_of_the_look(situation, stock), *_of_deployments(situation, read.known, changed)]
    if not events and situation.stock is not None:
        if stock.read_at - situation.stock.read_at >= NOTHING_NEW_EVERY:
            passed = {"read_at": stock.read_at, "due_at": stock.due_at}
            ports.store.commit([Update(read.stock.path, passed, read.stock.version)])
        return
    said = _notices(situation, changed)
    writes: list[Write] = [written(read.stock, stocks.encode(stock))]
    for one in changed:
        writes += _kept(one, read.known.get(one.id), situation)
    writes += _expiring(situation, read.known, changed)
    writes += _proving_again(situation, read.known, changed)
    writes += _suspending(situation, read.system)
    writes += [_written_down(situation, name, told) for name, told in events]
    ports.store.commit([*writes, *creates(said)])
    handover.publish_notices(ports.bus, said)


def _next_stock(
    situation: Situation, unknown: tuple[Part, ...], changed: Iterable[Deployment]
) -> Stock:
    """What the next look compares with."""
    compared, now = situation.compared, situation.now
    becoming = {one.id: one for one in changed}
    rolling = [one.id for one in changed if one.status is Status.ROLLING_OUT]
    if situation.open is not None and situation.open.id not in becoming:
        rolling.append(situation.open.id)
    before = situation.stock.wrote if situation.stock else {}
    others = {one.name for one in compared.changes if one.part is Part.FUNCTIONS}
    return Stock(
        system=situation.policy.system,
        read_at=now,
        due_at=now + situation.policy.deployments.look_every,
        live=situation.live,
        unknown=unknown,
        rolling_out=rolling[0] if rolling else "",
        wrote={
            **{name: by for name, by in before.items() if name not in others},
            **compared.ours,
        },
    )


def _of_the_look(situation: Situation, stock: Stock) -> Iterator[tuple[str, Event]]:
    """What a look finds beside deployments, each with what it is known by."""
    before, now = situation.stock, situation.now
    if situation.compared.ours:
        ours = situation.compared.ours
        told = event(
            "inventory.ours", now, ACTOR, functions=_some(ours), by=sorted({*ours.values()})
        )
        yield "ours", told
    if situation.compared.by_hand:
        names = situation.compared.by_hand
        until = now + situation.policy.deployments.human_first
        yield "by-hand", event("automation.suspended", now, ACTOR, functions=names, until=until)
    if stock.unknown != (before.unknown if before else ()):
        yield "unknown", event("inventory.unknown", now, ACTOR, parts=stock.unknown)


def _of_deployments(
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
                changes=_some(f"{each.change} {each.part} {each.name}" for each in one.changes),
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


def _some(names: Iterable[str]) -> list[str]:
    """The names, or the first of them and how many more there are."""
    every = sorted(names)
    more = [f"and {len(every) - NAMES_TOLD} more"] if len(every) > NAMES_TOLD else []
    return [*every[:NAMES_TOLD], *more]


def _written_down(situation: Situation, name: str, told: Event) -> Create:
    return write_down(situation.policy.system, f"look:{told.at}:{name}", told)


def _kept(one: Deployment, found: Document | None, situation: Situation) -> Iterator[Write]:
    """The writes that keep a deployment, and its record where that is new."""
    now, system = situation.now, one.system
    if one.named:
        one = replace(one, expires_at=now + KEPT_FOR)
    absent = Document(deployments.path(system, one.id), None, None, now)
    yield written(found or absent, encode(one))
    if one.settled_at is None:
        return
    record, expires_at = deployments.record_path(system, one.id), {"expires_at": one.expires_at}
    if found is None or one.settled_at == now:
        live = {"live": stocks.packed(situation.live), "at": now, "schema": SCHEMA}
        yield Put(record, {**live, **expires_at})
    elif one.named:
        yield Update(record, expires_at)


def _expiring(
    situation: Situation, known: Mapping[str, Document], changed: Iterable[Deployment]
) -> Iterator[Write]:
    """The writes that let the oldest deployments go, with their records."""
    becoming = {one.id for one in changed}
    newest = sorted(situation.known, key=lambda one: one.at, reverse=True)
    kept = max(0, situation.policy.deployments.kept - len(becoming))
    for one in newest[kept:]:
        if one.status in MARKED or one.id in becoming or one.expires_at is not None:
            continue
        fields = {"expires_at": situation.now + KEPT_FOR, "due_at": None}
        yield Update(known[one.id].path, fields, known[one.id].version)
        if one.settled_at is not None:
            record = deployments.record_path(one.system, one.id)
            yield Update(record, {"expires_at": fields["expires_at"]})


def _proving_again(
    situation: Situation, known: Mapping[str, Document], changed: Iterable[Deployment]
) -> Iterator[Write]:
    """The writes that have proven again what one might go back to, now that something changed.

    That is the newest stable deployment, and every one once secrets have changed.
    """
    if not situation.compared.changes:
        return
    becoming = {one.id for one in changed}
    stable = [one for one in situation.known if one.status is Status.STABLE]
    stable.sort(key=lambda one: one.at, reverse=True)
    secrets = any(one.part is Part.SECRETS for one in situation.compared.changes)
    for one in stable[: situation.policy.deployments.kept if secrets else 1]:
        if one.id not in becoming:
            document = known[one.id]
            yield Update(document.path, {"due_at": situation.now}, document.version)


def _suspending(situation: Situation, system: Document) -> Iterator[Write]:
    """The write that keeps automation from what a person has changed by hand."""
    now, names = situation.now, situation.compared.by_hand
    if names:
        until = now + situation.policy.deployments.human_first
        before = {name: at for name, at in situation.system.suspended.items() if at > now}
        suspended = {**before, **dict.fromkeys(names, until)}
        yield written(system, encode(replace(situation.system, suspended=suspended)))


def _notices(situation: Situation, changed: Iterable[Deployment]) -> list[Notice]:
    """What people are told: what automation leaves alone, and what cannot be gone back to."""
    policy, now, names = situation.policy, situation.now, situation.compared.by_hand
    said = [
        notice
        for one in changed
        if one.settled_at == now and not one.named
        for notice in proving.alarm(policy, one, None, now)
    ]
    if names:
        until = now + policy.deployments.human_first
        text = (
            f"{policy.system}: changed by hand: {', '.join(_some(names))}; "
            f"automation leaves that alone until {until:%Y-%m-%d %H:%M} UTC"
        )
        key = f"by-hand-{now:%Y%m%dT%H%M%S%f}-{policy.system}"
        said += notices(policy, key, Severity.HIGH, "suspended", text, now, functions=names)
    return said
