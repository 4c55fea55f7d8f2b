"""Mistakes that a plan does not show, each with what the checks must say of it."""

from collections.abc import Callable
from typing import Any

from tests.terraform.monitoring.findings import CHANNEL, POLICY, PUBLISHER
from tests.terraform.monitoring.plan import Attributes, Resources

QUIET = "cvplus/function_failure_rate/quiet"


def of(resources: Resources, key: str) -> Attributes:
    """The alert policy of a signal."""
    return resources[POLICY]["signal"][key]


def condition(resources: Resources, key: str, index: int = 0) -> Any:
    """The inner block of a condition, to be spoilt."""
    blocks = of(resources, key)["conditions"][index]
    return next(inner[0] for kind, inner in blocks.items() if kind.startswith("condition_") and inner)


def spoil_resource(resources: Resources) -> None:
    one = condition(resources, "cvplus/slow_response")
    one["filter"] = one["filter"].replace('resource.type="cloud_run_revision" AND ', "")


def spoil_service(resources: Resources) -> None:
    one = condition(resources, "cvplus/slow_response")
    one["filter"] = one["filter"].replace('"addtestimonial",', "")


def spoil_query(resources: Resources) -> None:
    one = condition(resources, "cvplus/functions_failing_share")
    one["query"] = one["query"].replace("> 0.25", "> 25")


def spoil_floor(resources: Resources) -> None:
    one = condition(resources, "cvplus/database_failure_rate")
    one["query"] = one["query"].replace(">= 20", ">= 0")


def spoil_group(resources: Resources) -> None:
    quiet = condition(resources, QUIET, 1)
    quiet["query"] = quiet["query"].replace("|", "", 1)


def spoil_grant(resources: Resources) -> None:
    del resources[PUBLISHER]["monitoring_publishes_alerts"]["cvplus"]


def spoil_agent(resources: Resources) -> None:
    grant = resources[PUBLISHER]["monitoring_publishes_alerts"]["cvplus"]
    grant["member"] = grant["member"].replace("-cvplus", "-rollback-operations")


