"""An installation on Google as Terraform makes it, as doctor sees it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from cli.doctor.finding import CheckVerdict, run_checks
from cli.doctor.installation import checks, metrics
from cli.doctor.installation.checks import CODE_LABEL, EXPORTERS, LISTS, POLICY_LABEL
from cli.doctor.installation.facts import InstallationFacts
from cli.doctor.installation.messaging import MONITORING
from cli.doctor.installation.metrics import Measured, counting_query, series_query
from shared.core import topics
from shared.core.errors import Unavailable
from shared.core.topics import deployed_function
from shared.ports.operations_project import DeployedFunction, JobRun, Metric, MetricQuery, Subscription

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPS = "rollback-operations"
SILENT = Unavailable("no answer")
PUBLISHER = "roles/pubsub.publisher"
AGENT = f"serviceAccount:service-1{MONITORING}"
PUSH_ACCOUNT = f"rollback-push@{OPS}.iam.gserviceaccount.com"
PUSH_AUDIENCE = "https://{function}-1.europe-west1.run.app"
WELL, DOUBTFUL, WRONG, UNKNOWN = CheckVerdict


def build_push_subscription(topic: str) -> Subscription:
    """The push of a topic, as it should be."""
    [entry_point] = [name for name, several in topics.ENTRY_POINTS.items() if topic in several]
    uri = f"https://{deployed_function(entry_point)}-x.a.run.app"
    return Subscription(
        name=f"{topic}-push",
        topic=f"projects/{OPS}/topics/{topic}",
        endpoint=f"{uri}/projects/{OPS}/topics/{topic}",
        account=PUSH_ACCOUNT,
        audience=PUSH_AUDIENCE.replace("{function}", deployed_function(entry_point)),
        ack_deadline=topics.ACK_DEADLINE,
        kept_for=timedelta(days=7),
        backoff=topics.backoff(topic),
        dead_letters=f"projects/{OPS}/topics/{topics.DEAD_LETTERS}",
        attempts=topics.MAX_DELIVERY_ATTEMPTS,
    )


PUSHES = tuple(build_push_subscription(topic) for topic in topics.ALL_TOPICS if topic != topics.DEAD_LETTERS)
KEPT = Subscription(
    name=topics.DEAD_LETTER_SUBSCRIPTION,
    topic=f"projects/{OPS}/topics/{topics.DEAD_LETTERS}",
    kept_for=topics.DEAD_LETTER_RETENTION,
)
LABELS = {CODE_LABEL: "code", f"{POLICY_LABEL}shop": "policy"}
CONSOLE = deployed_function(topics.CONSOLE_ENTRY_POINT)
COMMANDED = (topics.COMMANDS, topics.OVERRIDE)
FUNCTIONS = tuple(
    DeployedFunction(
        deployed_function(name),
        name,
        True,
        f"https://{deployed_function(name)}-x.a.run.app",
        LABELS,
        f"{deployed_function(name)}@{OPS}.iam.gserviceaccount.com",
        {"ROLLBACK_PUSH_ACCOUNT": PUSH_ACCOUNT, "ROLLBACK_PUSH_AUDIENCE": PUSH_AUDIENCE},
    )
    for name in (*topics.ENTRY_POINTS, topics.CONSOLE_ENTRY_POINT)
)
CALLED = JobRun(enabled=True, at=NOON - checks.MAX_TICK_AGE)
"""The dead man's switch was called as long ago as it may be."""
LONG_AGO = NOON - checks.MAX_TICK_AGE - timedelta(seconds=1)
VALUES, EXPORTS = f"{OPS}-rollback-values", f"{OPS}-rollback-exports-shop"
POLICY_BUCKET = f"{OPS}-rollback-policies"
OUR_ROLES = f"projects/{OPS}/roles/rollback_"
READER = "roles/storage.legacyObjectReader"
OWNED = {
    f"roles/storage.{role}": (f"projectOwner:{OPS}",) for role in ("legacyBucketOwner", "legacyObjectOwner")
}


def responder_member(entry_point: str) -> str:
    """A responder, as policies name it."""
    return f"serviceAccount:{deployed_function(entry_point)}@{OPS}.iam.gserviceaccount.com"


def build_measured_policy(
    one: MetricQuery, *filters: str, queries: tuple[str, ...] = (), **others: Any
) -> Measured:
    """What one alert policy asks for, all of which Cloud Monitoring knows."""
    wanted = replace(one, filters=filters, queries=queries)
    known = metrics.parse_filters([wanted])
    answered = [*queries, *(counting_query(one) for query in queries for one in series_query(query))]
    return Measured(
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
CLOCK_QUERY = 'sum(increase(pubsub_googleapis_com:subscription_push_request_count{response_class="ack"}[1m]))'
MEASURED_SELF = build_measured_policy(
    MetricQuery("rollback: silent clock", channels=1), CLOCK_FILTER, queries=(CLOCK_QUERY,)
)

HEALTHY = InstallationFacts(
    project=OPS,
    is_local=False,
    now=NOON,
    code="code",
    policies={"shop": "policy"},
    clock_difference=timedelta(0),
    topics={topic: "rollback-command" if topic in COMMANDED else "" for topic in topics.ALL_TOPICS},
    subscriptions=(*PUSHES, KEPT),
    grants={
        **{topic: {} for topic in topics.ALL_TOPICS},
        topics.ALERTS: {PUBLISHER: (AGENT,)},
        topics.COMMANDS: {PUBLISHER: (responder_member(topics.CONSOLE_ENTRY_POINT),)},
    },
    project_grants={"roles/owner": ("user:o@example.com",)},
    sign_in={"people": True, OPS: True},
    measured=MEASURED_SELF,
    dead_man=CALLED,
    values=VALUES,
    bucket_grants={
        VALUES: {
            **OWNED,
            READER: (responder_member("on_work"),),
            LISTS: (f"projectViewer:{OPS}",),
            f"{OUR_ROLES}keeper": (responder_member("on_deployment"),),
        },
        POLICY_BUCKET: {
            **OWNED,
            f"{OUR_ROLES}read_objects": (responder_member("on_work"), "group:oncall@example.com"),
        },
        EXPORTS: {
            **OWNED,
            READER: (f"projectOwner:{OPS}",),
            "roles/storage.admin": (f"serviceAccount:service-1{EXPORTERS[0]}",),
            f"{OUR_ROLES}mirrors": (responder_member("on_clock"),),
        },
    },
    functions=FUNCTIONS,
    ticks={"ticks/20260301T1159-1": True, "ticks/20260301T1159-0": True},
    due_since={"rollback": NOON - timedelta(minutes=2), "notice": None, "command": None},
    unanchored_since=NOON - timedelta(minutes=2),
)
"""An installation on Google, as Terraform makes it."""


def find_faults(facts: InstallationFacts) -> list[tuple[str, str, CheckVerdict]]:
    """Check, thing and verdict of whatever is not well."""
    return [
        (one.check, one.what, one.verdict)
        for one in run_checks(checks.CHECKS, facts)
        if one.verdict is not WELL
    ]


HALVES = tuple(HEALTHY.ticks)
