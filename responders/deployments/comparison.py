"""One look at all that is live: compared with the last one, and what it makes of that committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from responders.deployments import events as reporting
from responders.deployments import own_changes, pin_check, readiness
from responders.support.inventory_reader import take_stock
from shared.core.codec import SCHEMA, decode, encode
from shared.core.errors import Unavailable
from shared.core.store import Document, Put, Query, Store, Update, Write, written
from shared.core.write_conflicts import retry_on_conflict
from shared.domain import system as systems
from shared.domain.audit.system_chain import write_down
from shared.domain.deployments import deployment as deployments
from shared.domain.deployments.announcements import after
from shared.domain.deployments.change_attribution import Compared, compare, rolled_on
from shared.domain.deployments.deployment import MARKED, Deployment, DeploymentStatus, returnable
from shared.domain.deployments.inventory import record as stocks
from shared.domain.deployments.inventory.diff import Difference, differences
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.deployments.inventory.record import (
    Stock,
    filled,
    old_secrets,
    protected,
    unknown_parts,
)
from shared.domain.deployments.inventory.state import WholeInventory
from shared.domain.deployments.rollout import Said, Situation
from shared.domain.deployments.source_copies import carried
from shared.domain.policy.model import Policy
from shared.domain.retention import KEPT_FOR
from shared.domain.system import System
from shared.ports.groups import Ports
from shared.state import work_queue

ATTEMPTS = 20
NOTHING_NEW_EVERY = timedelta(seconds=10)
"""A look that finds nothing new is written down no more often: many may be asked for at once."""


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
    too_fast = f"{policy.system}: its inventory changes too fast"
    retry_on_conflict(partial(_look, ports, policy, wanted, said), ATTEMPTS, too_fast)


def _look(ports: Ports, policy: Policy, wanted: datetime, said: Said | None) -> None:
    """One look and its commit, where it is needed still. Raises: Moved, Refused, Unavailable."""
    began = ports.clock.monotonic()
    document = ports.store.get(stocks.inventory_path(policy.system))
    stock = stocks.decode(document.fields) if document.fields else None
    if said is None and stock is not None and stock.read_at > wanted:
        return
    store, now = ports.store, document.read_at
    document_of = store.get(systems.system_path(policy.system))
    system = systems.stored(document_of.fields, policy.system)
    found = protected(take_stock(ports, policy), policy)
    observed_at = now + timedelta(seconds=ports.clock.monotonic() - began)
    if found.functions is None and (stock is None or said is not None):
        raise Unavailable(f"{policy.system}: no answer about which functions there are")
    live = carried(filled(found, stock.live), stock.live) if stock else found
    differing = differences(stock.live, live) if stock else ()
    known, compared = {}, Compared()
    if said is not None or differing or (stock is not None and stock.rolling_out):
        known = _known(store, policy.system)
    if stock is not None and differing:
        # After what is live was read: of whatever of ours has landed, the intent was committed.
        sent = own_changes.sent(store, policy.system, stock.read_at)
        rolling = known.get(stock.rolling_out)
        compared = _told_apart(
            differing,
            stock,
            live,
            sent,
            system,
            decode(Deployment, rolling.fields) if rolling else None,
            policy,
        )
    situation = Situation(
        policy=policy,
        stock=stock,
        live=live,
        compared=compared,
        known=tuple(decode(Deployment, one.fields) for one in known.values()),
        system=system,
        now=now,
        observed_at=observed_at,
        said=said,
    )
    unkept = stock.unkept if stock else {}
    changed = [
        readiness.recorded(ports, policy, one, live, unkept) if one.settled_at == now else one
        for one in after(situation)
    ]
    _commit(ports, situation, _Read(document, document_of, known), unknown_parts(found), changed)


def _told_apart(
    differing: tuple[Difference, ...],
    stock: Stock,
    live: WholeInventory,
    sent: list[own_changes.SentRollback],
    system: System,
    rolling: Deployment | None,
    policy: Policy,
) -> Compared:
    """What differs from the last look, by who has changed it."""
    wrote = own_changes.wrote(sent)
    mine = own_changes.beside(sent, differing, stock.live, live)
    theirs = tuple(one for one in differing if one not in mine)
    quiet = policy.deployments.quiet
    rolls_on = rolled_on(theirs, stock, live, wrote, system, rolling, quiet)
    compared = compare(theirs, stock, live, wrote, system, rolls_on=rolls_on)
    named = {f"{one.part} {one.name}": rollback for one, rollback in mine.items()}
    return replace(compared, ours={**compared.ours, **named})


def _known(store: Store, system: str) -> dict[str, Document]:
    """The documents of the deployments, by id."""
    found = store.query(Query("deployments", where=(("system", "==", system),)))
    return {str((one.fields or {})["id"]): one for one in found}


def _commit(
    ports: Ports,
    situation: Situation,
    read: _Read,
    unknown: tuple[InventoryPart, ...],
    changed: list[Deployment],
) -> None:
    """State, events and notices of a look in one commit, as it was read. Raises: Moved."""
    stock = _next_stock(situation, unknown, changed)
    seen = InventoryPart.FUNCTIONS not in unknown  # what was live before says nothing about a pin
    held = pin_check.found(ports.store, situation, reporting.ACTOR) if seen else pin_check.Found()
    events = [
        *reporting.of_the_look(situation, stock),
        *reporting.of_deployments(situation, read.known, changed),
        *held.events,
    ]
    if not events and situation.stock is not None:
        if stock.read_at - situation.stock.read_at >= NOTHING_NEW_EVERY:
            passed = {"read_at": stock.read_at, "due_at": stock.due_at}
            ports.store.commit([Update(read.stock.path, passed, read.stock.version)])
        return
    said = [*reporting.people_told(situation, changed, stock), *held.notices]
    writes: list[Write] = [written(read.stock, stocks.encode(stock)), *held.writes]
    for one in changed:
        writes += _kept(one, read.known.get(one.id), situation)
    writes += _expiring(situation, read.known, changed)
    writes += _proving_again(situation, read.known, changed)
    writes += _suspending(situation, read.system)
    writes += [
        write_down(situation.policy.system, f"look:{told.at}:{name}", told) for name, told in events
    ]
    work_queue.commit_with_notices(ports.store, ports.bus, writes, said)


def _next_stock(
    situation: Situation, unknown: tuple[InventoryPart, ...], changed: Iterable[Deployment]
) -> Stock:
    """What the next look compares with."""
    compared, now = situation.compared, situation.now
    becoming = {one.id: one for one in changed}
    rolling = [one.id for one in changed if one.status is DeploymentStatus.ROLLING_OUT]
    if situation.open is not None and situation.open.id not in becoming:
        rolling.append(situation.open.id)
    before = situation.stock.wrote if situation.stock else {}
    others = {one.name for one in compared.changes if one.part is InventoryPart.FUNCTIONS}
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
        unkept=situation.stock.unkept if situation.stock else {},
        old_secrets=old_secrets(situation.live, situation.policy, now),
    )


def _kept(one: Deployment, found: Document | None, situation: Situation) -> Iterator[Write]:
    """The writes that keep a deployment, and its record where that is new."""
    now, system = situation.now, one.system
    if one.named:
        one = replace(one, expires_at=now + KEPT_FOR)
    absent = Document(deployments.deployment_path(system, one.id), None, None, now)
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

    That is the newest stable deployment, and every one that is kept once secrets have changed.
    """
    if not situation.compared.changes:
        return
    becoming = {one.id for one in changed}
    kept = returnable(situation.known, situation.policy.deployments.kept)
    secrets = any(one.part is InventoryPart.SECRETS for one in situation.compared.changes)
    for one in (
        kept if secrets else [one for one in kept if one.status is DeploymentStatus.STABLE][:1]
    ):
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
