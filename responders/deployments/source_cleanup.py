"""What we keep of functions is let go once no record names it any more."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Final

from responders.support.parallel_calls import answer_or_none, call_all
from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.deployments import deployment as deployments
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.deployments.source_copies import stored_object_names
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import Step, StepStatus
from shared.engine.steps.functions import redeploy
from shared.ports.groups import Ports

UNREFERENCED_RETENTION: Final = timedelta(days=1)
"""What is younger may be named by a commit that is on its way."""
MAX_REMOVALS_PER_RUN: Final = 500
"""So many are removed in one go; the next day goes on."""


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
    query = Query("deployments", where=(("system", "==", policy.system),))
    names = (str((one.fields or {})["id"]) for one in ports.store.query(query))
    records = [deployments.record_path(policy.system, name) for name in names]
    for path in (stocks.inventory_path(policy.system), *records):
        fields = ports.store.get(path).fields
        if fields is not None:
            found |= {*stored_object_names(stocks.unpack_inventory(fields["live"]))}
    return found | {*_names_used_by_rollbacks(ports, policy)}


def _names_used_by_rollbacks(ports: Ports, policy: Policy) -> Iterator[str]:
    """Yield the names that steps of rollbacks need. Raises: Unavailable."""
    ours = Query("rollbacks", where=(("system", "==", policy.system),))
    for rollback in ports.store.query(ours):
        builds = Query(f"{rollback.path}/steps", where=(("kind", "==", redeploy.KIND),))
        for one in ports.store.query(builds):
            step = decode(Step, one.fields)
            if step.status in (StepStatus.UNNEEDED, StepStatus.SKIPPED):
                continue
            goal = decode(redeploy.RedeployGoal, step.goal)
            kept = decode(redeploy.ReplacedDeployment, step.kept)
            for recipe in filter(None, (goal.recipe, kept.recipe)):
                yield recipe.source.object
                if recipe.configuration.values is not None:
                    yield recipe.configuration.values.object
