"""Copies of sources and values of variables, kept to build functions again, and let go at last."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from msgspec.structs import replace

from responders.support.parallel_calls import answer_or_none, call_all, call_in_batches
from shared.core.codec import decode, encode
from shared.core.errors import RollbackError, Unavailable
from shared.core.redaction import redact_secrets
from shared.core.store import Document, Query, Write, retry_on_conflict
from shared.domain.audit.chain import create_event
from shared.domain.audit.system_chain import event_write
from shared.domain.deployments.deployment import Deployment, record_path
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.deployments.inventory.inventory_parts import FunctionState, SourceObject, WholeInventory
from shared.domain.deployments.inventory.inventory_record import InventoryRecord
from shared.domain.deployments.restorability import find_rebuild_faults
from shared.domain.deployments.source_copies import (
    carry_over_copies,
    encode_values,
    exclude_absent_copies,
    is_missing_source_copy,
    is_missing_values,
    source_object_name,
    stored_object_names,
    values_object_name,
)
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import Step, StepStatus
from shared.engine.steps.functions import redeploy
from shared.ports.groups import Ports
from shared.ports.storage import Vault

ACTOR = "on_deployment"
MAX_PARALLEL_COPIES = 50
BACKUP_TIME_LIMIT_SECONDS = 30.0
"""No batch is begun after that; the next look goes on."""
COMMIT_ATTEMPTS = 5
MAX_REASON_CHARACTERS = 300

Calls = dict[str, Callable[[], SourceObject]]
UNREFERENCED_RETENTION = timedelta(days=1)
"""What is younger may be named by a commit that is on its way."""
MAX_REMOVALS_PER_RUN = 500


def back_up_live_sources(ports: Ports, policy: Policy) -> None:
    """Back up what live functions lack, once; record why something is not. Raises: Unavailable."""
    document = ports.store.get(stocks.inventory_path(policy.system))
    if document.fields is None:
        return
    stock = stocks.decode(document.fields)
    answers = call_in_batches(
        ports, _calls(ports, policy, stock.live), MAX_PARALLEL_COPIES, BACKUP_TIME_LIMIT_SECONDS
    )
    live, unkept = _add_stored_objects(stock.live, answers), _find_backup_faults(stock, answers)

    def committed() -> None:
        """What is kept is kept of what a look has found live since, too."""
        now = ports.store.get(document.path)
        before = stocks.decode(now.fields or {})
        kept = replace(before, live=carry_over_copies(before.live, live), unkept=unkept)
        if kept != before:
            _commit_backup(ports, policy, now, before, kept)

    retry_on_conflict(committed, COMMIT_ATTEMPTS, f"{policy.system}: its inventory changes too fast")


def back_up_recorded_sources(
    ports: Ports, policy: Policy, record: WholeInventory
) -> tuple[WholeInventory, dict[str, str]]:
    """Return a deployment's record with all that is kept now, and why something is not."""
    there = {}
    for kind, vault in (("copy", ports.buckets.sources), ("values", ports.buckets.values)):
        if vault is not None:
            there[kind] = partial(vault.creation_times, f"{policy.system}/")
    names = call_all(ports, there)
    found = exclude_absent_copies(
        record, answer_or_none(names.get("copy")), answer_or_none(names.get("values"))
    )
    answers = call_in_batches(
        ports, _build_copy_calls(ports, policy, found), MAX_PARALLEL_COPIES, BACKUP_TIME_LIMIT_SECONDS
    )
    return _add_stored_objects(found, answers), _reasons(answers)


def _calls(ports: Ports, policy: Policy, live: WholeInventory) -> Calls:
    calls = _build_copy_calls(ports, policy, live)
    for name, one in live.function_states.items():
        if ports.buckets.values is not None and is_missing_values(one):
            calls[f"values {name}"] = partial(
                _store_variable_values, ports, ports.buckets.values, policy, one
            )
    return calls


def _build_copy_calls(ports: Ports, policy: Policy, whole: WholeInventory) -> Calls:
    calls: Calls = {}
    for name, one in whole.function_states.items():
        if ports.buckets.sources is not None and one.source is not None and is_missing_source_copy(one):
            place = source_object_name(policy.system, one)
            calls[f"copy {name}"] = partial(ports.buckets.sources.copy, one.source, place)
    return calls


def _store_variable_values(
    ports: Ports, vault: Vault, policy: Policy, function: FunctionState
) -> SourceObject:
    """Where its values are kept. Raises: Unavailable when it has others by now."""
    values = ports.system(policy.system).platform.values(function.name)
    if not values.is_recorded_for(function):
        raise Unavailable("it was deployed again in the meantime")
    return vault.keep(values_object_name(policy.system, function), encode_values(values))


def _add_stored_objects(live: WholeInventory, answers: Mapping[str, Any]) -> WholeInventory:
    functions = dict(live.function_states)
    for key, answer in answers.items():
        what, _, name = key.partition(" ")
        if isinstance(answer, RollbackError):
            continue
        one = functions[name]
        if what == "copy":
            functions[name] = replace(one, copy=answer)
        else:
            functions[name] = replace(one, configuration=replace(one.configuration, values=answer))
    return replace(live, functions=functions)


