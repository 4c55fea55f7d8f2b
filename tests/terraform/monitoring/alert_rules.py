"""What Cloud Monitoring asks of any alert policy; a plan does not see most of it, an apply does.

Sources: google/monitoring/v3/alert.proto of googleapis, and the pages on filters and on PromQL in
alert policies (docs.cloud.google.com/monitoring, read 2026-11).
"""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

MOST_CONDITIONS = 6
LONGEST_FILTER = 2048
AUTO_CLOSE = range(1800, 604801)
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")

Attributes = Mapping[str, Any]


def seconds(text: str) -> int:
    """Of a duration such as `60s`. Raises: ValueError."""
    return int(text.removesuffix("s"))


def kinds(condition: Attributes) -> list[tuple[str, Attributes]]:
    """What a condition consists of: (`condition_threshold`, its attributes)."""
    return [
        (kind, block)
        for kind, blocks in sorted(condition.items())
        if kind.startswith("condition_")
        for block in blocks
    ]


def conditions(policy: Attributes) -> list[tuple[str, Attributes]]:
    """Every condition of a policy, by its kind."""
    return [*chain.from_iterable(kinds(one) for one in policy["conditions"])]


def violations(policy: Attributes) -> Iterator[str]:
    """Each rule that the policy breaks."""
    if not 1 <= len(policy["conditions"]) <= MOST_CONDITIONS:
        yield f"{len(policy['conditions'])} conditions"
    for condition in policy["conditions"]:
        if len(kinds(condition)) != 1:
            yield f"{len(kinds(condition))} kinds in one condition"
    for key, value in policy.get("user_labels", {}).items():
        if not _LABEL.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            yield f"label {key}={value} is not lower case"
    yield from _of_strategy(policy)
    for kind, block in conditions(policy):
        yield from _BY_KIND[kind](block)


def _of_strategy(policy: Attributes) -> Iterator[str]:
    [strategy] = policy["alert_strategy"]
    if seconds(strategy["auto_close"]) not in AUTO_CLOSE:
        yield f"auto_close {strategy['auto_close']}"
    of_logs = any(kind == "condition_matched_log" for kind, _ in conditions(policy))
    limited = bool(strategy.get("notification_rate_limit"))
    if of_logs != limited:
        yield "a notification_rate_limit belongs to condition_matched_log, and to it alone"
    if of_logs and len(policy["conditions"]) > 1:
        yield "condition_matched_log stands alone"
    if not of_logs and set(strategy.get("notification_prompts", ())) != {"OPENED", "CLOSED"}:
        yield "the end of an incident is not notified"


def _of_filter(text: str) -> Iterator[str]:
    if text.startswith("select_slo_burn_rate("):
        return
    if 'metric.type="' not in text:
        yield f"no metric.type in {text[:60]!r}"
    if 'resource.type="' not in text:
        yield f"no resource.type in {text[:60]!r}"
    if len(text) > LONGEST_FILTER:
        yield f"a filter of {len(text)} characters"
    if "=~" in text or "!~" in text:
        yield "a filter has no =~"


def _of_aggregation(aggregation: Attributes) -> Iterator[str]:
    period = seconds(aggregation["alignment_period"])
    if period < 60 or period % 60:
        yield f"alignment_period {period}s"
    if aggregation.get("per_series_aligner", "ALIGN_NONE") == "ALIGN_NONE":
        yield "a reducer without an aligner"


def _of_threshold(block: Attributes) -> Iterator[str]:
    yield from _of_filter(block["filter"])
    duration = seconds(block["duration"])
    if duration % 60:
        yield f"duration {duration}s is not of whole minutes"
    if block.get("evaluation_missing_data") and duration < 60:
        yield "evaluation_missing_data wants a duration of a minute"
    if block["comparison"] not in ("COMPARISON_GT", "COMPARISON_LT"):
        yield f"comparison {block['comparison']}"
    below = block.get("denominator_aggregations", [])
    for aggregation in (*block["aggregations"], *below):
        yield from _of_aggregation(aggregation)
    if "denominator_filter" in block:
        yield from _of_filter(block["denominator_filter"])
        if below != block["aggregations"]:
            yield "numerator and denominator are aligned differently"
    elif below:
        yield "denominator_aggregations without a denominator_filter"


def _of_absence(block: Attributes) -> Iterator[str]:
    yield from _of_filter(block["filter"])
    duration = seconds(block["duration"])
    if duration < 120 or duration % 60:
        yield f"an absence of {duration}s"
    for aggregation in block["aggregations"]:
        yield from _of_aggregation(aggregation)


def _of_query(block: Attributes) -> Iterator[str]:
    query = block["query"]
    if any(query.count(left) != query.count(right) for left, right in ("()", "[]", "{}")):
        yield f"brackets in {query[:60]!r}"
    if not re.search(r"[<>]", query):
        yield f"a query that compares nothing: {query[:60]!r}"
    if seconds(block["evaluation_interval"]) % 30:
        yield f"evaluation_interval {block['evaluation_interval']}"
    if block.get("disable_metric_validation") is not True:
        yield "a query that is refused while its metric has no point"
    if re.search(r"_googleapis_com:\w+\{(?!.*monitored_resource=)", query):
        yield f"no monitored_resource in {query[:60]!r}"


def _of_log(_block: Attributes) -> Iterator[str]:
    yield from ()


_BY_KIND = {
    "condition_absent": _of_absence,
    "condition_matched_log": _of_log,
    "condition_prometheus_query_language": _of_query,
    "condition_threshold": _of_threshold,
}
