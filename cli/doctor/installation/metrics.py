"""Whether Cloud Monitoring can evaluate alerts and dashboards: their queries in, findings out."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from cli.doctor.calls import Calls, call_in_parallel
from cli.doctor.finding import Findings, doubtful, name_first, require_read, unknown, well, wrong
from shared.core.codec import FrozenStruct
from shared.core.errors import Rejected, RollbackError
from shared.core.text import count_noun
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.monitoring_notification import SIGNAL_LABEL, SYSTEM_LABEL
from shared.domain.signals.registry import SIGNALS, SignalSource
from shared.ports.operations_project import Metric, MetricQuery
from shared.wiring.adapters import Wiring

OWN = "rollback: "
"""The prefix of the names of the responders' own alerts (terraform/responder_alerts.tf)."""
UNMEASURED = frozenset({SignalSource.DATA, SignalSource.DECLARED})
"""The sources of signals that no metric shows (terraform/monitoring_locals.tf)."""
ALERTED_SEVERITIES = frozenset({Severity.CRITICAL, Severity.HIGH})
"""The severities with alerts by default (alert_severities)."""
SERIES_WINDOW = "1d"
"""A series without a point in that time counts as not measured."""
MEASURING_TIMEOUT_SECONDS = 30.0
"""For all that is looked up of one project's alerts, beside each other."""

_METRIC = re.compile(r'metric\.type\s*=\s*"([^"]+)"')
_RESOURCE = re.compile(r'resource\.type\s*=\s*"([^"]+)"')
_LABEL = re.compile(r'\b(metric|resource)\.labels?\."?([A-Za-z_]\w*)"?')
_SERIES = re.compile(r'[A-Za-z_]\w*:\w+(?:\s*\{(?:"(?:[^"\\]|\\.)*"|[^"{}])*\})?')


class Filter(FrozenStruct):
    """What one filter names."""

    metric: str
    resource: str
    metric_labels: frozenset[str]
    resource_labels: frozenset[str]


class Measured(FrozenStruct):
    """The queries of a project's alerts and dashboards, and Cloud Monitoring's answers."""

    asked: Sequence[MetricQuery]
    metrics: Mapping[str, Metric | RollbackError | None]
    """By type; None: it is not known."""
    resources: Mapping[str, frozenset[str] | RollbackError | None]
    """Their labels, by type; None: it is not known."""
    answers: Mapping[str, int | RollbackError]
    """How many series each query, and each `counting_query` of a series, is answered with."""


def collect_metrics(wiring: Wiring, project: str, ours: Callable[[MetricQuery], bool]) -> Measured:
    """Return what our alerts and dashboards query, with the answers. Raises: RollbackError."""
    monitoring = wiring.inspection.monitoring(project)
    wanted = [*filter(ours, (*monitoring.policies(), *monitoring.dashboards()))]
    named_there = parse_filters(wanted)
    asked = {query for one in wanted for query in one.queries}
    counted = {counting_query(one) for query in asked for one in series_query(query)}
    groups: dict[str, Calls] = {
        "metrics": {one.metric: partial(monitoring.metric, one.metric) for one in named_there},
        "resources": {
            one.resource: partial(monitoring.resource, one.resource) for one in named_there if one.resource
        },
        "answers": {one: partial(monitoring.series, one) for one in asked | counted},
    }
    return Measured(wanted, **call_in_parallel(wiring, {}, groups, MEASURING_TIMEOUT_SECONDS))


def is_query_of(policy: Policy, one: MetricQuery) -> bool:
    """Whether an alert policy or a dashboard is about a system (terraform/dashboard.tf)."""
    return one.labels.get(SYSTEM_LABEL) == policy.system or one.name == f"Health of {policy.system}"


def is_own(one: MetricQuery) -> bool:
    """Whether an alert policy or a dashboard is about the responders themselves."""
    return one.name.startswith(OWN) or one.name == "Emergency rollback"


