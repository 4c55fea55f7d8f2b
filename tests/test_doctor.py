"""What doctor says of what it saw."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cli.doctor import apis, installation, measuring, rights
from cli.doctor import system as systems
from cli.doctor.entrusted import FIRESTORE, LISTS
from cli.doctor.facts import Facts, StoreTime, accounts, function
from cli.doctor.finding import CHECKS, CLAIMS, ESSENTIAL, Finding, Verdict, exit_code
from cli.doctor.installation import CODE_LABEL, DEAD_MAN, POLICY_LABEL
from cli.doctor.measuring import Measured, counting, series
from cli.doctor.messaging import DETACHED, FINDINGS, MONITORING
from cli.doctor.spoken import Spoken
from shared import damage, integrity, topics
from shared.alert import SIGNAL_LABEL, SYSTEM_LABEL
from shared.assets import Posture
from shared.audience import Channel, ChannelKind
from shared.backing import Status as Kept
from shared.backing import begun
from shared.buckets import Seen
from shared.deployment import Deployment, Live, Restorability, Status, placements
from shared.errors import Rejected, RollbackError, Unavailable
from shared.gcp.pages import CACHE_CONTROL
from shared.health import ProbeAnswer, Requests
from shared.installation import Asked, Deployed, Metric, Run, Subscription
from shared.integrity_rules import Collection
from shared.inventory import FunctionState, Generation, HostingSite, Source, WholeInventory
from shared.looks import Look
from shared.native import Watched
from shared.notice import Notice
from shared.policy import Check, Group, Mode, Policy, Probe, ScenarioName, Signal
from shared.probing import Record
from shared.proving import Proof
from shared.resources import AssetRules, BackupRules, ProofRules, Resources
from shared.severity import Severity
from shared.status_rendering import HTML
from shared.system import Controls, Freeze, Pause, System
from shared.traffic import Revision, Service, TrafficTarget

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPS = "rollback-operations"
SILENT = Unavailable("no answer")
PUBLISHER = "roles/pubsub.publisher"
AGENT = f"serviceAccount:service-1{MONITORING}"
WELL, DOUBTFUL, WRONG, UNKNOWN = Verdict


def push(topic: str) -> Subscription:
    """The push of a topic, as it should be."""
    [entry_point] = [name for name, several in topics.ENTRY_POINTS.items() if topic in several]
    uri = f"https://{function(entry_point)}-x.a.run.app"
    return Subscription(
        name=f"{topic}-push",
        topic=f"projects/{OPS}/topics/{topic}",
        endpoint=f"{uri}/projects/{OPS}/topics/{topic}",
        account="rollback-push@x.iam.gserviceaccount.com",
        audience=uri,
        ack_deadline=topics.ACK_DEADLINE,
        kept_for=timedelta(days=7),
        backoff=topics.backoff(topic),
        dead_letters=f"projects/{OPS}/topics/{topics.DEAD_LETTERS}",
        attempts=topics.LIMIT_ATTEMPTS,
    )


PUSHES = tuple(push(topic) for topic in topics.ALL if topic != topics.DEAD_LETTERS)
KEPT = Subscription(
    name=topics.LETTERS_KEPT,
    topic=f"projects/{OPS}/topics/{topics.DEAD_LETTERS}",
    kept_for=topics.LETTERS_KEPT_FOR,
)
LABELS = {CODE_LABEL: "code", f"{POLICY_LABEL}shop": "policy"}
CONSOLE = function(topics.CONSOLE)
COMMANDED = (topics.COMMANDS, topics.OVERRIDE)
FUNCTIONS = tuple(
    Deployed(
        function(name),
        name,
        True,
        f"https://{function(name)}-x.a.run.app",
        LABELS,
        installation.RUNTIME,
        f"{function(name)}@{OPS}.iam.gserviceaccount.com",
    )
    for name in (*topics.ENTRY_POINTS, topics.CONSOLE)
)
CALLED = Run(enabled=True, at=NOON - installation.CALLED_WITHIN)
"""The dead man's switch was called as long ago as it may be."""
LONG_AGO = NOON - installation.CALLED_WITHIN - timedelta(seconds=1)
VALUES, EXPORTS = f"{OPS}-rollback-values", f"{OPS}-rollback-exports-shop"
OUR_ROLES = f"projects/{OPS}/roles/rollback_"
READER = "roles/storage.legacyObjectReader"
OWNED = {
    f"roles/storage.{role}": (f"projectOwner:{OPS}",)
    for role in ("legacyBucketOwner", "legacyObjectOwner")
}


def member(entry_point: str) -> str:
    """A responder, as policies name it."""
    return f"serviceAccount:{function(entry_point)}@{OPS}.iam.gserviceaccount.com"


def asked(one: Asked, *filters: str, queries: tuple[str, ...] = (), **others: Any) -> Measured:
    """What one alert policy asks for, all of which Cloud Monitoring knows."""
    wanted = replace(one, filters=filters, queries=queries)
    known = measuring.filters([wanted])
    answered = [*queries, *(counting(one) for query in queries for one in series(query))]
    return Measured(
        project="p",
        asked=[wanted],
        metrics={one.metric: Metric(one.metric_labels, frozenset({one.resource})) for one in known},
        resources={one.resource: one.resource_labels for one in known},
        answers={**dict.fromkeys(answered, 1), **others.get("answers", {})},
    )


