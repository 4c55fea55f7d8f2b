"""What doctor looks at of a protected system; an error stands where something gave no answer."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from cli.doctor.calls import PUSH_API, ApiStates, Call, Calls, api_state_calls, call_in_parallel
from cli.doctor.installation import metrics as measuring
from cli.support.context import Operations
from responders.support.inventory_reader import read_inventory
from shared.adapters.gcp.permissions import PUSH
from shared.core.codec import FrozenStruct
from shared.core.errors import RollbackError
from shared.core.store import Query, Store
from shared.domain.data.asset_protection import AssetProtectionStatus
from shared.domain.data.backups.export import Backup
from shared.domain.data.backups.native_backups import ManagedBackupStatus
from shared.domain.data.backups.restore_test import RestoreTest
from shared.domain.data.events.document_triggers import EventarcTrigger
from shared.domain.data.integrity import damage
from shared.domain.data.ttl import TtlField
from shared.domain.deployments.deployment import Deployment, Inventory
from shared.domain.deployments.images import Cleanup, images_of, repositories
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.notices.notice import Notice, NoticeStatus
from shared.domain.policy.channels import Channel
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.presentation.status_page_html import PAGE, system_folder
from shared.domain.signals.alert import Alert
from shared.domain.signals.declared_checks import should_count_sign_ins
from shared.domain.signals.health import ProbeAnswer, RouterRequests
from shared.domain.signals.probe_signals import ProbeRecord, probes_path
from shared.domain.system_record import Controls, System
from shared.ports.resources import Accounts
from shared.ports.storage import PublicAccess
from shared.wiring.adapters import Wiring

CALL_GIVEN_UP = 200
"""The most notices that were given up, of one channel."""
DAY = timedelta(days=1)
COUNT_WINDOW = timedelta(minutes=10)
"""The newest count is older than this only without requests, or if no counts arrive."""


class ChannelAnswer(FrozenStruct):
    """The results of the notices of one channel."""

    sent: bool
    given_up: Sequence[Notice]


class SystemFacts(FrozenStruct):
    """The facts of a system; an error in place of each that could not be read."""

    policy: Policy
    now: datetime
    system: System | RollbackError
    controls: Controls | RollbackError
    deployments: Sequence[Deployment] | RollbackError
    """Newest first."""
    inventory: Inventory | RollbackError
    requests: Mapping[str, RouterRequests] | RollbackError
    """Per service, within the last `COUNT_WINDOW`."""
    probes: Mapping[str, ProbeAnswer | RollbackError]
    looks: ProbeRecord | RollbackError
    """What the clock saw through the probes."""
    accounts: Mapping[str, str]
    """What each responder runs as, by entry point."""
    granted: Mapping[str, Mapping[str, frozenset[str]]] | RollbackError | None
    """Permissions by account and custom role, by the project's own policy; None: not readable."""
    read_back: bool | RollbackError | None
    """Whether the newest alert that was kept is open, as Monitoring says; None: none was kept."""
    writes: int | RollbackError | None
    """What Cloud Run admits a minute; None: no such limit is listed."""
    rest: WholeInventory
    """What there is beside the functions; None for each part that could not be read."""
    exports: Sequence[Backup] | RollbackError
    """Newest first."""
    proofs: Sequence[RestoreTest] | RollbackError
    """Newest first."""
    native: ManagedBackupStatus | RollbackError | None
    """What the clock saw of Google's own backups; None: it has not looked."""
    assets: AssetProtectionStatus | RollbackError | None
    """What the clock saw of the assets; None: it has not looked."""
    page: PublicAccess | RollbackError | None
    """What everybody sees of the status page; None: this shell names no bucket of pages."""
    push: ApiStates
    """Whether the API is on by which its users are reached; none: no channel reaches them."""
    measured: measuring.Measured | RollbackError
    """The queries of its alert policies and its dashboard."""
    sign_ins: RouterRequests | RollbackError
    """Within the last day; none where nothing is decided by them."""
    integrity: damage.IntegrityRecord | RollbackError | None
    """What the clock saw of its documents; None: it has not looked."""
    expiries: Sequence[TtlField] | RollbackError
    """By what they expire, as the database says."""
    triggers: Sequence[EventarcTrigger] | RollbackError
    cleanup: Mapping[str, Cleanup | RollbackError]
    """How each repository is cleaned up that has images of its functions."""
    spoken: Mapping[str, ChannelAnswer | RollbackError]
    """By channel."""