MISTAKES: dict[str, tuple[Callable[[Resources], Any], str]] = {
    "aligner of another kind": (
        lambda all_: condition(all_, "cvplus/database_connectivity")["aggregations"][0].update(
            per_series_aligner="ALIGN_RATE"
        ),
        "aligner ALIGN_RATE, not ALIGN_DELTA",
    ),
    "seconds where milliseconds count": (
        lambda all_: condition(all_, "cvplus/slow_response").update(threshold_value=30),
        "threshold 30, not 30000",
    ),
    "half a minute in a filter": (
        lambda all_: condition(all_, "cvplus/slow_response").update(duration="30s"),
        "duration 30s is not of whole minutes",
    ),
    "no resource.type": (spoil_resource, "no resource.type"),
    "a threshold that drifted": (
        lambda all_: condition(all_, "cvplus/function_failure_rate").update(threshold_value=0.6),
        "threshold 0.6, not 0.5",
    ),
    "ten must be exceeded": (
        lambda all_: condition(all_, "cvplus/database_connectivity").update(threshold_value=10),
        "threshold 10, not 9",
    ),
    "no grant to the agent": (spoil_grant, "channel cvplus: no grant to the notification agent"),
    "the agent of another project": (spoil_agent, "channel cvplus: no grant"),
    "a grant before the agent exists": (
        lambda all_: all_[PUBLISHER]["monitoring_publishes_alerts"]["cvplus"].update(depends_on=[]),
        "channel cvplus: no grant",
    ),
    "a label in capitals": (
        lambda all_: of(all_, "cvplus/error_rate")["user_labels"].update(rollback_signal="ERROR"),
        "is not lower case",
    ),
    "the label of another signal": (
        lambda all_: of(all_, "cvplus/error_rate")["user_labels"].update(rollback_signal="slow_response"),
        "cvplus/error_rate: 0 alert policies carry its labels",
    ),
    "a share against percents": (spoil_query, "does not compare by"),
    "a denominator aligned otherwise": (
        lambda all_: condition(all_, "cvplus/function_failure_rate")["denominator_aggregations"][0].update(
            alignment_period="300s"
        ),
        "aligned differently",
    ),
    "no denominator": (
        lambda all_: condition(all_, "cvplus/function_failure_rate").pop("denominator_filter"),
        "ratio False, not True",
    ),
    "a share of two calls": (spoil_floor, "does not compare by"),
    "a share of a function's two calls": (
        lambda all_: condition(all_, "cvplus/function_failure_rate", 1).update(threshold_value=0),
        "threshold 0, not 19",
    ),
    "a share or a number": (
        lambda all_: of(all_, "cvplus/function_failure_rate").update(combiner="OR"),
        "combiner OR",
    ),
    "a group without one of its functions": (spoil_group, "misses a condition"),
    "a quiet function's two calls": (
        lambda all_: condition(all_, QUIET).update(
            query=condition(all_, QUIET)["query"].replace(">= 20", ">= 2")
        ),
        "does not compare by",
    ),
    "a quiet function's single failed call": (
        lambda all_: condition(all_, QUIET).update(
            query=condition(all_, QUIET)["query"].replace(">= 8", ">= 1")
        ),
        "does not compare by",
    ),
    "no alert for quiet functions": (
        lambda all_: all_[POLICY]["signal"].pop(QUIET),
        "1 alert policies carry its labels",
    ),
    "one alert for all functions": (
        lambda all_: condition(all_, "cvplus/function_failure_rate")["aggregations"][0].update(
            group_by_fields=[]
        ),
        "group (), not",
    ),
    "a comparison that the API refuses": (
        lambda all_: condition(all_, "cvplus/slow_response").update(comparison="COMPARISON_GE"),
        "comparison COMPARISON_GE",
    ),
    "a function that nobody watches": (spoil_service, "watches other services"),
    "a condition that is gone": (
        lambda all_: of(all_, "cvplus/performance_degraded")["conditions"].pop(),
        "misses a condition",
    ),
    "no word of the end": (
        lambda all_: of(all_, "cvplus/error_rate")["alert_strategy"][0].update(
            notification_prompts=["OPENED"]
        ),
        "the end of an incident is not notified",
    ),
    "closed before its time": (
        lambda all_: of(all_, "cvplus/error_rate")["alert_strategy"][0].update(auto_close="3600s"),
        "is not the policy file's",
    ),
    "a pager on the alert policy of a service": (
        lambda all_: of(all_, "cvplus/frontend_unavailable")["notification_channels"].append(
            all_[CHANNEL]["pager"]["oncall"]["id"]
        ),
        "notifies people of each service",
    ),
    "the responders left out": (
        lambda all_: of(all_, "cvplus/frontend_unavailable")["notification_channels"].pop(0),
        "the responders are not told",
    ),
    "an alert in another project": (
        lambda all_: of(all_, "cvplus/error_rate").update(project="rollback-operations"),
        "its notifications would be foreign",
    ),
    "an alert before the grant": (
        lambda all_: of(all_, "cvplus/error_rate").update(depends_on=[]),
        "before Monitoring may publish",
    ),
    "a counter that is not made": (
        lambda all_: all_["google_logging_metric"]["counter"].pop("cvplus/server_errors"),
        "no counter rollback_cvplus_server_errors",
    ),
    "a log match without a limit": (
        lambda all_: of(all_, "cvplus/error_rate").update(
            conditions=[{"condition_matched_log": [{"filter": "severity>=ERROR"}]}]
        ),
        "notification_rate_limit",
    ),
    "an alert on ourselves that goes to ourselves": (
        lambda all_: all_[POLICY]["self"]["silent_clock"].update(notification_channels=[]),
        "goes to people",
    ),
}