CLOCK_FILTER = (
    'metric.type="pubsub.googleapis.com/subscription/push_request_count"'
    ' AND resource.type="pubsub_subscription" AND resource.label.project_id="ops"'
    ' AND metric.label.response_class="ack"'
)
CLOCK_QUERY = (
    'sum(increase(pubsub_googleapis_com:subscription_push_request_count{response_class="ack"}[1m]))'
)
MEASURED_SELF = asked(
    Asked("rollback: silent clock", channels=1), CLOCK_FILTER, queries=(CLOCK_QUERY,)
)

HEALTHY = Facts(
    project=OPS,
    is_local=False,
    now=NOON,
    code="code",
    policies={"shop": "policy"},
    state=StoreTime(NOON, NOON, NOON),
    versions={"msgspec": ("0.22.0", "0.22.0")},
    topics={topic: "rollback-command" if topic in COMMANDED else "" for topic in topics.ALL},
    subscriptions=(*PUSHES, KEPT),
    grants={
        **{topic: {} for topic in topics.ALL},
        topics.ALERTS: {PUBLISHER: (AGENT,)},
        topics.COMMANDS: {PUBLISHER: (member(topics.CONSOLE),)},
    },
    project_grants={"roles/owner": ("user:o@example.com",)},
    sign_in={"people": True, OPS: True},
    measured=MEASURED_SELF,
    dead_man=CALLED,
    values=VALUES,
    bucket_grants={
        VALUES: {
            **OWNED,
            READER: (member("on_work"),),
            LISTS: (f"projectViewer:{OPS}",),
            f"{OUR_ROLES}keeper": (member("on_deployment"),),
        },
        EXPORTS: {
            **OWNED,
            READER: (f"projectOwner:{OPS}",),
            "roles/storage.admin": (f"serviceAccount:service-1{FIRESTORE}",),
            f"{OUR_ROLES}mirrors": (member("on_clock"),),
        },
    },
    functions=FUNCTIONS,
    ticks={"ticks/20260301T1159-1": True, "ticks/20260301T1159-0": True},
    due_since={"rollback": NOON - timedelta(minutes=2), "notice": None, "command": None},
    unanchored_since=NOON - timedelta(minutes=2),
)
"""An installation on Google, as Terraform makes it."""


def amiss(facts: Facts) -> list[tuple[str, str, Verdict]]:
    """Check, thing and verdict of whatever is not well."""
    return [
        (one.check, one.what, one.verdict)
        for one in installation.examined(facts)
        if one.verdict is not WELL
    ]


def test_findings_arrive_beside_alerts() -> None:
    """Security Command Center may say what it has found."""
    facts = replace(HEALTHY, **granted(topics.ALERTS, AGENT, f"serviceAccount:x{FINDINGS}"))

    assert ("publishers", topics.ALERTS, DOUBTFUL) not in amiss(facts)


def test_a_healthy_installation_is_well() -> None:
    """All but what Pub/Sub does not show."""
    assert amiss(HEALTHY) == [("dead-letters", topics.LETTERS_KEPT, UNKNOWN)]


def delivered(of: str, /, **changes: Any) -> dict[str, Any]:
    """A change of the push of one topic."""
    wanted = f"{of}-push"
    found = tuple(replace(one, **changes) if one.name == wanted else one for one in PUSHES)
    return {"subscriptions": (*found, KEPT)}


def granted(topic: str, *members: str, role: str = PUBLISHER) -> dict[str, Any]:
    """A change of who has a role on one topic."""
    return {"grants": {**HEALTHY.grants, topic: {role: members}}}


def console(**changes: Any) -> dict[str, Any]:
    """A change of the console's function."""
    return {"functions": (*FUNCTIONS[:-1], replace(FUNCTIONS[-1], **changes))}


def read(bucket: str, member: str, role: str = READER) -> dict[str, Any]:
    """A change of who else has a role on a bucket."""
    granted = HEALTHY.bucket_grants[bucket]
    assert not isinstance(granted, RollbackError)
    more = {role: (*granted.get(role, ()), member)}
    return {"bucket_grants": {**HEALTHY.bucket_grants, bucket: {**granted, **more}}}


def functions(**changes: Any) -> dict[str, Any]:
    """A change of one function."""
    first, *others = FUNCTIONS
    return {"functions": (replace(first, **changes), *others)}


def schemas(**changes: str | None) -> dict[str, str]:
    """The topics, with another schema for some; without one that is None."""
    assert not isinstance(HEALTHY.topics, RollbackError)
    other = {getattr(topics, name): one for name, one in changes.items()}
    found = {**HEALTHY.topics, **other}
    return {name: schema for name, schema in found.items() if schema is not None}