def collect_system_facts(ours: Operations, policy: Policy, accounts: Mapping[str, str]) -> SystemFacts:
    """What one protected system is like just now; `accounts`: what the responders run as."""
    wiring, reading, system = ours.wiring, ours.reading, policy.system
    now, its = wiring.clock.now(), wiring.system(system)
    rest = read_inventory(wiring, policy)
    signed_in: Call = partial(RouterRequests, 0, 0)
    if should_count_sign_ins(policy, ScenarioName.AUTH):
        signed_in = partial(its.metrics.sign_ins, now - DAY, now)
    reached = (policy.project, wiring.project) if PUSH.is_needed(policy) else ()
    calls: dict[str, Call] = {
        "system": partial(reading.system, system),
        "controls": reading.controls,
        "deployments": partial(reading.deployments, system),
        "exports": partial(reading.backups, system),
        "proofs": partial(reading.restore_tests, system),
        "native": partial(reading.managed_backup_status, system),
        "assets": partial(reading.asset_protection_status, system),
        "integrity": partial(reading.integrity, system),
        "looks": partial(_probe_results, wiring.store, policy),
        "inventory": its.platform.inventory,
        "requests": partial(its.metrics.requests, now - COUNT_WINDOW, now),
        "sign_ins": signed_in,
        "read_back": partial(_read_back, wiring, policy),
        "granted": lambda: None if wiring.is_local else permissions_by_role(its.resources.accounts, policy),
        "writes": partial(its.quotas.writes_a_minute, policy.region),
        "page": lambda: wiring.notices.pages and wiring.notices.pages.seen(f"{system_folder(system)}/{PAGE}"),
        "expiries": partial(its.resources.indexes.expiries, policy.integrity.database),
        "triggers": its.resources.triggers.list_triggers,
        "measured": partial(
            measuring.collect_metrics, wiring, policy.project, partial(measuring.is_query_of, policy)
        ),
    }
    groups: dict[str, Calls] = {
        "probes": {one.name: partial(wiring.prober.ask, one) for one in policy.probes},
        "push": api_state_calls(wiring, PUSH_API, reached),
        "cleanup": {one: partial(its.resources.images.cleanup, one) for one in repositories(images_of(rest))},
        "spoken": {one.name: partial(_channel_answers, wiring.store, one) for one in policy.channels},
    }
    return SystemFacts(
        policy=policy, now=now, accounts=accounts, rest=rest, **call_in_parallel(wiring, calls, groups)
    )


def permissions_by_role(accounts: Accounts, policy: Policy) -> dict[str, dict[str, frozenset[str]]]:
    """Return what the project's own roles permit each account, by account and role."""
    held = {who: {one.partition(" if ")[0] for one in roles} for who, roles in accounts.roles().items()}
    own = {one for roles in held.values() for one in roles if one.startswith(f"projects/{policy.project}/")}
    permitted = {role: accounts.permissions(role) for role in own}
    return {who: {role: permitted[role] for role in roles & own} for who, roles in held.items()}


def _probe_results(store: Store, policy: Policy) -> ProbeRecord:
    """What is kept of the clock's looks; an empty record when there is nothing."""
    document = store.get(probes_path(policy.system))
    if document.fields is None:
        return ProbeRecord(policy.system, document.read_at)
    return document.decode(ProbeRecord)


def _read_back(wiring: Wiring, policy: Policy) -> bool | None:
    ours = (("system", "==", policy.system),)
    found = [one.decode(Alert) for one in wiring.store.query(Query("alerts", where=ours))]
    told = [one for one in found if one.is_of_monitoring]
    if not told:
        return None
    newest = max(told, key=lambda one: one.received_at)
    return wiring.system(policy.system).alert_states.is_open(newest.monitoring_id)


def _channel_answers(store: Store, channel: Channel) -> ChannelAnswer:
    """What became of a channel's notices; of those that were sent, one is enough."""
    of_it = ("channel", "==", channel.name)
    sent, given_up = (
        store.query(Query("notices", (of_it, ("status", "==", status)), limit=limit))
        for status, limit in ((NoticeStatus.SENT, 1), (NoticeStatus.UNDELIVERABLE, CALL_GIVEN_UP))
    )
    return ChannelAnswer(bool(sent), [one.decode(Notice) for one in given_up])
