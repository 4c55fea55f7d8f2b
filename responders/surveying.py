"""What lies beside the functions, looked at before a plan is made over it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from responders.asking import ANSWER_SECONDS, LONGEST_SECONDS, Hold, ask, ask_all, no_lease
from responders.scenarios.halves import Sight
from responders.scenarios.products import hosting, rules
from responders.taking_stock import take_stock
from shared import rules_text
from shared import stock as stocks
from shared.deployment import Deployment, record_path
from shared.differences import Part
from shared.errors import RollbackError
from shared.inventory import WholeInventory
from shared.policy import Policy, ScenarioName
from shared.ports import Document, Ports
from shared.reach import REACHES
from shared.resources import Resources

COUNTED_SECONDS = 6.0
"""What is not counted by then is said to be so: people, and what goes back at once, wait for it."""


def survey(
    ports: Ports,
    policy: Policy,
    scenario: ScenarioName,
    target: str,
    newer: Iterable[Deployment] = (),
    hold: Hold = no_lease,
) -> Sight | None:
    """What was recorded of the target, and what is live; None: the scenario needs none of it.

    Of a deployment without a record nothing was recorded: nothing beside its functions goes back.
    `newer` are the deployments since then; `hold` is asked before each round of calls.
    Raises: Unavailable, when our own store does not tell; as `hold`.
    """
    reach = REACHES[scenario].beside
    if not target or not reach:
        return None
    hold(ANSWER_SECONDS)
    record: Document = ask(ports, partial(ports.store.get, record_path(policy.system, target)))
    fields = record.fields
    recorded = stocks.unpacked(fields["live"]) if fields is not None else WholeInventory()
    hold(LONGEST_SECONDS)
    live = take_stock(ports, replace(policy, resources=_within(policy.resources, reach)))
    versions = hosting.needed(recorded, live)
    hold(ANSWER_SECONDS)
    statuses = ask_all(
        ports,
        {
            f"{site}/{version}": partial(ports.estate(policy.system).hosting.version, site, version)
            for site, version in versions
        },
    )
    hold(COUNTED_SECONDS)
    return Sight(
        recorded,
        live,
        {
            (site, version): status
            for site, version in versions
            if not isinstance(status := statuses[f"{site}/{version}"], RollbackError)
        },
        _written(ports, policy, recorded, live, newer),
    )


def _written(
    ports: Ports,
    policy: Policy,
    recorded: WholeInventory,
    live: WholeInventory,
    newer: Iterable[Deployment],
) -> rules.Written:
    """How many documents were written on the paths that the rules would touch, where that is known.

    What a path of Storage names is not counted.
    """
    databases, estate = policy.resources.databases_ruled, ports.estate(policy.system)
    since = _ruled_since(live, newer)
    groups = {
        (release, path): (databases[release], group, since[release])
        for release, paths in rules.needed(recorded, live).items()
        if release in databases
        for path in paths
        if (group := rules_text.collection(path))
    }
    found = ask_all(
        ports,
        {str(one): partial(estate.documents.written_since, *one) for one in set(groups.values())},
        COUNTED_SECONDS,
    )
    return {
        (release, path): rules.Count(sum(rules_text.matches(path, one) for one in names), one[2])
        for (release, path), one in groups.items()
        if not isinstance(names := found[str(one)], RollbackError)
    }


def _ruled_since(live: WholeInventory, newer: Iterable[Deployment]) -> dict[str, datetime]:
    """Since when, at the earliest, other rules than those of the target are in force."""
    since = {name: release.updated_at for name, release in (live.rules or {}).items()}
    for one in newer:
        for change in one.changes:
            if change.part is Part.RULES and change.name in since:
                since[change.name] = min(since[change.name], one.not_before or one.at)
    return since


def _within(resources: Resources, parts: Collection[Part]) -> Resources:
    """Of what is protected, what these parts are about: nothing else need be looked at."""
    stored = Part.RULES in parts or Part.INDEXES in parts
    return Resources(
        hosting_sites=resources.hosting_sites if Part.SITES in parts else (),
        remote_config=resources.remote_config and Part.REMOTE_CONFIG in parts,
        databases=resources.databases if stored else (),
        storage_buckets=resources.storage_buckets if Part.RULES in parts else (),
        identity=resources.identity and Part.IDENTITY in parts,
    )