PUSHED = "pubsub.googleapis.com/subscription/push_request_count"
NONE: frozenset[str] = frozenset()
RESPONSES, SUBSCRIPTIONS = frozenset({"response_class"}), frozenset({"pubsub_subscription"})
CLOCK, WORK, ALERTS = f"{topics.CLOCK}-push", f"{topics.WORK}-push", f"{topics.ALERTS}-push"
HALVES = tuple(HEALTHY.ticks)
INSTALLATIONS: tuple[tuple[str, dict[str, Any], str, str, Verdict], ...] = (
    ("no state", {"state": SILENT}, "state", "state database", UNKNOWN),
    (
        "clocks apart",
        {"state": StoreTime(NOON, NOON + timedelta(seconds=5.1), NOON)},
        *("state", "state database", DOUBTFUL),
    ),
    ("a topic gone", {"topics": schemas(ALERTS=None)}, "topics", topics.ALERTS, WRONG),
    ("no schema", {"topics": schemas(COMMANDS="")}, "schemas", topics.COMMANDS, DOUBTFUL),
    ("a schema too many", {"topics": schemas(WORK="x")}, "schemas", topics.WORK, WRONG),
    ("schemas unseen", {"topics": SILENT}, "schemas", "topics", UNKNOWN),
    ("other library", {"versions": {"x": ("1", "2")}}, "versions", "libraries", DOUBTFUL),
    ("no library", {"versions": {"x": ("1", "")}}, "versions", "libraries", DOUBTFUL),
    ("old runtime", functions(runtime="python310"), "versions", FUNCTIONS[0].name, DOUBTFUL),
    ("topics unseen", {"topics": SILENT}, "topics", "topics", UNKNOWN),
    ("no push", {"subscriptions": (*PUSHES[1:], KEPT)}, "subscriptions", PUSHES[0].name, WRONG),
    (
        "two pushes",
        {"subscriptions": (*PUSHES, replace(PUSHES[0], name="again"), KEPT)},
        *("subscriptions", topics.ALERTS, WRONG),
    ),
    ("detached", delivered(topics.WORK, detached=True), "subscriptions", WORK, WRONG),
    ("cut off", delivered(topics.WORK, topic=DETACHED), "subscriptions", WORK, WRONG),
    ("overheard", delivered(topics.WORK, endpoint=""), "subscriptions", WORK, WRONG),
    ("no letters", delivered(topics.WORK, dead_letters=""), "subscriptions", WORK, WRONG),
    ("few attempts", delivered(topics.CLOCK, attempts=5), "subscriptions", CLOCK, DOUBTFUL),
    ("expires", delivered(topics.CLOCK, expires=True), "subscriptions", CLOCK, WRONG),
    ("no backoff", delivered(topics.CLOCK, backoff=None), "subscriptions", CLOCK, DOUBTFUL),
    (
        "impatient",
        delivered(topics.CLOCK, ack_deadline=timedelta(seconds=10)),
        *("subscriptions", CLOCK, DOUBTFUL),
    ),
    ("no token", delivered(topics.ALERTS, account=""), "subscriptions", ALERTS, WRONG),
    ("wrong audience", delivered(topics.ALERTS, audience=""), "subscriptions", ALERTS, WRONG),
    (
        "another's address",
        delivered(
            topics.ALERTS, endpoint=f"https://x.example/projects/{OPS}/topics/rollback-alerts"
        ),
        *("subscriptions", ALERTS, WRONG),
    ),
    (
        "no topic in the address",
        delivered(topics.ALERTS, endpoint=f"{FUNCTIONS[0].uri}/"),
        *("subscriptions", ALERTS, WRONG),
    ),
    ("none kept", {"subscriptions": PUSHES}, "letters-kept", topics.LETTERS_KEPT, WRONG),
    (
        "kept until idle",
        {"subscriptions": (*PUSHES, replace(KEPT, expires=True))},
        *("letters-kept", topics.LETTERS_KEPT, WRONG),
    ),
    (
        "kept a day",
        {"subscriptions": (*PUSHES, replace(KEPT, kept_for=timedelta(days=1)))},
        *("letters-kept", topics.LETTERS_KEPT, DOUBTFUL),
    ),
    ("everybody", granted(topics.WORK, "allUsers"), "publishers", topics.WORK, WRONG),
    (
        "an override is open",
        granted(topics.OVERRIDE, "user:a@example.com"),
        *("publishers", topics.OVERRIDE, DOUBTFUL),
    ),
    (
        "a role of one's own",
        granted(topics.OVERRIDE, "user:a@example.com", role="projects/x/roles/y"),
        *("publishers", topics.OVERRIDE, DOUBTFUL),
    ),
    ("no agent", granted(topics.ALERTS), "publishers", topics.ALERTS, WRONG),
    (
        "findings alone",
        granted(topics.ALERTS, f"serviceAccount:x{FINDINGS}"),
        *("publishers", topics.ALERTS, WRONG),
    ),
    (
        "others beside the agent",
        granted(topics.ALERTS, AGENT, "user:a@example.com"),
        *("publishers", topics.ALERTS, DOUBTFUL),
    ),
    ("functions unseen", {"functions": SILENT}, "deployed", "functions", UNKNOWN),
    ("a function gone", {"functions": FUNCTIONS[1:]}, "deployed", FUNCTIONS[0].name, WRONG),
    ("not active", functions(active=False), "deployed", FUNCTIONS[0].name, WRONG),
    ("another entry", functions(entry_point="on_x"), "deployed", FUNCTIONS[0].name, WRONG),
    ("other code", {"code": "newer"}, "code", CODE_LABEL, DOUBTFUL),
    ("half deployed", functions(labels={}), "code", CODE_LABEL, DOUBTFUL),
    ("silent", {"ticks": dict.fromkeys(HALVES, False)}, "clock", topics.CLOCK, WRONG),
    ("one missed", {"ticks": {**HEALTHY.ticks, HALVES[0]: False}}, "clock", topics.CLOCK, DOUBTFUL),
    (
        "clock unseen",
        {"ticks": {**HEALTHY.ticks, HALVES[0]: SILENT}},
        "clock",
        topics.CLOCK,
        UNKNOWN,
    ),
    (
        "overdue",
        {"due_since": {"notice": NOON - timedelta(minutes=2, seconds=1)}},
        *("overdue", "notices", WRONG),
    ),
    (
        "not anchored",
        {"unanchored_since": NOON - timedelta(minutes=2, seconds=1)},
        *("anchors", "audit trail", WRONG),
    ),
    (
        "sign-in off for ourselves",
        {"sign_in": {"people": True, OPS: False}},
        *("apis", f"{OPS} {apis.SIGN_IN}", WRONG),
    ),
    (
        "sign-in off where people are",
        {"sign_in": {"people": False, OPS: True}},
        *("apis", f"people {apis.SIGN_IN}", WRONG),
    ),
    ("sign-in unseen", {"sign_in": {OPS: SILENT}}, "apis", f"{OPS} {apis.SIGN_IN}", UNKNOWN),
    (
        "editors of the project",
        {"project_grants": {"roles/editor": ("user:e@example.com",)}},
        *("publishers", OPS, DOUBTFUL),
    ),
    ("grants of the project unseen", {"project_grants": SILENT}, "publishers", OPS, UNKNOWN),
    ("alerts on ourselves unseen", {"measured": SILENT}, "alert-policies", OPS, UNKNOWN),
    (
        "an alert on ourselves that reaches nobody",
        {"measured": asked(Asked("rollback: silent clock"), CLOCK_FILTER)},
        *("alert-policies", OPS, DOUBTFUL),
    ),
    (
        "a query that cannot be evaluated",
        {"measured": replace(MEASURED_SELF, answers={CLOCK_QUERY: Rejected("parse error")})},
        *("queries", OPS, WRONG),
    ),
    (
        "a query without an answer",
        {"measured": replace(MEASURED_SELF, answers={CLOCK_QUERY: SILENT})},
        *("queries", OPS, UNKNOWN),
    ),
    (
        "a series of which nothing is measured",
        {"measured": replace(MEASURED_SELF, answers={CLOCK_QUERY: 0})},
        *("queries", OPS, UNKNOWN),
    ),
    ("no query", {"measured": asked(Asked("rollback: x", channels=1))}, "queries", OPS, UNKNOWN),
    ("no filter", {"measured": asked(Asked("rollback: x"))}, "metric-names", OPS, UNKNOWN),
    (
        "a metric that is not known",
        {"measured": replace(MEASURED_SELF, metrics={})},
        *("metric-names", OPS, WRONG),
    ),
    (
        "a label that the metric lacks",
        {"measured": replace(MEASURED_SELF, metrics={PUSHED: Metric(NONE, SUBSCRIPTIONS)})},
        *("metric-names", OPS, WRONG),
    ),
    (
        "another resource",
        {"measured": replace(MEASURED_SELF, metrics={PUSHED: Metric(RESPONSES, NONE)})},
        *("metric-names", OPS, WRONG),
    ),
    (
        "a label that the resource lacks",
        {"measured": replace(MEASURED_SELF, resources={"pubsub_subscription": NONE})},
        *("metric-names", OPS, WRONG),
    ),
    ("no console", {"functions": FUNCTIONS[:-1]}, "console", CONSOLE, UNKNOWN),
    ("a broken console", console(active=False), "console", CONSOLE, WRONG),
    ("another's console", console(entry_point="other"), "console", CONSOLE, WRONG),
    ("a mute console", granted(topics.COMMANDS), "console", CONSOLE, WRONG),
    (
        "a console unheard",
        {"grants": {**HEALTHY.grants, topics.COMMANDS: SILENT}},
        *("console", topics.COMMANDS, UNKNOWN),
    ),
    (
        "metrics unseen",
        {"measured": replace(MEASURED_SELF, metrics={PUSHED: SILENT})},
        *("metric-names", OPS, UNKNOWN),
    ),
    ("no dead man's switch", {"dead_man": None}, "dead-man", DEAD_MAN, UNKNOWN),
    ("the switch unseen", {"dead_man": SILENT}, "dead-man", DEAD_MAN, UNKNOWN),
    ("paused", {"dead_man": replace(CALLED, enabled=False)}, "dead-man", DEAD_MAN, WRONG),
    ("never called", {"dead_man": replace(CALLED, at=None)}, "dead-man", DEAD_MAN, WRONG),
    ("called long ago", {"dead_man": replace(CALLED, at=LONG_AGO)}, "dead-man", DEAD_MAN, WRONG),
    ("refused there", {"dead_man": replace(CALLED, code=7)}, "dead-man", DEAD_MAN, WRONG),
    ("not known there", {"dead_man": replace(CALLED, code=-1)}, "dead-man", DEAD_MAN, UNKNOWN),
    (
        "viewers read exports",
        read(EXPORTS, f"projectViewer:{OPS}"),
        *("readers", EXPORTS, WRONG),
    ),
    (
        "editors own values",
        read(VALUES, f"projectEditor:{OPS}", "roles/storage.legacyBucketOwner"),
        *("readers", VALUES, WRONG),
    ),
    ("everybody reads values", read(VALUES, "allUsers"), "readers", VALUES, WRONG),
    ("a person reads exports", read(EXPORTS, "user:a@example.com"), "readers", EXPORTS, DOUBTFUL),
    (
        "another responder reads values",
        read(VALUES, member("on_clock")),
        "readers",
        VALUES,
        DOUBTFUL,
    ),
    (
        "an agent reads values",
        read(VALUES, f"serviceAccount:service-1{FIRESTORE}"),
        *("readers", VALUES, DOUBTFUL),
    ),
    (
        "a person in a role of ours",
        read(VALUES, "user:a@example.com", f"{OUR_ROLES}keeper"),
        *("readers", VALUES, DOUBTFUL),
    ),
    ("no bucket of values named", {"values": None}, "readers", "values", UNKNOWN),
    ("readers unseen", {"bucket_grants": {VALUES: SILENT}}, "readers", VALUES, UNKNOWN),
    ("no word of who ours are", {"functions": SILENT}, "readers", VALUES, UNKNOWN),
    ("anchors unseen", {"unanchored_since": SILENT}, "anchors", "audit trail", UNKNOWN),
    ("due unseen", {"due_since": {"notice": SILENT}}, "overdue", "notices", UNKNOWN),
)
"""What is so, what changes for it in a healthy installation, and the finding that tells."""


