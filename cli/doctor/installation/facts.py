"""What doctor looks at of the responders; an error stands where something gave no answer."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from cli.doctor.calls import SIGN_IN_API, ApiStates, Call, Calls, api_state_calls, call_in_parallel
from cli.doctor.installation import metrics
from cli.support.context import Operations
from responders.jobs.audit_anchor import MAX_PARALLEL_WRITES
from responders.support.parallel_calls import call_all
from shared.core import topics
from shared.core.codec import FrozenStruct
from shared.core.errors import RollbackError
from shared.core.store import Query, Store
from shared.domain.audit import anchor
from shared.domain.deployments.inventory.inventory_parts import Grants
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.probe_history import PROBE_INTERVAL
from shared.domain.system_record import GLOBAL_CONTROLS_PATH
from shared.ports.operations_project import DeployedFunction, JobRun, Subscription
from shared.state import work_queue
from shared.wiring.adapters import Wiring

CHECKOUT = Path(__file__).parent.parent.parent.parent
REGIONS_TIMEOUT_SECONDS = 10.0
"""For the jobs of all regions, beside each other."""
MARK_SIGNS = 40
"""Of a fingerprint: a label may have 63."""
DEAD_MAN = "rollback-dead-man"
"""The job that calls the switch outside each minute (terraform/responder_alerts.tf)."""


class InstallationFacts(FrozenStruct):
    """The facts of an installation; an error in place of each that could not be read."""

    project: str
    is_local: bool
    """Messages stay on this machine: push tokens and publishers are not checked."""
    now: datetime
    code: str
    policies: Mapping[str, str]
    clock_difference: timedelta | RollbackError
    """Between this machine's clock and the clock of the state database, at the least."""
    topics: Mapping[str, str] | RollbackError
    """Each with its schema, or ""."""
    subscriptions: Sequence[Subscription] | RollbackError
    grants: Mapping[str, Grants | RollbackError]
    """By topic, then by role."""
    project_grants: Grants | RollbackError
    """By role, its members in the policy of the operations project."""
    sign_in: ApiStates
    """Whether the API that looks up the senders of commands is on."""
    dead_man: JobRun | RollbackError | None
    """The job that keeps the switch outside quiet; None: there is none."""
    values: str | None
    """The bucket of values of variables; None: this shell names none."""
    bucket_grants: Mapping[str, Grants | RollbackError]
    """By bucket of values or of exports, then by role."""
    functions: Sequence[DeployedFunction] | RollbackError
    ticks: Mapping[str, bool | RollbackError]
    """Whether each of the last whole half minutes was swept."""
    due_since: Mapping[str, datetime | RollbackError | None]
    """By kind of work."""
    measured: metrics.Measured | RollbackError
    """The queries of the alerts on the responders themselves."""
    unanchored_since: datetime | RollbackError | None
    """Since when the first head of an audit chain has waited to be anchored; None: none waits."""


def collect_facts(ours: Operations, policies: Collection[Policy]) -> InstallationFacts:
    """Collect the facts of the installation and of its work now."""
    wiring = ours.wiring
    store, made, now = wiring.store, wiring.inspection.installation, wiring.clock.now()
    rules = [policy.backups for policy in wiring.policies.values()]
    own = (wiring.settings.values_bucket, wiring.settings.policy_bucket)
    buckets = (*own, *(one.bucket for one in rules), *(one.second for one in rules))
    halves = [work_queue.sweep_path(now - PROBE_INTERVAL * back) for back in (1, 2)]
    calls: dict[str, Call] = {
        "clock_difference": partial(_measure_clock_difference, ours),
        "topics": made.topics,
        "subscriptions": made.subscriptions,
        "functions": made.functions,
        "project_grants": wiring.inspection.accounts.grants,
        "dead_man": partial(_dead_man, wiring),
        "unanchored_since": partial(_unanchored_since, store),
        "measured": partial(metrics.collect_metrics, wiring, wiring.project, metrics.is_own),
    }
    groups: dict[str, Calls] = {
        "grants": {topic: partial(made.grants, topic) for topic in topics.ALL_TOPICS},
        "bucket_grants": {one: partial(made.bucket_grants, one) for one in sorted({*filter(None, buckets)})},
        "ticks": {half: partial(_is_stored, store, half) for half in halves},
        "due_since": {
            kind: partial(work_queue.oldest_due_at, store, kind, now, ours.policies)
            for kind in work_queue.COLLECTION_BY_KIND
        },
        "sign_in": api_state_calls(wiring, SIGN_IN_API, (wiring.operators.identity_project, wiring.project)),
    }
    return InstallationFacts(
        project=wiring.project,
        is_local=wiring.is_local,
        now=now,
        code=hash_code(CHECKOUT),
        policies={one.system: wiring.policies[one.system].fingerprint[:MARK_SIGNS] for one in policies},
        values=wiring.settings.values_bucket,
        **call_in_parallel(wiring, calls, groups),
    )


def deployed_responders(functions: Sequence[DeployedFunction] | RollbackError) -> dict[str, DeployedFunction]:
    """Each responder as it is deployed, by entry point, as far as that is known."""
    found = () if isinstance(functions, RollbackError) else functions
    return {one.entry_point: one for one in found if one.name == topics.deployed_function(one.entry_point)}


def hash_code(checkout: Path) -> str:
    """The fingerprint of what functions are made of, policies apart (terraform/source.tf)."""
    files = [
        file.relative_to(checkout).as_posix()
        for folder in ("responders", "shared")
        for file in (checkout / folder).rglob("*")
        if file.suffix in (".atom", ".css", ".html", ".js", ".json", ".md", ".py", ".txt")
    ]
    named = sorted(["main.py", "requirements.txt", *files])
    lines = [f"{name} {_sha256((checkout / name).read_bytes())}" for name in named]
    return _sha256("\n".join(lines).encode())[:MARK_SIGNS]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _measure_clock_difference(ours: Operations) -> timedelta:
    clock = ours.wiring.clock
    before = clock.now()
    store = ours.wiring.store.get(GLOBAL_CONTROLS_PATH).read_at
    return max(before - store, store - clock.now(), timedelta(0))


def _is_stored(store: Store, path: str) -> bool:
    return store.get(path).fields is not None


def _unanchored_since(store: Store) -> datetime | None:
    asked = Query(anchor.PENDING_ANCHORS, where=(("waiting", "==", True),), limit=MAX_PARALLEL_WRITES)
    return min((one.version for one in store.query(asked) if one.version), default=None)


def _dead_man(wiring: Wiring) -> JobRun | None:
    """How the job went that keeps the switch outside quiet, whichever region it is in."""
    regions = wiring.inspection.timetable.regions()
    calls = {region: partial(wiring.inspection.timetable.runs, region) for region in regions}
    answers = call_all(wiring, calls, REGIONS_TIMEOUT_SECONDS).values()
    found = [one[DEAD_MAN] for one in answers if isinstance(one, dict) and DEAD_MAN in one]
    errors = [one for one in answers if isinstance(one, RollbackError)]
    if not found and errors:
        raise errors[0]
    return next(iter(found), None)
