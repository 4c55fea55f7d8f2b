"""Where evaluated monitoring resources are not what the policy files say: pure, one line each."""

import re
from collections.abc import Iterator, Mapping

from shared.domain.policy.system_policy import Policy, service_of
from shared.domain.signals.monitoring_notification import SIGNAL_LABEL, SYSTEM_LABEL
from tests.terraform.evaluator.values import COMPUTED
from tests.terraform.monitoring.alert_rules import Attributes, conditions, seconds, violations
from tests.terraform.monitoring.expected_conditions import (
    LATENCIES,
    REQUESTS,
    SERVICE,
    Query,
    Threshold,
    expected,
    reads_checks,
)
from tests.terraform.monitoring.plan import Resources

POLICY = "google_monitoring_alert_policy"
CHECK = "google_monitoring_uptime_check_config"
CHANNEL = "google_monitoring_notification_channel"
PUBLISHER = "google_pubsub_topic_iam_member"
SEVERITIES = {"CRITICAL": "CRITICAL", "HIGH": "ERROR", "MEDIUM": "WARNING", "LOW": None}
TOGETHER = "function_failure_rate"
"""Its conditions hold only together; quiet functions and its `also` have other alert policies."""
_METRIC = re.compile(r'metric\.type="([^"]*)"')
_RESOURCE = re.compile(r'resource\.type="([^"]*)"')
_SERVICES = re.compile(r"resource\.label\.service_name=one_of\(([^)]*)\)")
_COUNTER = re.compile(r"logging(?:\.googleapis\.com/user/|_googleapis_com:user_)(\w+?)(?:_bucket)?\b")


def findings(
    resources: Resources, policies: Mapping[str, Policy], unmeasured: Mapping[str, str]
) -> list[str]:
    """Everything that is wrong; `unmeasured` has a reason for each system/signal without alert."""
    found = [*_of_grants(resources)]
    for name in ("signal", "self", "health"):
        for key, alert in resources.get(POLICY, {}).get(name, {}).items():
            found += [f"{key}: {wrong}" for wrong in violations(alert)]
            found += [f"{key}: {wrong}" for wrong in _of_counters(alert, resources)]
        for key, alert in resources.get(POLICY, {}).get(name, {}).items() if name != "signal" else ():
            found += [f"{key}: {wrong}" for wrong in _of_people(alert, resources)]
    for system, policy in policies.items():
        for signal in policy.signals:
            found += [
                f"{system}/{signal}: {wrong}" for wrong in _of_signal(resources, policy, signal, unmeasured)
            ]
    return found


def _of_signal(
    resources: Resources, policy: Policy, signal: str, unmeasured: Mapping[str, str]
) -> Iterator[str]:
    labels = {SYSTEM_LABEL: policy.system, SIGNAL_LABEL: signal}
    alerts = [
        one
        for one in resources.get(POLICY, {}).get("signal", {}).values()
        if labels.items() <= one.get("user_labels", {}).items()
    ]
    if f"{policy.system}/{signal}" in unmeasured:
        if alerts:
            yield "has an alert policy and a reason for having none"
        return
    apart = (1 + bool(policy.signals[signal].also)) * (signal == TOGETHER)
    if len(alerts) != 1 + apart:
        yield f"{len(alerts)} alert policies carry its labels"
        return
    for alert in alerts:
        yield from _of_frame(alert, policy, signal)
        yield from _of_channels(alert, resources)
    every = [one for alert in alerts for one in alert["conditions"]]
    yield from _of_conditions({"conditions": every}, policy, signal, CHECK in resources)


def _of_frame(alert: Attributes, policy: Policy, signal: str) -> Iterator[str]:
    if alert["project"] != policy.project:
        yield f"stands in {alert['project']}: its notifications would be foreign"
    counted = {one.get("display_name") for one in alert["conditions"]}
    together = "enough requests of that function" in counted
    if alert["combiner"] != ("AND_WITH_MATCHING_RESOURCE" if together else "OR"):
        yield f"combiner {alert['combiner']}"
    if together and len(counted) != 3:
        yield f"holds only together with {len(counted) - 1} others"
    if alert.get("severity") != SEVERITIES[policy.signals[signal].severity]:
        yield f"severity {alert.get('severity')}"
    [strategy] = alert["alert_strategy"]
    if seconds(strategy["auto_close"]) != policy.gates.auto_close.total_seconds():
        yield f"auto_close {strategy['auto_close']} is not the policy file's"
    if signal not in alert["documentation"][0]["content"]:
        yield "documentation does not name the signal"
    if not any(one.startswith(f"{PUBLISHER}.") for one in alert["depends_on"]):
        yield "is made before Monitoring may publish"


def _of_conditions(alert: Attributes, policy: Policy, signal: str, checked: bool) -> Iterator[str]:
    """Each condition is one that is expected, and each that is expected is there.

    Without uptime checks none reads them.
    """
    wanted = [one for one in expected(policy, signal) if checked or not reads_checks(one)]
    missing = [*wanted]
    for kind, block in conditions(alert):
        alike = [one for one in wanted if _is_about(kind, block, one)]
        matching = [one for one in alike if not [*_differences(block, one)]]
        missing = [one for one in missing if one not in matching]
        if not alike:
            yield f"a condition that nothing asks for: {block.get('filter', block.get('query'))}"
        elif not matching:
            yield from _differences(block, alike[0])
    yield from (f"misses a condition: {one}" for one in missing)
    yield from _of_services(alert, policy, signal)