@pytest.mark.parametrize(
    ("changes", "check", "what", "verdict"),
    [row[1:] for row in INSTALLATIONS],
    ids=[row[0] for row in INSTALLATIONS],
)
def test_what_is_amiss_with_an_installation_is_told(
    changes: dict[str, Any], check: str, what: str, verdict: Verdict
) -> None:
    """By a row of its own."""
    assert (check, what, verdict) in amiss(replace(HEALTHY, **changes))


def test_whoever_may_only_read_publishes_nothing() -> None:
    """A viewer of the override topic is no news."""
    seen = granted(topics.OVERRIDE, "user:a@example.com", role="roles/pubsub.viewer")

    assert amiss(replace(HEALTHY, **seen)) == amiss(HEALTHY)


def test_on_this_machine_nobody_is_asked_who_pushes() -> None:
    """An embedded cloud needs neither tokens nor agents, and has the functions beside it."""
    bare = delivered(topics.ALERTS, account="", audience="")
    nobody = {"bucket_grants": {one: {} for one in HEALTHY.bucket_grants}, "functions": ()}
    local = replace(HEALTHY, is_local=True, **nobody, **bare, **granted(topics.ALERTS))

    assert {verdict for _, _, verdict in amiss(local)} == {UNKNOWN}


SHOP = Policy(
    "shop",
    "shop-prod",
    "europe-west1",
    {"all": Group(("placeOrder",))},
    dict.fromkeys(
        ("frontend_unavailable", rights.SIGN_IN),
        Signal(Severity.CRITICAL, ScenarioName.FUNCTIONS, Mode.ACT),
    ),
    {},
    probes=(Probe("shop", "https://shop.example/", signal="frontend_unavailable"),),
    resources=Resources(hosting_sites=("shop",), identity=True),
    backups=BackupRules(bucket="shop-exports", native=True, proof=ProofRules()),
    assets=AssetRules(replicated=("covers",)),
    collections={"orders": Collection()},
)
SERVICE = Service(
    name="projects/shop-prod/locations/europe-west1/services/placeorder",
    etag="1",
    latest_created="placeorder-2",
    latest_ready="placeorder-2",
    traffic=(TrafficTarget("placeorder-1", 100),),
    serving=(TrafficTarget("placeorder-1", 100),),
    reconciling=False,
    ready=True,
)
FIRST = Revision("placeorder-1", SERVICE.name, NOON, ready=True)
LIVE = Live("placeOrder", SERVICE, (replace(FIRST, name="placeorder-2"), FIRST))
FOUND = FunctionState(
    "placeOrder",
    Generation.SECOND,
    service=SERVICE.name,
    traffic=SERVICE.traffic,
    latest=SERVICE.latest_ready,
)
PROVEN = Restorability(NOON)
STABLE = Deployment(
    "v1",
    "shop",
    NOON,
    Status.STABLE,
    placements({"placeOrder": FOUND}),
    restorable=PROVEN,
)
WHOLE = replace(
    begun(SHOP, NOON - 2 * SHOP.backups.every, NOON - 2 * SHOP.backups.every),
    status=Kept.KEPT,
    is_over=True,
)
"""An export of as long ago as the newest may be."""
RESTORED = Proof(
    id="shop-1",
    system="shop",
    backup=WHOLE.id,
    source=WHOLE.prefix,
    snapshot_at=WHOLE.snapshot_at,
    original="(default)",
    database="proof-shop-1",
    began_at=NOON - timedelta(days=2),
    is_over=True,
)
"""A proof of as long ago as the newest may be."""
UNDER = {"sources": ' if resource.name.startsWith("projects/_/buckets/gcf-sources-")'}
"""The conditions under which roles are held, as the adapter of accounts tells them."""
BUILT = FunctionState(
    "placeOrder",
    Generation.SECOND,
    source=Source("sources", "placeOrder.zip", 7),
    trigger="triggers/placeorder",
)
TOLD = asked(
    Asked("shop: x", {SYSTEM_LABEL: "shop", SIGNAL_LABEL: rights.SIGN_IN}, channels=1),
    'metric.type="run.googleapis.com/request_count" AND resource.type="cloud_run_revision"',
    queries=('sum(run_googleapis_com:request_count{monitored_resource="cloud_run_revision"}) > 1',),
)
SEEN_DOWN = Asked(
    "shop: y", {SYSTEM_LABEL: "shop", SIGNAL_LABEL: "frontend_unavailable"}, channels=1
)
TOLD = replace(TOLD, asked=[*TOLD.asked, SEEN_DOWN])
LOOKED_THROUGH = integrity.Run("shop", "", NOON, NOON - 3 * SHOP.integrity.every, {}, ())
HEALTHY_SHOP = systems.Facts(
    policy=SHOP,
    now=NOON,
    system=System("shop"),
    controls=Controls(),
    deployments=(STABLE,),
    inventory={"placeOrder": LIVE},
    requests={"placeorder": Requests(7, 0)},
    probes={"shop": ProbeAnswer(passed=True, status=200)},
    looks=Record("shop", NOON, {"shop": (Look(NOON, NOON, passed=True, seconds=0.1, status=200),)}),
    accounts=accounts(FUNCTIONS),
    granted={
        f"rollback-{name.replace('_', '-')}@{OPS}.iam.gserviceaccount.com": tuple(
            f"projects/shop-prod/roles/rollback_{role}{UNDER.get(role, '')}" for role in roles
        )
        for name, roles in rights.ROLES.items()
    },
    read_back=True,
    writes=60,
    rest=WholeInventory(
        functions={"placeOrder": BUILT},
        sites={"shop": HostingSite("v1")},
        identity={"monitoring.requestLogging.enabled": True},
        invokers={"placeOrder": ("allUsers roles/run.invoker",)},
    ),
    exports=(replace(WHOLE, is_over=False), WHOLE),
    proofs=(replace(RESTORED, is_over=False), RESTORED),
    native=Watched("shop", NOON),
    assets=Posture("shop", NOON - timedelta(hours=25)),
    page=Seen(200, HTML, CACHE_CONTROL),
    push={},
    measured=TOLD,
    sign_ins=Requests(9, 1),
    waiting={"placeOrder": 0},
    integrity=damage.Record("shop", last=LOOKED_THROUGH),
    spoken={},
)


