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


Mistake = Callable[[Resources], Any]
SLOW, FAILING = "cvplus/slow_response", "cvplus/function_failure_rate"
ERRORS, FRONTEND = "cvplus/error_rate", "cvplus/frontend_unavailable"
CONNECTIVITY = "cvplus/database_connectivity"
GRANTS = "monitoring_publishes_alerts"


def setting(key: str, index: int = 0, **values: Any) -> Mistake:
    """A condition has other values."""
    return lambda resources: condition(resources, key, index).update(values)


def replacing(key: str, argument: str, old: str, new: str, index: int = 0) -> Mistake:
    """A text of a condition has something else in the place of its first such part."""

    def mistake(resources: Resources) -> None:
        spoilt = condition(resources, key, index)
        spoilt[argument] = spoilt[argument].replace(old, new, 1)

    return mistake


def saying(key: str, **values: Any) -> Mistake:
    """An alert policy has other values."""
    return lambda resources: of(resources, key).update(values)


def spoil_agent(resources: Resources) -> None:
    grant = resources[PUBLISHER][GRANTS]["cvplus"]
    grant["member"] = grant["member"].replace("-cvplus", "-rollback-operations")


MISTAKES: dict[str, tuple[Mistake, str]] = {
    "aligner of another kind": (
        lambda resources: condition(resources, CONNECTIVITY)["aggregations"][0].update(
            per_series_aligner="ALIGN_RATE"
        ),
        "aligner ALIGN_RATE, not ALIGN_DELTA",
    ),
    "seconds where milliseconds count": (setting(SLOW, threshold_value=30), "threshold 30, not 30000"),
    "half a minute in a filter": (setting(SLOW, duration="30s"), "duration 30s is not of whole minutes"),
    "no resource.type": (
        replacing(SLOW, "filter", 'resource.type="cloud_run_revision" AND ', ""),
        "no resource.type",
    ),
    "a threshold that drifted": (setting(FAILING, threshold_value=0.6), "threshold 0.6, not 0.5"),
    "ten must be exceeded": (setting(CONNECTIVITY, threshold_value=10), "threshold 10, not 9"),
    "no grant to the agent": (
        lambda resources: resources[PUBLISHER][GRANTS].pop("cvplus"),
        "channel cvplus: no grant to the notification agent",
    ),
    "the agent of another project": (spoil_agent, "channel cvplus: no grant"),
    "a grant before the agent exists": (
        lambda resources: resources[PUBLISHER][GRANTS]["cvplus"].update(depends_on=[]),
        "channel cvplus: no grant",
    ),
    "a label in capitals": (
        lambda resources: of(resources, ERRORS)["user_labels"].update(rollback_signal="ERROR"),
        "is not lower case",
    ),
    "the label of another signal": (
        lambda resources: of(resources, ERRORS)["user_labels"].update(rollback_signal="slow_response"),
        "cvplus/error_rate: 0 alert policies carry its labels",
    ),
    "a share against percents": (
        replacing("cvplus/functions_failing_share", "query", "> 0.25", "> 25"),
        "does not compare by",
    ),
    "a denominator aligned otherwise": (
        lambda resources: condition(resources, FAILING)["denominator_aggregations"][0].update(
            alignment_period="300s"
        ),
        "aligned differently",
    ),
    "no denominator": (
        lambda resources: condition(resources, FAILING).pop("denominator_filter"),
        "ratio False, not True",
    ),
    "a share of two calls": (
        replacing("cvplus/database_failure_rate", "query", ">= 20", ">= 0"),
        "does not compare by",
    ),
    "a share of a function's two calls": (setting(FAILING, 1, threshold_value=0), "threshold 0, not 19"),
    "a share or a number": (saying(FAILING, combiner="OR"), "combiner OR"),
    "a group without one of its functions": (replacing(QUIET, "query", "|", "", 1), "misses a condition"),
    "a quiet function's two calls": (replacing(QUIET, "query", ">= 20", ">= 2"), "does not compare by"),
    "a quiet function's single failed call": (
        replacing(QUIET, "query", ">= 8", ">= 1"),
        "does not compare by",
    ),
    "no alert for quiet functions": (
        lambda resources: resources[POLICY]["signal"].pop(QUIET),
        "1 alert policies carry its labels",
    ),
    "one alert for all functions": (
        lambda resources: condition(resources, FAILING)["aggregations"][0].update(group_by_fields=[]),
        "group (), not",
    ),
    "a comparison that the API refuses": (
        setting(SLOW, comparison="COMPARISON_GE"),
        "comparison COMPARISON_GE",
    ),
    "a function that nobody watches": (
        replacing(SLOW, "filter", '"addtestimonial",', ""),
        "watches other services",
    ),
    "a condition that is gone": (
        lambda resources: of(resources, "cvplus/performance_degraded")["conditions"].pop(),
        "misses a condition",
    ),
    "no word of the end": (
        lambda resources: of(resources, ERRORS)["alert_strategy"][0].update(notification_prompts=["OPENED"]),
        "the end of an incident is not notified",
    ),
    "closed before its time": (
        lambda resources: of(resources, ERRORS)["alert_strategy"][0].update(auto_close="3600s"),
        "is not the policy file's",
    ),
    "a pager on the alert policy of a service": (
        lambda resources: of(resources, FRONTEND)["notification_channels"].append(
            resources[CHANNEL]["pager"]["oncall"]["id"]
        ),
        "notifies people of each service",
    ),
    "the responders left out": (
        lambda resources: of(resources, FRONTEND)["notification_channels"].pop(0),
        "the responders are not told",
    ),
    "an alert in another project": (
        saying(ERRORS, project="rollback-operations"),
        "its notifications would be foreign",
    ),
    "an alert before the grant": (saying(ERRORS, depends_on=[]), "before Monitoring may publish"),
    "a counter that is not made": (
        lambda resources: resources["google_logging_metric"]["counter"].pop("cvplus/server_errors"),
        "no counter rollback_cvplus_server_errors",
    ),
    "a log match without a limit": (
        saying(ERRORS, conditions=[{"condition_matched_log": [{"filter": "severity>=ERROR"}]}]),
        "notification_rate_limit",
    ),
    "an alert on ourselves that goes to ourselves": (
        lambda resources: resources[POLICY]["self"]["silent_clock"].update(notification_channels=[]),
        "goes to people",
    ),
}