def _find_backup_faults(stock: InventoryRecord, answers: Mapping[str, Any]) -> dict[str, str]:
    """Why something is still not kept; of what was not asked for, what is known already."""
    lacking = {
        key
        for name, one in stock.live.function_states.items()
        for key, lacks in (
            (f"copy {name}", is_missing_source_copy(one)),
            (f"values {name}", is_missing_values(one)),
        )
        if lacks
    }
    known = {key: told for key, told in stock.unkept.items() if key in lacking - answers.keys()}
    return {**known, **_reasons(answers)}


def _reasons(answers: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: redact_secrets(str(answer))[:MAX_REASON_CHARACTERS]
        for key, answer in answers.items()
        if isinstance(answer, RollbackError)
    }


def _commit_backup(
    ports: Ports, policy: Policy, document: Document, before: InventoryRecord, kept: InventoryRecord
) -> None:
    """Where things are kept, in the stock and in the newest record, and why not. Raises: Moved."""
    now = document.read_at
    changes = {"live": stocks.pack_inventory(kept.live), "unkept": kept.unkept}
    was, functions = before.live.function_states, kept.live.function_states
    stored = sum(one != was.get(name) for name, one in functions.items())
    told = create_event("functions.kept", now, ACTOR, kept=stored, unkept=kept.unkept)
    writes = [
        document.build_update(changes),
        *_build_newest_record_writes(ports, policy, kept),
        event_write(policy.system, f"keep:{told.at}", told),
    ]
    ports.store.commit(writes)


def _build_newest_record_writes(ports: Ports, policy: Policy, kept: InventoryRecord) -> list[Write]:
    query = Query.equal("deployments", system=policy.system)
    found = [(one.decode(Deployment), one) for one in ports.store.query(query)]
    settled = [pair for pair in found if pair[0].settled_at is not None and not pair[0].named]
    if not settled:
        return []
    newest, document = max(settled, key=lambda pair: pair[0].at)
    record = ports.store.get(record_path(policy.system, newest.id))
    if record.fields is None:
        return []
    recorded = stocks.unpack_inventory(record.fields["live"])
    whole = carry_over_copies(recorded, kept.live)
    writes: list[Write] = []
    if whole != recorded:
        writes.append(record.build_update({"live": stocks.pack_inventory(whole)}))
    if newest.restorable is not None:
        proof = replace(newest.restorable, rebuild=find_rebuild_faults(whole, kept.unkept))
        if proof != newest.restorable:
            writes.append(document.build_update({"restorable": encode(proof)}))
    return writes


def remove_unreferenced_sources(ports: Ports, policy: Policy) -> None:
    """Remove what neither the inventory nor any record or rollback names. Raises: Unavailable."""
    vaults = [vault for vault in (ports.buckets.sources, ports.buckets.values) if vault is not None]
    if not vaults:
        return
    # Listed first: what is kept meanwhile is not among them.
    listed = call_all(
        ports,
        {str(place): partial(one.creation_times, f"{policy.system}/") for place, one in enumerate(vaults)},
    )
    in_use = _referenced_names(ports, policy)
    until = ports.clock.now() - UNREFERENCED_RETENTION
    removals = {
        f"remove {place} {name}": partial(vault.remove, name)
        for place, vault in enumerate(vaults)
        for name, made_at in (answer_or_none(listed[str(place)]) or {}).items()
        if name not in in_use and made_at < until
    }
    chosen = dict(sorted(removals.items())[:MAX_REMOVALS_PER_RUN])
    if chosen:
        call_all(ports, chosen)


def _referenced_names(ports: Ports, policy: Policy) -> set[str]:
    """The names that the stock, a record of any deployment or a rollback has. Raises: Unavailable.

    The rollbacks are read last: what they name beyond the records was live when they were decided,
    and stood in the stock that was read before.
    """
    found = set[str]()
    query = Query.equal("deployments", system=policy.system)
    names = (str((one.fields or {})["id"]) for one in ports.store.query(query))
    records = [record_path(policy.system, name) for name in names]
    for path in (stocks.inventory_path(policy.system), *records):
        fields = ports.store.get(path).fields
        if fields is not None:
            found |= {*stored_object_names(stocks.unpack_inventory(fields["live"]))}
    return found | {*_names_used_by_rollbacks(ports, policy)}


def _names_used_by_rollbacks(ports: Ports, policy: Policy) -> Iterator[str]:
    """Yield the names that steps of rollbacks need. Raises: Unavailable."""
    for rollback in ports.store.query(Query.equal("rollbacks", system=policy.system)):
        for one in ports.store.query(Query(f"{rollback.path}/steps", where=(("kind", "==", redeploy.KIND),))):
            step = one.decode(Step)
            if step.status in (StepStatus.UNNEEDED, StepStatus.SKIPPED):
                continue
            goal = decode(redeploy.RedeployGoal, step.goal)
            for recipe in filter(None, (goal.recipe, decode(redeploy.ReplacedDeployment, step.kept).recipe)):
                yield recipe.source.object
                if recipe.configuration.values is not None:
                    yield recipe.configuration.values.object