def ill(facts: systems.Facts) -> list[tuple[str, Verdict]]:
    """Check and verdict of whatever is not well with a system."""
    found = systems.examined(facts)
    return [(one.check, one.verdict) for one in found if one.verdict is not WELL]


def test_a_healthy_system_is_well() -> None:
    """Nothing is amiss."""
    assert ill(HEALTHY_SHOP) == []


def test_a_role_is_missed_where_the_policy_has_a_use_for_it() -> None:
    """Nobody pushes to users of a shop without a channel for that."""
    held = {who: tuple(roles) for who, roles in rights.roles_in(SHOP).items()}
    granted = {HEALTHY_SHOP.accounts[who]: roles for who, roles in held.items()}
    pushing = replace(SHOP, channels=(Channel("users", ChannelKind.PUSH, target="outages"),))

    assert held["on_notice"] == ()
    assert ill(replace(HEALTHY_SHOP, granted=granted)) == []
    spoken = {"users": Spoken(sent=True, given_up=())}
    pushed = replace(HEALTHY_SHOP, granted=granted, policy=pushing, spoken=spoken)
    assert ill(pushed) == [("own-roles", WRONG)]


PAUSE = Pause("anna", NOON, "we look")
FREEZE = Freeze("anna", NOON, "the sale", NOON, NOON + timedelta(hours=1))