def _is_about(kind: str, block: Attributes, wanted: Threshold | Query) -> bool:
    """Whether the condition reads the metric of the one that is wanted."""
    if isinstance(wanted, Query):
        return kind == "condition_prometheus_query_language" and all(
            f"{metric}{{" in block["query"] for metric in wanted.metrics
        )
    return kind == "condition_threshold" and f'"{wanted.metric}"' in block["filter"]


def _differences(block: Attributes, wanted: Threshold | Query) -> Iterator[str]:
    if seconds(block["duration"]) != wanted.duration:
        yield f"duration {block['duration']}, not {wanted.duration}s"
    if isinstance(wanted, Query):
        for compared in wanted.compared:
            if compared not in block["query"]:
                yield f"does not compare by {compared!r}: {block['query']}"
        return
    [aggregation] = block["aggregations"]
    resource = _RESOURCE.search(block["filter"])
    for name, value, right in (
        ("threshold", block["threshold_value"], wanted.above),
        ("comparison", block["comparison"], "COMPARISON_GT"),
        ("resource.type", resource and resource[1], wanted.resource),
        ("aligner", aggregation["per_series_aligner"], wanted.aligner),
        ("reducer", aggregation["cross_series_reducer"], wanted.reducer),
        ("period", seconds(aggregation["alignment_period"]), wanted.period),
        ("group", tuple(aggregation["group_by_fields"]), wanted.grouped),
        ("ratio", "denominator_filter" in block, wanted.ratio),
    ):
        if value != right:
            yield f"{name} {value}, not {right}"


def _of_services(alert: Attributes, policy: Policy, signal: str) -> Iterator[str]:
    """The conditions on Cloud Run's own metrics name all functions concerned, and no other."""
    named: set[str] = set()
    concerned = False
    for kind, block in conditions(alert):
        metric = _METRIC.search(block["filter"]) if kind == "condition_threshold" else None
        if metric is None or metric[1] not in (REQUESTS, LATENCIES):
            continue
        concerned = concerned or SERVICE in block["aggregations"][0]["group_by_fields"]
        for text in (block["filter"], block.get("denominator_filter", block["filter"])):
            services = _SERVICES.search(text)
            named |= {one.strip('"') for one in services[1].split(",")} if services else {"all"}
    functions = (
        [one.function for one in policy.probes if one.function is not None]
        if signal == "critical_path_blocked"
        else policy.functions
    )
    if concerned and named != {service_of(one) for one in functions}:
        yield f"watches other services than the system's: {sorted(named)[:3]}…"


def _of_channels(alert: Attributes, resources: Resources) -> Iterator[str]:
    own = _channels_of(alert["project"], resources)
    told = alert["notification_channels"]
    if not any(own.get(one) == "pubsub" for one in told):
        yield "the responders are not told"
    if any(own.get(one) != "pubsub" for one in told):
        yield "notifies people of each service: the incident pages, not an alert"


def _of_people(alert: Attributes, resources: Resources) -> Iterator[str]:
    own = _channels_of(alert["project"], resources)
    told = alert.get("notification_channels", [])
    if not told or any(own.get(one) == "pubsub" for one in told):
        yield "an alert on ourselves goes to people, past the responders"


def _channels_of(project: str, resources: Resources) -> dict[str, str]:
    """The types of the project's channels, by id."""
    return {
        channel["id"]: channel["type"]
        for channels in resources.get(CHANNEL, {}).values()
        for channel in channels.values()
        if channel["project"] == project
    }


def _of_grants(resources: Resources) -> Iterator[str]:
    """The agent of each project with a Pub/Sub channel may publish there, once it exists."""
    for name, channels in resources.get(CHANNEL, {}).items():
        for key, channel in channels.items():
            if channel["type"] == "pubsub" and not any(
                _is_grant(grant, channel, name)
                for grants in resources.get(PUBLISHER, {}).values()
                for grant in grants.values()
            ):
                yield f"channel {key}: no grant to the notification agent after it"


def _is_grant(grant: Attributes, channel: Attributes, name: str) -> bool:
    number = str(COMPUTED["data.google_project", "number"]).format(project_id=channel["project"])
    agent = f"service-{number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
    topic = f"projects/{grant['project']}/topics/{grant['topic']}"
    return (
        grant["role"] == "roles/pubsub.publisher"
        and grant["member"] == f"serviceAccount:{agent}"
        and topic == channel["labels"]["topic"]
        and f"{CHANNEL}.{name}" in grant["depends_on"]
    )


def _of_counters(alert: Attributes, resources: Resources) -> Iterator[str]:
    """Each log-based counter that is read is made in the same project."""
    made = {
        metric["name"]
        for metrics in resources.get("google_logging_metric", {}).values()
        for metric in metrics.values()
        if metric["project"] == alert["project"]
    }
    for _, block in conditions(alert):
        text = block.get("query", block.get("filter", "")) + block.get("denominator_filter", "")
        yield from (f"no counter {one}" for one in sorted({*_COUNTER.findall(text)} - made))