def check_alert_policies(policy: Policy, measured: Measured | RollbackError) -> Findings:
    """Whether each signal that a metric shows has an alert with a channel."""
    name = policy.system
    found = require_read(measured, name).asked
    ours = [one for one in found if one.labels.get(SYSTEM_LABEL) == policy.system]
    speaking = {one.labels.get(SIGNAL_LABEL) for one in ours if one.enabled and one.channels}
    silent = {one.name for one in ours if not (one.enabled and one.channels)}
    wanted = {name for name in policy.signals if SIGNALS[name].source not in UNMEASURED} - speaking
    grave = {one for one in wanted if policy.signals[one].severity in ALERTED_SEVERITIES}
    if silent:
        why = f"disabled, or without a channel: {name_first(silent)}"
        yield wrong(name, why, "enable it, or terraform apply")
    if grave:
        why = f"no alert for {name_first(grave)}"
        yield doubtful(name, why, "terraform apply; alert_severities says which severities have alerts")
    if not silent and not grave:
        others = f"; none for {name_first(wanted)}" if wanted else ""
        yield well(name, f"{count_noun(len(speaking), 'signal has', 'signals have')} an alert policy{others}")


def check_metric_names(what: str, measured: Measured | RollbackError) -> Findings:
    """Whether every metric, resource and label that a filter names is known."""
    found = require_read(measured, what)
    wanted = parse_filters(found.asked)
    for answer in (*found.metrics.values(), *found.resources.values()):
        require_read(answer, what)
    faults = {fault for one in wanted for fault in _faults(one, found)}
    if faults:
        why = f"Cloud Monitoring does not know {name_first(faults)}"
        yield wrong(what, why, "alerts and dashboards with them stay empty: see docs/unverified.md")
    elif not wanted:
        yield unknown(what, "no alert or dashboard there has a filter")
    else:
        yield well(what, f"{count_noun(len(found.metrics), 'metric')} and every label are known")


def _faults(one: Filter, found: Measured) -> Iterator[str]:
    metric, labels = found.metrics.get(one.metric), found.resources.get(one.resource)
    if not isinstance(metric, Metric):
        yield one.metric
        return
    if one.resource not in metric.resources:
        yield f"{one.metric} on {one.resource or 'no resource'}"
    for label in one.metric_labels - metric.labels:
        yield f"{one.metric} by {label}"
    if labels is not None and not isinstance(labels, RollbackError):
        for label in one.resource_labels - labels:
            yield f"{one.resource} by {label}"


def check_queries(what: str, measured: Measured | RollbackError) -> Findings:
    """Whether each query in PromQL can be evaluated, and its series are measured."""
    found = require_read(measured, what)
    asked = {query for one in found.asked for query in one.queries}
    refused = {
        one.name
        for one in found.asked
        if any(isinstance(found.answers.get(query), Rejected) for query in one.queries)
    }
    if refused:
        why = f"Cloud Monitoring cannot evaluate the queries of {name_first(refused)}"
        yield wrong(what, why, "see docs/unverified.md")
        return
    for answer in found.answers.values():
        require_read(answer, what)
    all_series = {one for query in asked for one in series_query(query)}
    bare = {one.partition("{")[0] for one in all_series if not found.answers.get(counting_query(one))}
    if not asked:
        yield unknown(what, "no alert or dashboard there uses PromQL")
    elif bare:
        why = f"all can be evaluated; within a day nothing was measured of {name_first(bare)}"
        yield unknown(what, why, "nothing happened, or the name is wrong: see docs/unverified.md")
    else:
        yield well(what, f"{len(asked)} queries can be evaluated, and all {len(all_series)} series have data")


def parse_filters(asked: Iterable[MetricQuery]) -> set[Filter]:
    """What their filters name; one without a metric is left out."""
    return {found for one in asked for text in one.filters for found in _filter(text)}


def _filter(text: str) -> Iterator[Filter]:
    metric, resource = _METRIC.search(text), _RESOURCE.search(text)
    if metric is None:
        return
    labels = [(found[1], found[2]) for found in _LABEL.finditer(text)]
    yield Filter(
        metric[1],
        resource[1] if resource else "",
        frozenset(name for of, name in labels if of == "metric"),
        frozenset(name for of, name in labels if of == "resource"),
    )


def series_query(query: str) -> list[str]:
    """The series of Cloud Monitoring that a query names, each with its matchers."""
    return sorted({found.group().strip() for found in _SERIES.finditer(query)})


def counting_query(one: str) -> str:
    """A query that is answered with something where a series was measured lately."""
    return f"count(last_over_time({one}[{SERIES_WINDOW}]))"