def live(**changes: Any) -> dict[str, Any]:
    """A change of the only function's service."""
    return {"inventory": {"placeOrder": replace(LIVE, service=replace(SERVICE, **changes))}}


def beside(**parts: Any) -> dict[str, Any]:
    """A change of what was read beside services and revisions."""
    return {"rest": replace(HEALTHY_SHOP.rest, **parts)}


def built(**changes: Any) -> dict[str, Any]:
    """A change of what is shown of the only function."""
    return beside(functions={"placeOrder": replace(BUILT, **changes)})


def proven(**found: Any) -> dict[str, Any]:
    """What the proof of the only deployment has found."""
    return {"deployments": (replace(STABLE, restorable=replace(PROVEN, **found)),)}


def of_alert(**changes: Any) -> Measured:
    """A change of the only alert policy."""
    return replace(TOLD, asked=[replace(TOLD.asked[0], **changes), SEEN_DOWN])


def spoke(*, sent: bool, given_up: int) -> dict[str, Any]:
    """What became of the notices of the only channel, a week ago at the longest."""
    notice = Notice(
        *("n", "i", "shop", "e", "users", None, "t"),
        created_at=NOON - timedelta(days=7) + timedelta(microseconds=1),
        due_at=None,
        last_error="403",
    )
    return {"policy": PUSHING, "spoken": {"users": Spoken(sent, [notice] * given_up)}}


