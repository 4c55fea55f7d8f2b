"""What doctor says of an installation."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from cli.doctor.calls import SIGN_IN_API
from cli.doctor.finding import CheckVerdict
from cli.doctor.installation.checks import CODE_LABEL, EXPORTERS
from cli.doctor.installation.facts import DEAD_MAN
from cli.doctor.installation.messaging import DETACHED, FINDINGS
from cli.doctor.installation.metrics import check_metric_names
from shared.core import topics
from shared.core.errors import Rejected, RollbackError
from shared.ports.operations_project import Metric, MetricQuery
from tests.support.runtime.installation import (
    AGENT,
    CALLED,
    CLOCK_FILTER,
    CLOCK_QUERY,
    CONSOLE,
    DOUBTFUL,
    EXPORTS,
    FUNCTIONS,
    HALVES,
    HEALTHY,
    KEPT,
    LONG_AGO,
    MEASURED_SELF,
    NOON,
    OPS,
    OUR_ROLES,
    POLICY_BUCKET,
    PUBLISHER,
    PUSHES,
    READER,
    SILENT,
    UNKNOWN,
    VALUES,
    WRONG,
    build_measured_policy,
    find_faults,
    responder_member,
)


def test_findings_arrive_beside_alerts() -> None:
    """Security Command Center may say what it has found."""
    facts = replace(HEALTHY, **granted(topics.ALERTS, AGENT, f"serviceAccount:x{FINDINGS}"))

    assert ("publishers", topics.ALERTS, DOUBTFUL) not in find_faults(facts)


def test_one_metric_is_counted_in_the_singular() -> None:
    """The only alert policy of the installation reads one metric."""
    [found] = check_metric_names(OPS, MEASURED_SELF)
    assert found.why == "1 metric and every label are known"


def test_a_healthy_installation_is_well() -> None:
    """Nothing is amiss."""
    assert find_faults(HEALTHY) == []


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
INSTALLATIONS: tuple[tuple[str, dict[str, Any], str, str, CheckVerdict], ...] = (
    ("no state", {"clock_difference": SILENT}, "state", "state database", UNKNOWN),
    ("clocks apart", {"clock_difference": timedelta(seconds=5.1)}, *("state", "state database", DOUBTFUL)),
    ("a topic gone", {"topics": schemas(ALERTS=None)}, "topics", topics.ALERTS, WRONG),
    ("no schema", {"topics": schemas(COMMANDS="")}, "schemas", topics.COMMANDS, DOUBTFUL),
    ("a schema too many", {"topics": schemas(WORK="x")}, "schemas", topics.WORK, WRONG),
    ("schemas unseen", {"topics": SILENT}, "schemas", "topics", UNKNOWN),
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
    ("wrong account", delivered(topics.ALERTS, account="eve@x.example"), "subscriptions", ALERTS, WRONG),
    (
        "another's address",
        delivered(topics.ALERTS, endpoint=f"https://x.example/projects/{OPS}/topics/rollback-alerts"),
        *("subscriptions", ALERTS, WRONG),
    ),
    (
        "no topic in the address",
        delivered(topics.ALERTS, endpoint=f"{FUNCTIONS[0].uri}/"),
        *("subscriptions", ALERTS, WRONG),
    ),
    ("none kept", {"subscriptions": PUSHES}, "letters-kept", topics.DEAD_LETTER_SUBSCRIPTION, WRONG),
    (
        "kept until idle",
        {"subscriptions": (*PUSHES, replace(KEPT, expires=True))},
        *("letters-kept", topics.DEAD_LETTER_SUBSCRIPTION, WRONG),
    ),
    (
        "kept a day",
        {"subscriptions": (*PUSHES, replace(KEPT, kept_for=timedelta(days=1)))},
        *("letters-kept", topics.DEAD_LETTER_SUBSCRIPTION, DOUBTFUL),
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
    ("clock unseen", {"ticks": {**HEALTHY.ticks, HALVES[0]: SILENT}}, "clock", topics.CLOCK, UNKNOWN),
    (
        "overdue",
        {"due_since": {"notice": NOON - timedelta(minutes=2, seconds=1)}},
        *("overdue", "notices", WRONG),
    ),
    (
        "not anchored",
        {"unanchored_since": NOON - timedelta(minutes=2, seconds=1)},
        *("anchors", "audit log", WRONG),
    ),
    (
        "sign-in off for ourselves",
        {"sign_in": {"people": True, OPS: False}},
        *("apis", f"{OPS} {SIGN_IN_API}", WRONG),
    ),
    (
        "sign-in off where people are",
        {"sign_in": {"people": False, OPS: True}},
        *("apis", f"people {SIGN_IN_API}", WRONG),
    ),
    ("sign-in unseen", {"sign_in": {OPS: SILENT}}, "apis", f"{OPS} {SIGN_IN_API}", UNKNOWN),
    (
        "editors of the project",
        {"project_grants": {"roles/editor": ("user:e@example.com",)}},
        *("publishers", OPS, DOUBTFUL),
    ),
    ("grants of the project unseen", {"project_grants": SILENT}, "publishers", OPS, UNKNOWN),
    ("alerts on ourselves unseen", {"measured": SILENT}, "alert-policies", OPS, UNKNOWN),
    (
        "an alert on ourselves that reaches nobody",
        {"measured": build_measured_policy(MetricQuery("rollback: silent clock"), CLOCK_FILTER)},
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
    (
        "no query",
        {"measured": build_measured_policy(MetricQuery("rollback: x", channels=1))},
        "queries",
        OPS,
        UNKNOWN,
    ),
    (
        "no filter",
        {"measured": build_measured_policy(MetricQuery("rollback: x"))},
        "metric-names",
        OPS,
        UNKNOWN,
    ),
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
    ("viewers read exports", read(EXPORTS, f"projectViewer:{OPS}"), *("readers", EXPORTS, WRONG)),
    (
        "editors own values",
        read(VALUES, f"projectEditor:{OPS}", "roles/storage.legacyBucketOwner"),
        *("readers", VALUES, WRONG),
    ),
    (
        "editors own policies",
        read(POLICY_BUCKET, f"projectEditor:{OPS}", "roles/storage.legacyBucketOwner"),
        *("readers", POLICY_BUCKET, WRONG),
    ),
    (
        "a person writes policies",
        read(POLICY_BUCKET, "user:a@example.com", "roles/storage.objectAdmin"),
        *("readers", POLICY_BUCKET, DOUBTFUL),
    ),
    (
        "a reader of policies reads values",
        read(VALUES, "user:a@example.com", f"{OUR_ROLES}read_objects"),
        *("readers", VALUES, DOUBTFUL),
    ),
    ("everybody reads values", read(VALUES, "allUsers"), "readers", VALUES, WRONG),
    ("a person reads exports", read(EXPORTS, "user:a@example.com"), "readers", EXPORTS, DOUBTFUL),
    (
        "another responder reads values",
        read(VALUES, responder_member("on_clock")),
        "readers",
        VALUES,
        DOUBTFUL,
    ),
    (
        "an agent reads values",
        read(VALUES, f"serviceAccount:service-1{EXPORTERS[0]}"),
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
    ("anchors unseen", {"unanchored_since": SILENT}, "anchors", "audit log", UNKNOWN),
    ("due unseen", {"due_since": {"notice": SILENT}}, "overdue", "notices", UNKNOWN),
)
"""What is so, what changes for it in a healthy installation, and the finding that tells."""


@pytest.mark.parametrize(
    ("changes", "check", "what", "verdict"),
    [row[1:] for row in INSTALLATIONS],
    ids=[row[0] for row in INSTALLATIONS],
)
def test_what_is_amiss_with_an_installation_is_told(
    changes: dict[str, Any], check: str, what: str, verdict: CheckVerdict
) -> None:
    """By a row of its own."""
    assert (check, what, verdict) in find_faults(replace(HEALTHY, **changes))


def test_whoever_may_only_read_publishes_nothing() -> None:
    """A viewer of the override topic is no news."""
    seen = granted(topics.OVERRIDE, "user:a@example.com", role="roles/pubsub.viewer")

    assert find_faults(replace(HEALTHY, **seen)) == find_faults(HEALTHY)


def test_on_this_machine_nobody_is_asked_who_pushes() -> None:
    """An embedded cloud needs neither tokens nor agents, and has the functions beside it."""
    bare = delivered(topics.ALERTS, account="", audience="")
    nobody = {"bucket_grants": {one: {} for one in HEALTHY.bucket_grants}, "functions": ()}
    local = replace(HEALTHY, is_local=True, **nobody, **bare, **granted(topics.ALERTS))

    assert {verdict for _, _, verdict in find_faults(local)} == {UNKNOWN}
