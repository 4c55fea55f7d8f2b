"""What is needed to build live functions again is kept: copies of sources, values of variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from responders.support.parallel_calls import ask_all, ask_in_batches, or_none
from shared.core.codec import decode, encode
from shared.core.errors import RollbackError, Unavailable
from shared.core.redaction import without_secrets
from shared.core.store import Document, Query, Update, Write
from shared.core.write_conflicts import retry_on_conflict
from shared.domain.audit.chain import event
from shared.domain.audit.system_chain import write_down
from shared.domain.deployments import deployment as deployments
from shared.domain.deployments import source_copies
from shared.domain.deployments.deployment import Deployment
from shared.domain.deployments.inventory import record as stocks
from shared.domain.deployments.inventory.record import Stock
from shared.domain.deployments.inventory.state import FunctionState, SourceObject, WholeInventory
from shared.domain.deployments.restorability import rebuild_faults
from shared.domain.deployments.source_copies import carried, lacks_copy, lacks_values
from shared.domain.policy.model import Policy
from shared.ports.groups import Ports
from shared.ports.storage import Vault

ACTOR: Final = "on_deployment"
BATCH: Final = 50
"""So many calls are made beside each other before the next are begun."""
KEEPING_SECONDS: Final = 30.0
"""No batch is begun after that; the next look goes on."""
ATTEMPTS: Final = 5
REASON_CHARACTERS: Final = 300

Calls = dict[str, Callable[[], SourceObject]]


def keep(ports: Ports, policy: Policy) -> None:
    """Return once what live functions lack is kept, as far as it can be now; the rest has a reason.

    Whatever is kept already is found under its name: a repetition makes nothing anew. Only what
    lacks is asked for, so that a look later goes on. Raises: Unavailable, when nothing of it could
    be written down.
    """
    document = ports.store.get(stocks.inventory_path(policy.system))
    if document.fields is None:
        return
    stock = stocks.decode(document.fields)
    answers = ask_in_batches(ports, _calls(ports, policy, stock.live), BATCH, KEEPING_SECONDS)
    live, unkept = _with(stock.live, answers), _unkept(stock, answers)

    def committed() -> None:
        """What is kept is kept of what a look has found live since, too."""
        now = ports.store.get(document.path)
        before = stocks.decode(now.fields or {})
        kept = replace(before, live=carried(before.live, live), unkept=unkept)
        if kept != before:
            _commit(ports, policy, now, before, kept)

    too_fast = f"{policy.system}: its inventory changes too fast"
    retry_on_conflict(committed, ATTEMPTS, too_fast)


def kept_again(
    ports: Ports, policy: Policy, record: WholeInventory
) -> tuple[WholeInventory, dict[str, str]]:
    """The record of a deployment with all that is kept of it by now, and why something is not.

    What was said to be kept and is there no more is not kept. Copies are tried again: the platform
    may still have the source. Values of what is not live are nowhere else.
    """
    there = {}
    for kind, vault in (("copy", ports.buckets.sources), ("values", ports.buckets.values)):
        if vault is not None:
            there[kind] = partial(vault.made, f"{policy.system}/")
    names = ask_all(ports, there)
    found = source_copies.present(record, or_none(names.get("copy")), or_none(names.get("values")))
    answers = ask_in_batches(ports, _copies(ports, policy, found), BATCH, KEEPING_SECONDS)
    return _with(found, answers), _reasons(answers)


def _calls(ports: Ports, policy: Policy, live: WholeInventory) -> Calls:
    """What is to be kept, where there is a place for it."""
    calls = _copies(ports, policy, live)
    for name, one in (live.functions or {}).items():
        if ports.buckets.values is not None and lacks_values(one):
            calls[f"values {name}"] = partial(
                _keep_values, ports, ports.buckets.values, policy, one
            )
    return calls


def _copies(ports: Ports, policy: Policy, whole: WholeInventory) -> Calls:
    calls: Calls = {}
    for name, one in (whole.functions or {}).items():
        if ports.buckets.sources is not None and one.source is not None and lacks_copy(one):
            place = source_copies.source_name(policy.system, one)
            calls[f"copy {name}"] = partial(ports.buckets.sources.copy, one.source, place)
    return calls


def _keep_values(
    ports: Ports, vault: Vault, policy: Policy, function: FunctionState
) -> SourceObject:
    """Where its values are kept. Raises: Unavailable when it has others by now."""
    values = ports.system(policy.system).platform.values(function.name)
    if not values.are_of(function):
        raise Unavailable("it was deployed again meanwhile")
    return vault.keep(
        source_copies.values_name(policy.system, function), source_copies.written(values)
    )


def _with(live: WholeInventory, answers: Mapping[str, Any]) -> WholeInventory:
    """What is live, with where it is kept."""
    functions = dict(live.functions or {})
    for key, answer in answers.items():
        what, _, name = key.partition(" ")
        if isinstance(answer, RollbackError):
            continue
        one = functions[name]
        if what == "copy":
            functions[name] = replace(one, copy=answer)
        else:
            configuration = replace(one.configuration, values=answer)
            functions[name] = replace(one, configuration=configuration)
    return replace(live, functions=functions)


def _unkept(stock: Stock, answers: Mapping[str, Any]) -> dict[str, str]:
    """Why something is still not kept; of what was not asked for, what is known already."""
    lacking = {
        key
        for name, one in (stock.live.functions or {}).items()
        for key, lacks in ((f"copy {name}", lacks_copy(one)), (f"values {name}", lacks_values(one)))
        if lacks
    }
    known = {key: told for key, told in stock.unkept.items() if key in lacking - answers.keys()}
    return {**known, **_reasons(answers)}


def _reasons(answers: Mapping[str, Any]) -> dict[str, str]:
    """Why there was no answer, by what was to be kept."""
    return {
        key: without_secrets(str(answer))[:REASON_CHARACTERS]
        for key, answer in answers.items()
        if isinstance(answer, RollbackError)
    }


def _commit(ports: Ports, policy: Policy, document: Document, before: Stock, kept: Stock) -> None:
    """Where things are kept, in the stock and in the newest record, and why not. Raises: Moved."""
    now = document.read_at
    changes = {"live": stocks.packed(kept.live), "unkept": kept.unkept}
    told = event(
        "functions.kept", now, ACTOR, kept=_gained(before.live, kept.live), unkept=kept.unkept
    )
    writes: list[Write] = [
        Update(document.path, changes, document.version),
        *_in_the_record(ports, policy, kept),
        write_down(policy.system, f"keep:{told.at}", told),
    ]
    ports.store.commit(writes)


def _in_the_record(ports: Ports, policy: Policy, kept: Stock) -> list[Write]:
    """The writes that tell the newest settled deployment of it."""
    query = Query("deployments", where=(("system", "==", policy.system),))
    found = [(decode(Deployment, one.fields), one) for one in ports.store.query(query)]
    settled = [pair for pair in found if pair[0].settled_at is not None and not pair[0].named]
    if not settled:
        return []
    newest, document = max(settled, key=lambda pair: pair[0].at)
    record = ports.store.get(deployments.record_path(policy.system, newest.id))
    if record.fields is None:
        return []
    recorded = stocks.unpacked(record.fields["live"])
    whole = carried(recorded, kept.live)
    writes: list[Write] = []
    if whole != recorded:
        writes.append(Update(record.path, {"live": stocks.packed(whole)}, record.version))
    if newest.restorable is not None:
        proof = replace(newest.restorable, rebuild=rebuild_faults(whole, kept.unkept))
        if proof != newest.restorable:
            fields = {"restorable": encode(proof)}
            writes.append(Update(document.path, fields, document.version))
    return writes


def _gained(before: WholeInventory, after: WholeInventory) -> int:
    """Of how many functions something is kept that was not."""
    was = before.functions or {}
    return sum(one != was.get(name) for name, one in (after.functions or {}).items())