PUSHING = replace(SHOP, channels=(Channel("users", ChannelKind.PUSH, target="outages"),))
VERIFYING = replace(SHOP, verification={"sign-in": Check(sign_in_failures=0.3)})
UNKNOWN_FILES = {"orders": integrity.Tally(unknown=1)}
SYSTEMS: tuple[tuple[str, dict[str, Any], str, Verdict], ...] = (
    ("paused", {"system": System("shop", pause=PAUSE)}, "mode", DOUBTFUL),
    ("a source unsaid", built(source=None), "sources", DOUBTFUL),
    ("a source that may be another", built(source=Source("x", "y")), "sources", DOUBTFUL),
    ("functions unseen", beside(functions=None), "sources", UNKNOWN),
    ("fewer writes are admitted", {"writes": 59}, "write-quota", DOUBTFUL),
    ("more writes are admitted", {"writes": 61}, "write-quota", DOUBTFUL),
    ("no limit of writes is listed", {"writes": None}, "write-quota", UNKNOWN),
    ("the quota gives no answer", {"writes": SILENT}, "write-quota", UNKNOWN),
    ("all paused", {"controls": Controls(pause=PAUSE)}, "mode", DOUBTFUL),
    ("frozen", {"system": System("shop", freezes=(FREEZE,))}, "mode", DOUBTFUL),
    ("switches unseen", {"controls": SILENT}, "mode", UNKNOWN),
    ("nothing stable", {"deployments": ()}, "stable", WRONG),
    ("only bad", {"deployments": (replace(STABLE, status=Status.BAD),)}, "stable", WRONG),
    ("deployments unseen", {"deployments": SILENT}, "stable", UNKNOWN),
    ("proofs unseen", {"deployments": SILENT}, "proof", UNKNOWN),
    ("not proven", {"deployments": (replace(STABLE, restorable=None),)}, "proof", UNKNOWN),
    ("an index gone", proven(faults=("index a is gone",)), "proof", WRONG),
    ("a version unseen", proven(unknown=("version shop/v1",)), "proof", UNKNOWN),
    ("no copy", proven(rebuild=("placeOrder: no copy of its source",)), "kept", DOUBTFUL),
    ("revision gone", {"inventory": {"placeOrder": replace(LIVE, revisions=())}}, "stable", WRONG),
    (
        "revision broken",
        {"inventory": {"placeOrder": replace(LIVE, revisions=(replace(FIRST, ready=False),))}},
        *("stable", WRONG),
    ),
    ("a function gone", {"inventory": {}}, "functions", WRONG),
    ("one too many", {"inventory": {"placeOrder": LIVE, "x": LIVE}}, "functions", DOUBTFUL),
    ("functions unseen", {"inventory": SILENT}, "functions", UNKNOWN),
    ("another name", live(name=f"{SERVICE.name}-1"), "services", DOUBTFUL),
    (
        "list cut",
        {"inventory": {"placeOrder": replace(LIVE, revisions=(FIRST,))}},
        "revisions",
        WRONG,
    ),
    ("routed elsewhere", live(serving=()), "routers", DOUBTFUL),
    ("no request", {"requests": {}}, "metrics", DOUBTFUL),
    ("metrics unseen", {"requests": SILENT}, "metrics", UNKNOWN),
    ("probe fails", {"probes": {"shop": ProbeAnswer(passed=False, status=500)}}, "probes", WRONG),
    ("probe unseen", {"probes": {"shop": SILENT}}, "probes", UNKNOWN),
    ("a role gone", {"granted": {}}, "own-roles", WRONG),
    ("roles unseen", {"granted": SILENT}, "own-roles", UNKNOWN),
    ("accounts unknown", {"accounts": {}}, "own-roles", UNKNOWN),
    ("no alert yet", {"read_back": None}, "alert-ids", UNKNOWN),
    ("another id", {"read_back": Rejected("no such alert")}, "alert-ids", DOUBTFUL),
    ("alerts unseen", {"read_back": SILENT}, "alert-ids", UNKNOWN),
    ("log off", {"rest": WholeInventory(sites={}, identity={})}, "request-log", DOUBTFUL),
    ("looks stale", {"now": NOON + timedelta(seconds=61)}, "looks", DOUBTFUL),
    ("looks unseen", {"looks": SILENT}, "looks", UNKNOWN),
    ("no such site", {"rest": WholeInventory(sites={})}, "hosting", WRONG),
    ("sites unseen", {"rest": WholeInventory()}, "hosting", UNKNOWN),
    ("none over", {"exports": (replace(WHOLE, is_over=False),)}, "exports", UNKNOWN),
    ("failed", {"exports": (replace(WHOLE, status=Kept.FAILED), WHOLE)}, "exports", WRONG),
    ("old", {"now": NOON + timedelta(microseconds=1)}, "exports", WRONG),
    ("exports unseen", {"exports": SILENT}, "exports", UNKNOWN),
    ("no proof over", {"proofs": (replace(RESTORED, is_over=False),)}, "backup-proof", UNKNOWN),
    ("unproven", {"proofs": (replace(RESTORED, faults=("lost",)),)}, "backup-proof", WRONG),
    ("proven long ago", {"now": NOON + timedelta(microseconds=1)}, "backup-proof", WRONG),
    ("backup proofs unseen", {"proofs": SILENT}, "backup-proof", UNKNOWN),
    ("no schedule", {"native": Watched("shop", NOON, ("none",))}, "native-backups", WRONG),
    ("never watched", {"native": None}, "native-backups", UNKNOWN),
    (
        "watched long ago",
        {"native": Watched("shop", NOON - timedelta(hours=2, microseconds=1))},
        *("native-backups", UNKNOWN),
    ),
    ("one place", {"assets": Posture("shop", NOON, {"covers": "one place"})}, "assets", WRONG),
    ("a place unseen", {"assets": Posture("shop", NOON, unseen=("covers",))}, "assets", UNKNOWN),
    ("never inspected", {"assets": None}, "assets", UNKNOWN),
    (
        "inspected long ago",
        {"assets": Posture("shop", NOON - timedelta(hours=25, microseconds=1))},
        *("assets", UNKNOWN),
    ),
    ("assets unseen", {"assets": SILENT}, "assets", UNKNOWN),
    ("no page", {"page": Seen(404)}, "status-page", WRONG),
    ("a page as a file", {"page": Seen(200, "", CACHE_CONTROL)}, "status-page", DOUBTFUL),
    ("a page of an hour ago", {"page": Seen(200, HTML)}, "status-page", DOUBTFUL),
    ("no bucket of pages named", {"page": None}, "status-page", UNKNOWN),
    ("the page unseen", {"page": SILENT}, "status-page", UNKNOWN),
    ("push off", {"push": {"shop-prod": True, OPS: False}}, "apis", WRONG),
    ("push off in the application", {"push": {"shop-prod": False, OPS: True}}, "apis", WRONG),
    ("push unseen", {"push": {"shop-prod": SILENT}}, "apis", UNKNOWN),
    ("alerts unseen", {"measured": SILENT}, "alert-policies", UNKNOWN),
    ("no alert", {"measured": asked(Asked("x"))}, "alert-policies", DOUBTFUL),
    ("an alert off", {"measured": of_alert(enabled=False)}, "alert-policies", WRONG),
    ("an alert to nobody", {"measured": of_alert(channels=0)}, "alert-policies", WRONG),
    ("no sign-in", {"policy": VERIFYING, "sign_ins": Requests(0, 0)}, "sign-ins", DOUBTFUL),
    ("sign-ins unseen", {"policy": VERIFYING, "sign_ins": SILENT}, "sign-ins", UNKNOWN),
    ("a backlog unknown", {"waiting": {}}, "backlogs", DOUBTFUL),
    ("backlogs unseen", {"waiting": SILENT}, "backlogs", UNKNOWN),
    ("callers unseen", beside(invokers=None), "invokers", UNKNOWN),
    (
        "a setting that is called a secret",
        beside(identity={"signIn.newVendor.signingKey": "x"}),
        *("secret-settings", DOUBTFUL),
    ),
    ("data never looked through", {"integrity": None}, "data", UNKNOWN),
    ("a first run under way", {"integrity": damage.Record("shop")}, "data", UNKNOWN),
    (
        "data that cannot be looked through",
        {"integrity": damage.Record("shop", failure="PERMISSION_DENIED", failed_at=NOON)},
        *("data", WRONG),
    ),
    (
        "files that cannot be looked at",
        {"integrity": damage.Record("shop", last=replace(LOOKED_THROUGH, tallies=UNKNOWN_FILES))},
        *("data", UNKNOWN),
    ),
    ("looked through long ago", {"now": NOON + timedelta(microseconds=1)}, "data", WRONG),
    ("data unseen", {"integrity": SILENT}, "data", UNKNOWN),
    ("given up", spoke(sent=True, given_up=1), "channels", DOUBTFUL),
    ("never taken", spoke(sent=False, given_up=1), "channels", WRONG),
    ("nothing said", spoke(sent=False, given_up=0), "channels", UNKNOWN),
    ("a channel unseen", {"policy": PUSHING, "spoken": {"users": SILENT}}, "channels", UNKNOWN),
    ("moved", {"probes": {"shop": ProbeAnswer(passed=True, status=301)}}, "probes", DOUBTFUL),
    ("watching unseen", {"native": SILENT}, "native-backups", UNKNOWN),
)
"""What is so, what changes for it in a healthy system, and the finding that tells."""


