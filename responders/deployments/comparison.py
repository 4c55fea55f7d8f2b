"""Compare all that is live with the last comparison; commit and tell what has changed."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from responders.deployments import own_changes, pin_check, readiness
from responders.support.inventory_reader import read_inventory
from shared.core import text as shortened
from shared.core.codec import SCHEMA_VERSION, FrozenStruct
from shared.core.errors import Unavailable
from shared.core.store import Document, Put, Query, Update, Write, retry_on_conflict
from shared.domain.audit.chain import Event, create_event
from shared.domain.audit.system_chain import event_write
from shared.domain.deployments.announcements import update_deployments
from shared.domain.deployments.change_attribution import AttributedChanges, attribute_changes, rollout_changes
from shared.domain.deployments.deployment import (
    MARKED_STATUSES,
    Deployment,
    DeploymentStatus,
    deployment_path,
    record_path,
    rollback_targets,
)
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.deployments.inventory.diff import ChangeKind, Difference, differences
from shared.domain.deployments.inventory.inventory_parts import WholeInventory, codebases_of
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.deployments.rollout import DeploymentAnnouncement, RolloutObservation
from shared.domain.deployments.source_copies import carry_over_copies
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import create_notices, create_team_notices
from shared.domain.policy.function_groups import describe_ungrouped, find_ungrouped, resolve_groups
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.retention import RECORD_RETENTION
from shared.domain.system_record import System, decode_system, system_path
from shared.engine.steps.resource_differences import is_own_change
from shared.ports.groups import Ports
from shared.state import work_queue

COMMIT_ATTEMPTS = 20
UNCHANGED_COMPARISON_INTERVAL = timedelta(seconds=10)
"""A look that finds nothing new is written down no more often: many may be asked for at once."""
ACTOR = "on_deployment"
MAX_NAMES_PER_EVENT = 50
"""Of what changed, so much stands in an audit event; the deployment has all of it."""


class _ComparisonBasis(FrozenStruct):
    stock: Document
    system: Document
    known: Mapping[str, Document]


def compare_inventory(
    ports: Ports, policy: Policy, wanted: datetime, said: DeploymentAnnouncement | None = None
) -> None:
    """Return once what was live after `wanted` is recorded. Raises: Refused, Unavailable."""
    too_fast = f"{policy.system}: its inventory changes too fast"
    retry_on_conflict(partial(_compare_once, ports, policy, wanted, said), COMMIT_ATTEMPTS, too_fast)


def _compare_once(
    ports: Ports, policy: Policy, wanted: datetime, said: DeploymentAnnouncement | None
) -> None:
    """One look and its commit, where it is needed still. Raises: Moved, Refused, Unavailable."""
    began = ports.clock.monotonic()
    document = ports.store.get(stocks.inventory_path(policy.system))
    stock = stocks.decode(document.fields) if document.fields else None
    if said is None and stock is not None and stock.read_at > wanted:
        return
    store, now = ports.store, document.read_at
    document_of = store.get(system_path(policy.system))
    system = decode_system(document_of.fields, policy.system)
    whole = read_inventory(ports, policy)
    codebases = codebases_of(whole.function_states) or (stock.codebases if stock else {})
    policy = resolve_groups(policy, {**(stock.deleted if stock else {}), **codebases})
    found = stocks.filter_protected(whole, policy)
    observed_at = now + timedelta(seconds=ports.clock.monotonic() - began)
    if found.functions is None and (stock is None or said is not None):
        raise Unavailable(f"{policy.system}: the list of functions could not be read")
    live = carry_over_copies(stocks.fill_unknown_parts(found, stock.live), stock.live) if stock else found
    differing = differences(stock.live, live) if stock else ()
    known, compared = {}, AttributedChanges()
    if said is not None or differing or (stock is not None and (stock.rolling_out or stock.deleted)):
        stored = store.query(Query.equal("deployments", system=policy.system))
        known = {str((one.fields or {})["id"]): one for one in stored}
    deployed = {name: one.decode(Deployment) for name, one in known.items()}
    if stock is not None and differing:
        # After what is live was read: of whatever of ours has landed, the intent was committed.
        sent = own_changes.find_rollbacks_with_effects(store, policy.system, stock.read_at)
        compared = _attribute_differences(differing, stock, live, sent, system, deployed, policy)
    situation = RolloutObservation(
        policy=policy,
        stock=stock,
        live=live,
        compared=compared,
        known=tuple(deployed.values()),
        system=system,
        now=now,
        observed_at=observed_at,
        codebases=codebases,
        said=said,
    )
    changed = [
        readiness.assess_settled_deployment(ports, policy, one, live, stock.unkept if stock else {})
        if one.settled_at == now
        else one
        for one in update_deployments(situation)
    ]
    basis = _ComparisonBasis(document, document_of, known)
    _commit_comparison(ports, situation, basis, stocks.unknown_parts(found), changed)


def _attribute_differences(
    differing: tuple[Difference, ...],
    stock: stocks.InventoryRecord,
    live: WholeInventory,
    sent: list[own_changes.SentRollback],
    system: System,
    known: Mapping[str, Deployment],
    policy: Policy,
) -> AttributedChanges:
    wrote = own_changes.collect_own_traffic_writes(sent, known)
    mine = {
        one: each.rollback.id  # the newest that made it so
        for one in differing
        for each in sent
        if is_own_change(one, stock.live, live, each.steps)
    }
    theirs = tuple(one for one in differing if one not in mine)
    quiet = policy.deployments.quiet
    rolling = known.get(stock.rolling_out)
    rolls_on = rollout_changes(theirs, stock, live, wrote, system, rolling, quiet)
    compared = attribute_changes(theirs, stock, live, wrote, system, rolling=rolling, rolls_on=rolls_on)
    named = {f"{one.part} {one.name}": rollback for one, rollback in mine.items()}
    return replace(compared, ours={**compared.ours, **named})


def _commit_comparison(
    ports: Ports,
    situation: RolloutObservation,
    read: _ComparisonBasis,
    unknown: tuple[InventoryPart, ...],
    changed: list[Deployment],
) -> None:
    """State, events and notices of a look in one commit, as it was read. Raises: Moved."""
    stock = _next_stock(situation, unknown, changed)
    seen = InventoryPart.FUNCTIONS not in unknown  # what was live before says nothing about a pin
    held = pin_check.check_pins(ports.store, situation, ACTOR) if seen else pin_check.PinCheckResult()
    events = [
        *_build_comparison_events(situation, stock),
        *_build_deployment_events(situation, read.known, changed),
        *held.events,
    ]
    if not events and situation.stock is not None:
        if stock.read_at - situation.stock.read_at >= UNCHANGED_COMPARISON_INTERVAL:
            passed = {name: getattr(stock, name) for name in ("read_at", "due_at", "codebases", "deleted")}
            ports.store.commit([read.stock.build_update(passed)])
        return
    said = [*_build_comparison_notices(situation, changed, stock), *held.notices]
    writes = [read.stock.build_write(stocks.encode(stock)), *held.writes]
    for one in changed:
        writes += _build_deployment_writes(one, read.known.get(one.id), situation)
    writes += _build_expiry_writes(situation, read.known, changed)
    writes += _build_readiness_writes(situation, read.known, changed)
    writes += _build_suspension_writes(situation, read.system)
    writes += [event_write(situation.policy.system, f"look:{told.at}:{name}", told) for name, told in events]
    work_queue.commit_with_notices(ports, writes, said)


def _next_stock(
    situation: RolloutObservation, unknown: tuple[InventoryPart, ...], changed: Iterable[Deployment]
) -> stocks.InventoryRecord:
    compared, now = situation.compared, situation.now
    becoming = {one.id: one for one in changed}
    rolling = [one.id for one in changed if one.status is DeploymentStatus.ROLLING_OUT]
    if situation.open_deployment is not None and situation.open_deployment.id not in becoming:
        rolling.append(situation.open_deployment.id)
    before = situation.stock.wrote if situation.stock else {}
    others = compared.moved_functions
    return stocks.InventoryRecord(
        system=situation.policy.system,
        read_at=now,
        due_at=now + situation.policy.deployments.look_every,
        live=situation.live,
        unknown=unknown,
        rolling_out=rolling[0] if rolling else "",
        wrote={**{name: by for name, by in before.items() if name not in others}, **compared.ours},
        unkept=situation.stock.unkept if situation.stock else {},
        old_secrets=stocks.outdated_secrets(situation.live, situation.policy, now),
        codebases=situation.codebases,
        deleted=_deleted_functions(situation, becoming),
        ungrouped=tuple(find_ungrouped(situation.policy, situation.codebases)),
    )


def _deleted_functions(situation: RolloutObservation, changed: Mapping[str, Deployment]) -> dict[str, str]:
    """Return the functions deleted since the newest stable deployment, with their codebases."""
    before, every = situation.stock, {**{one.id: one for one in situation.known}, **changed}.values()
    codebases = {**before.deleted, **before.codebases} if before else {}
    stable_at = max((one.at for one in every if one.status is DeploymentStatus.STABLE), default=None)
    later = [one for one in every if stable_at is None or one.at > stable_at]
    changes = {(one.part, one.name, one.change) for deployment in later for one in deployment.changes}
    return {
        name: codebase
        for name, codebase in codebases.items()
        if (InventoryPart.FUNCTIONS, name, ChangeKind.DELETED) in changes and name not in situation.codebases
    }


def _build_deployment_writes(
    one: Deployment, found: Document | None, situation: RolloutObservation
) -> Iterator[Write]:
    now, system = situation.now, one.system
    if one.named:
        one = replace(one, expires_at=now + RECORD_RETENTION)
    yield (found or Document(deployment_path(system, one.id), None, None, now)).build_write(one)
    if one.settled_at is None:
        return
    record, expires_at = record_path(system, one.id), {"expires_at": one.expires_at}
    if found is None or one.settled_at == now:
        live = {"live": stocks.pack_inventory(situation.live), "at": now, "schema": SCHEMA_VERSION}
        yield Put(record, {**live, **expires_at})
    elif one.named:
        yield Update(record, expires_at)


def _build_expiry_writes(
    situation: RolloutObservation, known: Mapping[str, Document], changed: Iterable[Deployment]
) -> Iterator[Write]:
    becoming = {one.id for one in changed}
    newest = sorted(situation.known, key=lambda one: one.at, reverse=True)
    kept = max(0, situation.policy.deployments.kept - len(becoming))
    for one in newest[kept:]:
        if one.status in MARKED_STATUSES or one.id in becoming or one.expires_at is not None:
            continue
        fields = {"expires_at": situation.now + RECORD_RETENTION, "due_at": None}
        yield known[one.id].build_update(fields)
        if one.settled_at is not None:
            yield Update(record_path(one.system, one.id), {"expires_at": fields["expires_at"]})


def _build_readiness_writes(
    situation: RolloutObservation, known: Mapping[str, Document], changed: Iterable[Deployment]
) -> Iterator[Write]:
    """Prove the newest stable deployment again; once secrets changed, every kept one."""
    if not situation.compared.changes:
        return
    becoming = {one.id for one in changed}
    kept = rollback_targets(situation.known, situation.policy.deployments.kept)
    secrets = any(one.part is InventoryPart.SECRETS for one in situation.compared.changes)
    for one in kept if secrets else [one for one in kept if one.status is DeploymentStatus.STABLE][:1]:
        if one.id not in becoming:
            yield known[one.id].build_update({"due_at": situation.now})


def _build_suspension_writes(situation: RolloutObservation, system: Document) -> Iterator[Write]:
    """The write that keeps automation from what a person has changed by hand, until a release."""
    now, names, known = situation.now, situation.compared.by_hand, situation.system
    released = situation.compared.moved_functions - {*names} - {*situation.compared.let_through}
    until = now + situation.policy.deployments.human_first
    kept = {name: at for name, at in known.suspended.items() if at > now and name not in released}
    suspended = {**kept, **dict.fromkeys(names, until)}
    chosen = {name: at for name, at in known.chosen.items() if name not in released}
    if names or released & (known.suspended.keys() | known.chosen.keys()):
        yield system.build_write(replace(known, suspended=suspended, chosen=chosen))


def _build_comparison_events(
    situation: RolloutObservation, stock: stocks.InventoryRecord
) -> Iterator[tuple[str, Event]]:
    """What a look finds beside deployments, each with what it is known by."""
    before, now = situation.stock, situation.now
    if situation.compared.ours:
        ours = situation.compared.ours
        told = create_event(
            "inventory.ours", now, ACTOR, functions=_first_names(ours), by=sorted({*ours.values()})
        )
        yield "ours", told
    if situation.compared.by_hand:
        names = situation.compared.by_hand
        until = now + situation.policy.deployments.human_first
        yield ("by-hand", create_event("automation.suspended", now, ACTOR, functions=names, until=until))
    if stock.unknown != (before.unknown if before else ()):
        yield "unknown", create_event("inventory.unknown", now, ACTOR, parts=stock.unknown)
    if stock.old_secrets != (before.old_secrets if before else ()):
        yield (
            "old-secrets",
            create_event("secrets.old", now, ACTOR, secrets=_first_names(stock.old_secrets)),
        )
    if stock.ungrouped != (before.ungrouped if before else ()):
        ungrouped = _first_names(stock.ungrouped)
        yield "ungrouped", create_event("functions.ungrouped", now, ACTOR, functions=ungrouped)


def _build_deployment_events(
    situation: RolloutObservation, known: Mapping[str, Document], changed: Iterable[Deployment]
) -> Iterator[tuple[str, Event]]:
    for one in changed:
        found = known.get(one.id)
        before = found.decode(Deployment) if found else None
        name = f"deployment.{_deployment_event_suffix(before, one)}"
        yield (
            f"{one.id}:{name}",
            create_event(
                name,
                situation.now,
                ACTOR,
                deployment=one.id,
                status=one.status,
                changes=_first_names(f"{each.change} {each.part} {each.name}" for each in one.changes),
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


def _first_names(names: Iterable[str]) -> list[str]:
    """The names, or the first of them and how many more there are."""
    return shortened.first_lines(sorted(names), MAX_NAMES_PER_EVENT)


def _build_comparison_notices(
    situation: RolloutObservation, changed: Iterable[Deployment], stock: stocks.InventoryRecord
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
        text = (
            f"{policy.system}: changed manually: {', '.join(_first_names(names))}; "
            f"automation does not change that until {now + policy.deployments.human_first:%Y-%m-%d %H:%M} UTC"
        )
        key = f"by-hand-{now:%Y%m%dT%H%M%S%f}-{policy.system}"
        said += create_notices(policy, key, Severity.HIGH, "suspended", text, now, functions=names)
    known = situation.stock.old_secrets if situation.stock else ()
    if old := [one for one in stock.old_secrets if one not in known]:
        days = policy.deployments.secrets_renewed_within.days
        text = f"{policy.system}: secrets not renewed for {days} days: {', '.join(_first_names(old))}"
        key = f"old-secrets-{now:%Y%m%dT%H%M%S%f}-{policy.system}"
        said += create_notices(policy, key, Severity.LOW, "old-secrets", text, now, secrets=old)
    grouped = situation.stock.ungrouped if situation.stock else ()
    if new := [name for name in stock.ungrouped if name not in grouped]:
        key = f"ungrouped-{now:%Y%m%dT%H%M%S%f}-{policy.system}"
        text = f"{policy.system}: {describe_ungrouped(new)}"
        said += create_team_notices(policy, key, Severity.LOW, "ungrouped", text, now, functions=new)
    return said