@pytest.mark.parametrize(
    ("changes", "check", "verdict"),
    [row[1:] for row in SYSTEMS],
    ids=[row[0] for row in SYSTEMS],
)
def test_what_is_amiss_with_a_system_is_told(
    changes: dict[str, Any], check: str, verdict: Verdict
) -> None:
    """By a row of its own."""
    assert (check, verdict) in ill(replace(HEALTHY_SHOP, **changes))


def test_what_is_not_backed_up_is_not_judged() -> None:
    """A policy that asks for no backup, and declares no assets, has no row of either."""
    policy = replace(SHOP, backups=BackupRules(), assets=AssetRules())
    bare = replace(HEALTHY_SHOP, policy=policy, exports=SILENT)
    judged = {one.check for one in systems.examined(bare)}

    assert judged & {"exports", "backup-proof", "native-backups", "assets"} == set()


def test_a_service_on_its_way_is_not_judged() -> None:
    """Routers follow later than what they are asked."""
    moving = replace(HEALTHY_SHOP, **live(serving=(), reconciling=True))

    assert ("routers", DOUBTFUL) not in ill(moving)


def row(check: str, verdict: Verdict) -> Finding:
    return Finding(check, "", verdict, "")


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([], 0),
        ([row("mode", DOUBTFUL), row("code", UNKNOWN)], 0),
        ([row("topics", UNKNOWN)], 3),
        ([row("topics", UNKNOWN), row("probes", WRONG)], 1),
    ],
)
def test_the_exit_code(findings: list[Finding], code: int) -> None:
    """Wrong outweighs unknown; unknown counts where it is essential; doubts do not."""
    assert exit_code(findings) == code


def test_every_row_is_of_a_known_check_and_every_error_is_told() -> None:
    """In the order of CHECKS, whatever could not be seen."""
    blind = replace(
        HEALTHY,
        **dict.fromkeys(("state", "topics", "subscriptions", "functions"), SILENT),
        grants=dict.fromkeys(topics.ALL, SILENT),
        bucket_grants={VALUES: SILENT},
        sign_in={OPS: SILENT},
        project_grants=SILENT,
        measured=SILENT,
        dead_man=SILENT,
        ticks=dict.fromkeys(HALVES, SILENT),
        due_since={"notice": SILENT},
        unanchored_since=SILENT,
    )
    checks = [one.check for one in installation.examined(blind)]

    assert checks == sorted(checks, key=list(CHECKS).index)
    seen = {one.check for one in installation.examined(blind) if one.verdict is WELL}
    assert seen == {"settings", "versions"}
    assert {*CHECKS} > ESSENTIAL


def test_the_page_names_the_checks_that_look_at_its_claims() -> None:
    """Each row of unverified.md names a check, or none; each check that looks has a row."""
    page = (Path(__file__).parent.parent / "docs" / "unverified.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    named = [re.search(r"\| (?:\u2013|`([a-z-]+)`) \|$", line) for line in rows]

    assert [line for line, found in zip(rows, named, strict=True) if found is None] == []
    assert {found[1] for found in named if found} - {None} == CLAIMS
    assert {*CHECKS} > CLAIMS
